package stripelocal

import (
	"fmt"
	"net/http"
	"net/url"

	"usher/stripelocal/wire"
)

// portalFrame is the data that every page of the portal has.
type portalFrame struct {
	pageBase
	Action   string // where the page's form is sent
	Home     string // path of the overview; empty in a flow
	Return   string // URL of the application
	Headline string
	Notice   string
	Alert    string
}

// portalPage is the portal's overview.
type portalPage struct {
	portalFrame
	Subscriptions []portalSubscription
	Cards         []portalCard
	AddCard       string
	Details       []labeledValue
	EditDetails   string
	Invoices      []portalInvoice
	Privacy       string
	Terms         string
}

type portalSubscription struct {
	ID, Name, Status, Price, DateLabel, Date string
	Cancel, Switch                           string // paths; empty if not allowed
	CanResume                                bool
}

type portalCard struct {
	ID, Name, Expires     string
	Default, CanBeChanged bool
}

type labeledValue struct{ Label, Value string }

type portalInvoice struct{ Number, Date, Amount, Status, Link string }

// portalStep handles one page of the portal.
type portalStep func(r *request, x *PortalSession, config *PortalConfiguration, req *http.Request) pageResponse

// inPortal makes a portalStep of a handler's method.
func inPortal[H handler](do func(H, *PortalSession, *PortalConfiguration, *http.Request) pageResponse) portalStep {
	return func(r *request, x *PortalSession, config *PortalConfiguration, req *http.Request) pageResponse {
		return do(H{r}, x, config, req)
	}
}

func (p hostedPages) mountPortal(mux *http.ServeMux) {
	for pattern, step := range map[string]portalStep{
		"GET /p/session/{id}":                              inPortal(portalPages.show),
		"POST /p/session/{id}":                             inPortal(portalPages.submit),
		"GET /p/session/{id}/payment-method":               inPortal(portalPages.showCard),
		"POST /p/session/{id}/payment-method":              inPortal(portalPages.submitCard),
		"GET /p/session/{id}/details":                      inPortal(portalPages.showDetails),
		"POST /p/session/{id}/details":                     inPortal(portalPages.submitDetails),
		"GET /p/session/{id}/subscriptions/{sub}/cancel":   inPortal(portalPages.showCancel),
		"POST /p/session/{id}/subscriptions/{sub}/cancel":  inPortal(portalPages.submitCancel),
		"GET /p/session/{id}/subscriptions/{sub}/update":   inPortal(portalUpdatePages.show),
		"GET /p/session/{id}/subscriptions/{sub}/confirm":  inPortal(portalUpdatePages.showConfirm),
		"POST /p/session/{id}/subscriptions/{sub}/confirm": inPortal(portalUpdatePages.submit),
	} {
		mux.HandleFunc(pattern, p.handle(func(r *request, req *http.Request) pageResponse {
			x, ok := r.store.PortalSessions.get(req.PathValue("id"))
			if !ok {
				return noSuchPage()
			}
			config, _ := r.store.PortalConfigurations.get(x.Configuration)
			if r.portalLimits.configurationProblem(config.Features.UpdateProducts) != "" {
				return portalUnavailable()
			}
			return step(r, x, config, req)
		}))
	}
}

func (x *PortalSession) path() string { return "/p/session/" + x.ID }

func (x *PortalSession) subscriptionPath(sub, step string) string {
	return x.path() + "/subscriptions/" + url.PathEscape(sub) + "/" + step
}

// inFlow reports whether the session is for a flow that is not completed.
func (x *PortalSession) inFlow() bool { return x.Flow.Type != "" && !x.Flow.Completed }

// flowPath is the path of the session's flow.
func (x *PortalSession) flowPath() string {
	switch x.Flow.Type {
	case "payment_method_update":
		return x.path() + "/payment-method"
	case "subscription_cancel":
		return x.subscriptionPath(x.Flow.Subscription, "cancel")
	case "subscription_update":
		return x.subscriptionPath(x.Flow.Subscription, "update")
	}
	return x.subscriptionPath(x.Flow.Subscription, "confirm")
}

// portalPages serves the customer portal under /p/session/.
type portalPages struct{ *request }

func newPortalFrame(x *PortalSession, title, action string) portalFrame {
	frame := portalFrame{pageBase: pageBase{title}, Action: action, Return: x.ReturnURL, Home: x.path()}
	if x.inFlow() {
		frame.Home = ""
	}
	return frame
}

// finishPortalStep redirects after a completed step: as after_completion says in a flow, else to
// the overview with a notice.
func finishPortalStep(x *PortalSession, notice string) pageResponse {
	if !x.inFlow() {
		return redirectTo(x.path() + "?done=" + notice)
	}
	x.Flow.Completed = true
	switch x.Flow.AfterType {
	case "redirect":
		return redirectTo(x.Flow.AfterURL)
	case "hosted_confirmation":
		return redirectTo(x.path() + "?done=" + notice + "&confirmation=1")
	}
	return redirectTo(x.path() + "?done=" + notice)
}

// portalNotice is the notice for a completed step.
func portalNotice(done string) string {
	return map[string]string{
		"canceled": "Your plan is canceled.", "resumed": "Your plan goes on.", "updated": "Your plan is updated.",
		"card": "Your card is saved.", "details": "Your details are saved.", "removed": "The card is removed.",
	}[done]
}

func (h portalPages) show(x *PortalSession, config *PortalConfiguration, req *http.Request) pageResponse {
	if x.inFlow() {
		return redirectTo(x.flowPath())
	}
	notice := portalNotice(req.FormValue("done"))
	if x.Flow.AfterType == "hosted_confirmation" && req.FormValue("confirmation") != "" {
		return portalConfirmationPage(x, notice)
	}
	page := h.page(x, config)
	page.Notice = notice
	return showPage("portal", page)
}

func portalConfirmationPage(x *PortalSession, notice string) pageResponse {
	page := messagePage{pageBase: pageBase{"Done"}, Message: notice, Link: x.ReturnURL, LinkText: "Return"}
	if x.Flow.AfterMessage != "" {
		page.Message = x.Flow.AfterMessage
	}
	return showPage("message", page)
}

// submit handles the buttons of the overview.
func (h portalPages) submit(x *PortalSession, config *PortalConfiguration, req *http.Request) pageResponse {
	switch req.PostFormValue("action") {
	case "cancel":
		return h.submitCancel(x, config, req)
	case "resume":
		return h.resume(x, config, req)
	case "default", "remove":
		return h.changeCard(x, config, req)
	}
	return portalNotAllowed()
}

// portalUnavailable is every page of a portal whose configuration breaks the portal's limits.
func portalUnavailable() pageResponse {
	return message(http.StatusUnprocessableEntity, "Not available", "This portal is not available. Its configuration is invalid.")
}

func portalNotAllowed() pageResponse {
	return message(http.StatusUnprocessableEntity, "Not possible", "This portal does not allow that.")
}

func (h portalPages) resume(x *PortalSession, config *PortalConfiguration, req *http.Request) pageResponse {
	sub, ok := h.findSubscription(x, req)
	if !ok || !h.subscription(x, config, sub).CanResume {
		return portalNotAllowed()
	}
	if _, err := h.callAPI("POST /v1/subscriptions/{id}", sub.ID, url.Values{"cancel_at_period_end": {"false"}}); err != nil {
		return message(http.StatusUnprocessableEntity, "Not possible", err.Error())
	}
	return finishPortalStep(x, "resumed")
}

// findSubscription returns the subscription in the path or the form, if it belongs to the session's
// customer.
func (h portalPages) findSubscription(x *PortalSession, req *http.Request) (*Subscription, bool) {
	id := req.PathValue("sub")
	if id == "" {
		id = req.PostFormValue("subscription")
	}
	sub, ok := h.store.Subscriptions.get(id)
	if !ok || sub.Customer != x.Customer || sub.hasEnded() {
		return nil, false
	}
	return sub, true
}

func (h portalPages) page(x *PortalSession, config *PortalConfiguration) portalPage {
	p := portalPage{portalFrame: newPortalFrame(x, "Your billing", x.path()), Privacy: config.PrivacyURL, Terms: config.TermsURL}
	p.Headline = config.Headline
	subs := h.store.Subscriptions.by("customer", x.Customer)
	for i := len(subs) - 1; i >= 0; i-- {
		if !subs[i].hasEnded() {
			p.Subscriptions = append(p.Subscriptions, h.subscription(x, config, subs[i]))
		}
	}
	p.Cards = h.cards(x, config)
	if config.Features.PaymentMethodUpdate {
		p.AddCard = x.path() + "/payment-method"
	}
	p.Details = h.details(x)
	if config.Features.CustomerUpdate && len(config.Features.CustomerAllowedUpdates) > 0 {
		p.EditDetails = x.path() + "/details"
	}
	if config.Features.InvoiceHistory {
		p.Invoices = h.invoiceRows(x.Customer)
	}
	return p
}

func (h portalPages) subscription(x *PortalSession, config *PortalConfiguration, sub *Subscription) portalSubscription {
	shown := portalSubscription{ID: sub.ID, Name: sub.ID, Status: sub.Status, DateLabel: "Renews", Date: formatDate(sub.CurrentPeriodEnd)}
	if price, item, ok := h.subscriptions.singleItem(sub); ok {
		shown.Name = h.prices.productName(price)
		shown.Price = fmt.Sprintf("%d × %s every %s", item.Quantity, wire.FormatAmount(price.amount(1), price.Currency), intervalText(price))
	}
	if sub.CancelAt != 0 {
		shown.DateLabel, shown.Date = "Ends", formatDate(sub.CancelAt)
	}
	active := !sub.hasEnded() && sub.Status != "incomplete"
	shown.CanResume = active && sub.CancelAt != 0
	if active && config.Features.SubscriptionCancel && sub.CancelAt == 0 && h.portalLimits.cancelProblem(sub) == "" {
		shown.Cancel = x.subscriptionPath(sub.ID, "cancel")
	}
	if active && h.portalUpdatePages.canUpdate(config, sub) {
		shown.Switch = x.subscriptionPath(sub.ID, "update")
	}
	return shown
}

// invoiceRows are the customer's newest finalized invoices, at most 24.
func (h portalPages) invoiceRows(customer string) []portalInvoice {
	var out []portalInvoice
	rows := h.store.Invoices.by("customer", customer)
	for i := len(rows) - 1; i >= 0 && len(out) < 24; i-- {
		if inv := rows[i]; inv.FinalizedAt != 0 {
			out = append(out, portalInvoice{
				Number: inv.Number, Date: formatDate(inv.Created), Amount: wire.FormatAmount(inv.total(), inv.Currency),
				Status: inv.Status, Link: "/i/" + inv.ID,
			})
		}
	}
	return out
}
