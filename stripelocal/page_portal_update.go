package stripelocal

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"usher/stripelocal/wire"
)

// portalUpdatePage offers other plans.
type portalUpdatePage struct {
	portalFrame
	Name   string
	Offers []portalOffer
	Fields []pageField
}

type portalOffer struct {
	Price, Name, Amount string
	Current, Selected   bool
}

// portalConfirmPage previews the cost of a change.
type portalConfirmPage struct {
	portalFrame
	Lines  []lineItemView
	Total  string // per period after the change
	Due    string
	Note   string
	Hidden []pageField
	Back   string
	Button string
}

// portalChange is the selected change.
type portalChange struct {
	price             *Price
	quantity          int64
	code              string // a promotion code as entered
	coupon, promotion string // ids from the flow
	date              int64  // proration_date of the preview; 0 before it
}

// portalUpdatePages serves the portal's pages for changing a plan.
type portalUpdatePages struct{ *request }

// canUpdate reports whether the portal may change a subscription's plan, quantity or discount.
func (h portalUpdatePages) canUpdate(config *PortalConfiguration, sub *Subscription) bool {
	price, _, ok := h.subscriptions.singleItem(sub)
	if !ok || !config.Features.SubscriptionUpdate || sub.CancelAt != 0 || h.portalLimits.updateProblem(sub) != "" {
		return false
	}
	return config.Features.allowsUpdate("quantity") || config.Features.allowsUpdate("promotion_code") || len(h.offeredPrices(config, price)) > 1
}

func (f PortalFeatures) allowsUpdate(what string) bool {
	return slices.Contains(f.DefaultAllowedUpdates, what)
}

// offeredPrices are the current price and those of the configuration with its tax behavior (docs:
// customer management, limitations).
func (h portalUpdatePages) offeredPrices(config *PortalConfiguration, current *Price) []*Price {
	return slices.DeleteFunc(h.configuredPrices(config, current), func(p *Price) bool { return p.TaxBehavior != current.TaxBehavior })
}

// configuredPrices are the current price and those of the configuration that are active, recurring
// and in its currency.
func (h portalUpdatePages) configuredPrices(config *PortalConfiguration, current *Price) []*Price {
	out := []*Price{current}
	if !config.Features.allowsUpdate("price") {
		return out
	}
	for _, product := range config.Features.UpdateProducts {
		for _, id := range product.Prices {
			p, ok := h.store.Prices.get(id)
			if ok && p.Active && p.Interval != "" && p.Currency == current.Currency && p.ID != current.ID {
				out = append(out, p)
			}
		}
	}
	return out
}

func (h portalUpdatePages) show(x *PortalSession, config *PortalConfiguration, req *http.Request) pageResponse {
	sub, ok := h.portalPages.findSubscription(x, req)
	if !ok || !h.canUpdate(config, sub) {
		return portalNotAllowed()
	}
	return showPage("portal-update", h.page(x, config, sub))
}

func (h portalUpdatePages) page(x *PortalSession, config *PortalConfiguration, sub *Subscription) portalUpdatePage {
	current, item, _ := h.subscriptions.singleItem(sub)
	page := portalUpdatePage{
		portalFrame: newPortalFrame(x, "Update your plan", x.subscriptionPath(sub.ID, "confirm")), Name: h.prices.productName(current),
	}
	for _, p := range h.offeredPrices(config, current) {
		page.Offers = append(page.Offers, portalOffer{
			Price: p.ID, Name: h.prices.productName(p), Amount: fmt.Sprintf("%s every %s", wire.FormatAmount(p.amount(1), p.Currency), intervalText(p)),
			Current: p.ID == current.ID, Selected: p.ID == current.ID,
		})
	}
	if config.Features.allowsUpdate("quantity") {
		page.Fields = append(page.Fields, pageField{
			Name: "quantity", Label: "Quantity", Type: "text", Inputmode: "numeric", Autocomplete: "off",
			Value: strconv.FormatInt(item.Quantity, 10),
		})
	}
	if config.Features.allowsUpdate("promotion_code") {
		page.Fields = append(page.Fields, pageField{
			Name: "promotionCode", Label: "Promotion code", Type: "text", Optional: true, Autocomplete: "off",
		})
	}
	return page
}

// readChange reads the change from the form or from a subscription_update_confirm flow. It also
// returns the invalid field and its message.
func (h portalUpdatePages) readChange(x *PortalSession, config *PortalConfiguration, sub *Subscription, form url.Values) (portalChange, string, string) {
	current, item, _ := h.subscriptions.singleItem(sub)
	change := portalChange{price: current, quantity: item.Quantity, code: form.Get("promotionCode")}
	change.date, _ = strconv.ParseInt(form.Get("prorationDate"), 10, 64)
	if x.inFlow() && x.Flow.Type == "subscription_update_confirm" {
		h.readFlow(x, &change)
		return change, "", ""
	}
	if id := form.Get("price"); id != "" {
		offers := h.offeredPrices(config, current)
		at := slices.IndexFunc(offers, func(p *Price) bool { return p.ID == id })
		if at < 0 {
			return change, "price", "Choose one of these plans."
		}
		change.price = offers[at]
	}
	if text := form.Get("quantity"); text != "" && config.Features.allowsUpdate("quantity") {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < 1 {
			return change, "quantity", "Enter a whole number, 1 or more."
		}
		change.quantity = n
	}
	field, problem := h.checkPromotionCode(config, sub, &change)
	return change, field, problem
}

// checkPromotionCode ignores a promotion code unless the configuration allows it, and checks it
// otherwise.
func (h portalUpdatePages) checkPromotionCode(config *PortalConfiguration, sub *Subscription, change *portalChange) (field, problem string) {
	if !config.Features.allowsUpdate("promotion_code") {
		change.code = ""
	}
	if change.code == "" {
		return "", ""
	}
	x := h.promotionCodes.byCode(change.code, sub.Customer)
	return "promotionCode", h.promotionCodes.redemptionError(x, sub.Customer, sub.Currency, change.price.amount(change.quantity))
}

func (h portalUpdatePages) readFlow(x *PortalSession, change *portalChange) {
	for _, i := range x.Flow.Items {
		if p, ok := h.store.Prices.get(i.Price); ok {
			change.price = p
		}
		if i.Quantity > 0 {
			change.quantity = i.Quantity
		}
	}
	change.coupon, change.promotion = x.Flow.Coupon, x.Flow.PromotionCode
}

func (h portalUpdatePages) showConfirm(x *PortalSession, config *PortalConfiguration, req *http.Request) pageResponse {
	sub, ok := h.portalPages.findSubscription(x, req)
	if !ok || !h.canUpdate(config, sub) {
		return portalNotAllowed()
	}
	change, field, problem := h.readChange(x, config, sub, req.Form)
	if problem != "" {
		return h.showAgain(x, config, sub, req.Form, field, problem)
	}
	if change.date == 0 {
		change.date = h.timeOnClock(sub.TestClock)
	}
	page, err := h.confirmPage(x, config, sub, change)
	if err != nil {
		return h.showAgain(x, config, sub, req.Form, "price", err.Error())
	}
	return showPage("portal-confirm", page)
}

// showAgain shows the form with the selection and the error.
func (h portalUpdatePages) showAgain(x *PortalSession, config *PortalConfiguration, sub *Subscription, form url.Values, field, problem string) pageResponse {
	page := h.page(x, config, sub)
	for i := range page.Offers {
		page.Offers[i].Selected = page.Offers[i].Price == form.Get("price")
	}
	for i := range page.Fields {
		page.Fields[i].Value = form.Get(page.Fields[i].Name)
	}
	page.Alert = problem
	if field != "price" {
		page.Alert = "Some fields need another look."
		setFieldErrors(page.Fields, map[string]string{field: problem})
	}
	return showInvalidForm("portal-update", page)
}

func (h portalUpdatePages) submit(x *PortalSession, config *PortalConfiguration, req *http.Request) pageResponse {
	sub, ok := h.portalPages.findSubscription(x, req)
	if !ok || !h.canUpdate(config, sub) {
		return portalNotAllowed()
	}
	change, field, problem := h.readChange(x, config, sub, req.PostForm)
	if problem != "" {
		return h.showAgain(x, config, sub, req.PostForm, field, problem)
	}
	if _, err := h.callAPI("POST /v1/subscriptions/{id}", sub.ID, h.changeForm(config, sub, change)); err != nil {
		return h.showAgain(x, config, sub, req.PostForm, "price", err.Error())
	}
	return finishPortalStep(x, "updated")
}

// changeForm is the form of the API call for a change, prorated as the configuration says from the
// date of the preview. Any change ends a trial and is invoiced (docs: customer management).
func (h portalUpdatePages) changeForm(config *PortalConfiguration, sub *Subscription, change portalChange) url.Values {
	_, item, _ := h.subscriptions.singleItem(sub)
	form := url.Values{
		"items[0][id]": {item.ID}, "items[0][price]": {change.price.ID},
		"items[0][quantity]": {strconv.FormatInt(change.quantity, 10)}, "proration_behavior": {config.Features.UpdateProration},
	}
	if config.Features.UpdateProration != "none" && change.date >= sub.CurrentPeriodStart && change.date <= sub.CurrentPeriodEnd && change.date != 0 {
		form.Set("proration_date", strconv.FormatInt(change.date, 10))
	}
	if change.endsTrial(sub, item) && h.hasParam("POST /v1/subscriptions/{id}", "trial_end") {
		form.Set("trial_end", "now")
		form.Del("proration_date")
	}
	switch {
	case change.coupon != "":
		form.Set("discounts[0][coupon]", change.coupon)
	case change.promotion != "":
		form.Set("discounts[0][promotion_code]", change.promotion)
	case change.code != "":
		if x := h.promotionCodes.byCode(change.code, sub.Customer); x != nil {
			form.Set("discounts[0][promotion_code]", x.ID)
		}
	}
	return form
}

func (c portalChange) endsTrial(sub *Subscription, item *SubscriptionItem) bool {
	return sub.Status == "trialing" && (c.price.ID != item.Price || c.quantity != item.Quantity)
}

// hasParam reports whether an API call has a parameter.
func (h portalUpdatePages) hasParam(pattern, param string) bool {
	r, ok := h.routes[pattern]
	return ok && r.schema.Fields[param] != nil
}

func (h portalUpdatePages) confirmPage(x *PortalSession, config *PortalConfiguration, sub *Subscription, change portalChange) (portalConfirmPage, error) {
	amount := change.price.amount(change.quantity)
	page := portalConfirmPage{
		portalFrame: newPortalFrame(x, "Confirm your update", x.subscriptionPath(sub.ID, "confirm")),
		Lines:       []lineItemView{h.checkoutPages.line(change.price, change.quantity)},
		Total:       fmt.Sprintf("%s every %s", wire.FormatAmount(amount, change.price.Currency), intervalText(change.price)),
		Button:      "Confirm", Back: x.subscriptionPath(sub.ID, "update"),
		Hidden: []pageField{
			{Name: "price", Value: change.price.ID}, {Name: "quantity", Value: strconv.FormatInt(change.quantity, 10)},
			{Name: "promotionCode", Value: change.code}, {Name: "prorationDate", Value: strconv.FormatInt(change.date, 10)},
		},
	}
	if x.inFlow() && x.Flow.Type == "subscription_update_confirm" {
		page.Back = ""
	}
	err := h.addPreview(&page, config, sub, change)
	return page, err
}

// addPreview adds the amounts of the invoice preview.
func (h portalUpdatePages) addPreview(page *portalConfirmPage, config *PortalConfiguration, sub *Subscription, change portalChange) error {
	_, item, _ := h.subscriptions.singleItem(sub)
	form := url.Values{"subscription": {sub.ID}}
	for name, values := range h.changeForm(config, sub, change) {
		if name == "discounts[0][coupon]" || name == "discounts[0][promotion_code]" {
			form[name] = values
			continue
		}
		form["subscription_details["+nestName(name)] = values
	}
	preview, err := h.callAPI("POST /v1/invoices/create_preview", "", form)
	if err != nil {
		return err
	}
	due, _ := preview["amount_due"].(int64)
	if h.billsImmediately(config, sub, item, change) {
		page.Due = wire.FormatAmount(due, sub.Currency)
		page.Button = "Confirm and pay " + page.Due
		return nil
	}
	page.Due = wire.FormatAmount(0, sub.Currency)
	page.Note = fmt.Sprintf("The next invoice, on %s, is %s.", formatDate(sub.CurrentPeriodEnd), wire.FormatAmount(due, sub.Currency))
	return nil
}

// nestName turns items[0][id] into items][0][id], to nest it under another name.
func nestName(name string) string {
	for i := range len(name) {
		if name[i] == '[' {
			return name[:i] + "]" + name[i:]
		}
	}
	return name + "]"
}

// billsImmediately reports whether a change creates an invoice now: with always_invoice, or if the
// interval changes or a trial ends.
func (h portalUpdatePages) billsImmediately(config *PortalConfiguration, sub *Subscription, item *SubscriptionItem, change portalChange) bool {
	old, _ := h.store.Prices.get(item.Price)
	return config.Features.UpdateProration == "always_invoice" || change.endsTrial(sub, item) ||
		old.Interval != change.price.Interval || old.IntervalCount != change.price.IntervalCount || old.amount(1) == 0 && change.price.amount(1) > 0
}
