package stripelocal

import "usher/stripelocal/wire"

// portalLimits enforces the limits of the portal (docs: customer management, limitations). The
// account's setting portal_refusal decides when. Usage-based prices and unsupported payment methods
// do not exist here.
type portalLimits struct{ *request }

// configurationProblem says why the products of a configuration are refused; empty if they are not:
// no two prices may have the same product and recurring.interval (docs). The wording is inferred.
func (h portalLimits) configurationProblem(products []PortalProduct) string {
	seen := map[string]string{}
	for _, product := range products {
		for _, id := range product.Prices {
			price, ok := h.store.Prices.get(id)
			if !ok {
				continue
			}
			key := price.Product + " " + price.Interval
			if other, taken := seen[key]; taken && other != id {
				return "You can't define multiple prices with the same `product` and `recurring.interval` values: `" + other + "` and `" + id + "`."
			}
			seen[key] = id
		}
	}
	return ""
}

// checkConfiguration rejects a session with a configuration that was accepted and is unfit.
func (h portalLimits) checkConfiguration(config *PortalConfiguration) error {
	problem := h.configurationProblem(config.Features.UpdateProducts)
	if problem == "" || h.store.portalRefusal() == PortalRefusalPage {
		return nil
	}
	return wire.Invalid("", "configuration", "The configuration `"+config.ID+"` cannot be used: "+problem)
}

// checkFlow rejects the deep link of an update or a cancellation that the portal does not allow.
func (h portalLimits) checkFlow(sub *Subscription, flow, param string) error {
	problem := h.updateProblem(sub)
	if flow == "subscription_cancel" {
		problem = h.cancelProblem(sub)
	}
	if problem == "" || h.store.portalRefusal() == PortalRefusalPage {
		return nil
	}
	return wire.Invalid("", param, problem)
}

// updateProblem says why a subscription cannot be updated; empty if it can (wording inferred).
func (h portalLimits) updateProblem(sub *Subscription) string {
	const intro = "This subscription cannot be updated because "
	price, _, single := h.subscriptions.singleItem(sub)
	switch {
	case !single:
		return intro + "it has multiple products."
	case sub.CollectionMethod == "send_invoice":
		return intro + "its `collection_method` is `send_invoice`."
	case h.schedules.hasScheduledUpdate(sub):
		return intro + "it has an update scheduled by the subscription schedule `" + sub.Schedule + "`."
	case price.TaxBehavior == "unspecified":
		return intro + "the `tax_behavior` of its price is `unspecified`."
	}
	return ""
}

// cancelProblem says why a subscription cannot be canceled; empty if it can. A schedule without an
// update ahead refuses too, because it owns the cancellation (inferred from the API's refusal).
func (h portalLimits) cancelProblem(sub *Subscription) string {
	if sub.Schedule == "" {
		return ""
	}
	return "This subscription cannot be canceled because it is managed by the subscription schedule `" + sub.Schedule + "`."
}

// hasScheduledUpdate reports whether a schedule will change or end a subscription. One in its last
// phase does not keep the portal from updating it (invertase/stripe-firebase-extensions, issue
// 158).
func (h schedules) hasScheduledUpdate(sub *Subscription) bool {
	x, ok := h.activeFor(sub)
	return ok && (x.CurrentPhase+1 < len(x.Phases) || x.EndBehavior == "cancel")
}
