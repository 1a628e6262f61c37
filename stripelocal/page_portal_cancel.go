package stripelocal

import (
	"net/http"
	"net/url"
)

// portalCancelPage confirms a cancellation.
type portalCancelPage struct {
	portalFrame
	Name, Ends string
	Fields     []pageField
}

func (h portalPages) findCancelable(x *PortalSession, config *PortalConfiguration, req *http.Request) (*Subscription, bool) {
	sub, ok := h.findSubscription(x, req)
	if !ok || h.subscription(x, config, sub).Cancel == "" {
		return nil, false
	}
	return sub, true
}

func (h portalPages) showCancel(x *PortalSession, config *PortalConfiguration, req *http.Request) pageResponse {
	sub, ok := h.findCancelable(x, config, req)
	if !ok {
		return portalNotAllowed()
	}
	return showPage("portal-cancel", h.cancelPage(x, config, sub))
}

func (h portalPages) cancelPage(x *PortalSession, config *PortalConfiguration, sub *Subscription) portalCancelPage {
	page := portalCancelPage{
		portalFrame: newPortalFrame(x, "Cancel your plan", x.subscriptionPath(sub.ID, "cancel")),
		Name:        h.subscription(x, config, sub).Name, Ends: "at once",
	}
	if config.Features.CancelMode != "immediately" {
		page.Ends = "on " + formatDate(sub.CurrentPeriodEnd)
	}
	if config.Features.CancellationReason {
		page.Fields = []pageField{
			{Name: "feedback", Label: "Why do you cancel?", Optional: true, Options: reasonOptions(config.Features.CancellationReasonOptions)},
			{Name: "comment", Label: "Anything else", Type: "text", Optional: true, Autocomplete: "off"},
		}
	}
	return page
}

func reasonOptions(offered []string) []pageOption {
	words := []pageOption{
		{Value: "too_expensive", Label: "It is too expensive"}, {Value: "missing_features", Label: "It lacks something I need"},
		{Value: "switched_service", Label: "I found something else"}, {Value: "unused", Label: "I do not use it enough"},
		{Value: "customer_service", Label: "The service was not good"}, {Value: "too_complex", Label: "It is too complex"},
		{Value: "low_quality", Label: "The quality was not good"}, {Value: "other", Label: "Another reason"},
	}
	offeredReasons := setOf(offered)
	out := []pageOption{{Label: "No answer"}}
	for _, w := range words {
		if len(offeredReasons) == 0 || offeredReasons[w.Value] {
			out = append(out, w)
		}
	}
	return out
}

func (h portalPages) submitCancel(x *PortalSession, config *PortalConfiguration, req *http.Request) pageResponse {
	sub, ok := h.findCancelable(x, config, req)
	if !ok {
		return portalNotAllowed()
	}
	form := url.Values{}
	for _, name := range []string{"feedback", "comment"} {
		if v := req.PostFormValue(name); v != "" && config.Features.CancellationReason {
			form.Set("cancellation_details["+name+"]", v)
		}
	}
	if err := h.cancel(config, sub, form); err != nil {
		page := h.cancelPage(x, config, sub)
		page.Alert = err.Error()
		return showInvalidForm("portal-cancel", page)
	}
	return finishPortalStep(x, "canceled")
}

// cancel cancels as the portal configuration says: at the period's end, or immediately with or
// without prorations.
func (h portalPages) cancel(config *PortalConfiguration, sub *Subscription, form url.Values) error {
	pattern := "POST /v1/subscriptions/{id}"
	if config.Features.CancelMode == "immediately" {
		pattern = "DELETE /v1/subscriptions/{id}"
		form.Set("prorate", formatBool(config.Features.CancelProration != "none"))
		form.Set("invoice_now", formatBool(config.Features.CancelProration == "always_invoice"))
	} else {
		form.Set("cancel_at_period_end", "true")
	}
	_, err := h.callAPI(pattern, sub.ID, form)
	return err
}

func formatBool(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
