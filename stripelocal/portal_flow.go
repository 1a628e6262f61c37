package stripelocal

import "usher/stripelocal/wire"

const confirmParams = "subscription_update_confirm{subscription! items[]{id! price quantity:int}! discounts[]{coupon promotion_code}} "

// setFlowItems reads the items of a subscription_update_confirm flow: one price that the
// configuration offers, for the subscription's single item.
func (h portalSessions) setFlowItems(x *PortalSession, config *PortalConfiguration, detail wire.Params) error {
	sub, ok := h.store.Subscriptions.get(x.Flow.Subscription)
	if !ok || x.Flow.Type != "subscription_update_confirm" {
		return nil
	}
	items := detail.List("items")
	if len(items) != 1 || len(h.subscriptions.items(sub)) != 1 {
		return wire.Invalid("", "flow_data[subscription_update_confirm][items]", "Exactly one item can be updated, of a subscription that has one.")
	}
	current, own, _ := h.subscriptions.singleItem(sub)
	p := items[0]
	if p.String("id") != own.ID {
		return wire.NoSuch("subscription_item", p.String("id"), p.Name("id"))
	}
	item := PortalFlowItem{ID: own.ID, Price: p.StringOr("price", own.Price), Quantity: p.IntOr("quantity", own.Quantity)}
	if err := h.checkFlowPrice(config, current, own.ID, item.Price, p.Name("price")); err != nil {
		return err
	}
	if item.Quantity < 1 {
		return wire.Invalid("parameter_invalid_integer", p.Name("quantity"), "This value must be greater than or equal to 1.")
	}
	x.Flow.Items = []PortalFlowItem{item}
	return h.setFlowDiscount(x, sub, detail)
}

// checkFlowPrice requires a price of the configuration with the current price's tax behavior. The
// first message is Stripe's (public issue threads).
func (h portalSessions) checkFlowPrice(config *PortalConfiguration, current *Price, item, price, param string) error {
	switch {
	case !containsPrice(h.portalUpdatePages.configuredPrices(config, current), price):
		return wire.Invalid("", param, "The item `"+item+"` cannot be updated to price `"+price+"` because the configuration `"+config.ID+"` does not include the price in its `features[subscription_update][products]`.")
	case h.store.portalRefusal() == PortalRefusalPage, containsPrice(h.portalUpdatePages.offeredPrices(config, current), price):
		return nil
	}
	return wire.Invalid("", param, "The item `"+item+"` cannot be updated to price `"+price+"` because its tax behavior is not that of the current price.")
}

func containsPrice(prices []*Price, id string) bool {
	for _, p := range prices {
		if p.ID == id {
			return true
		}
	}
	return false
}

func (h portalSessions) setFlowDiscount(x *PortalSession, sub *Subscription, detail wire.Params) error {
	list := detail.List("discounts")
	switch {
	case len(list) == 0:
		return nil
	case len(list) > 1:
		return wire.Invalid("", "flow_data[subscription_update_confirm][discounts]", "You can only apply one discount.")
	}
	if _, _, err := h.discounts.fromParams(sub, list[0]); err != nil {
		return err
	}
	x.Flow.Coupon, x.Flow.PromotionCode = list[0].String("coupon"), list[0].String("promotion_code")
	return nil
}

func (f PortalFlow) renderFlowDiscounts() any {
	if f.Coupon == "" && f.PromotionCode == "" {
		return nil
	}
	return []any{wire.Object{"coupon": wire.StringOrNull(f.Coupon), "promotion_code": wire.StringOrNull(f.PromotionCode)}}
}
