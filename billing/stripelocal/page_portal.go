package stripelocal

import (
	"fmt"
	"net/http"
)

// portalPage is the customer portal.
type portalPage struct {
	pageBase
	Action        string
	Notice        string
	Return        string
	Subscriptions []portalSubscription
	Cards         []portalCard
	Invoices      []portalInvoice
}

type portalSubscription struct {
	ID, Name, Status, Price, DateLabel, Date string
	CanCancel, CanResume                     bool
}

type portalCard struct{ Name, Expires string }

type portalInvoice struct{ Number, Date, Amount, Status, Link string }

func (s *Server) showPortal(w http.ResponseWriter, req *http.Request) {
	var page portalPage
	found := false
	_ = s.perform(cause{}, func(a *act) error {
		x, ok := a.state.PortalSessions.get(req.PathValue("id"))
		if found = ok; ok {
			page = a.portalPage(x)
		}
		return nil
	})
	if !found {
		s.notFoundPage(w)
		return
	}
	s.render(w, http.StatusOK, "portal", page)
}

// actInPortal does what a button asks for, where the configuration allows it,
// and shows the portal again or goes where the deep link says.
func (s *Server) actInPortal(w http.ResponseWriter, req *http.Request) {
	next, allowed := "", false
	_ = s.perform(s.pageCause(), func(a *act) error {
		x, ok := a.state.PortalSessions.get(req.PathValue("id"))
		if !ok {
			return nil
		}
		next = req.URL.Path
		if x.Flow.AfterType == "redirect" {
			next = x.Flow.AfterURL
		}
		allowed = a.portalAction(x, req.PostFormValue("subscription"), req.PostFormValue("action"))
		return nil
	})
	switch {
	case next == "":
		s.notFoundPage(w)
	case !allowed:
		s.say(w, http.StatusUnprocessableEntity, "Not possible", "This portal does not allow that.")
	default:
		http.Redirect(w, req, next, http.StatusSeeOther)
	}
}

func (a *act) portalAction(x *PortalSession, id, action string) bool {
	sub, ok := a.state.Subscriptions.get(id)
	if !ok || sub.Customer != x.Customer {
		return false
	}
	switch shown := a.portalSubscription(x, sub); {
	case action == "cancel" && shown.CanCancel:
		a.cancelInPortal(x, sub)
	case action == "resume" && shown.CanResume:
		a.changeSubscription(sub, func() {
			sub.CancelAtPeriodEnd, sub.CancelAt, sub.CanceledAt, sub.CancelReason = false, 0, 0, ""
		})
		a.armSubscription(sub)
	default:
		return false
	}
	return true
}

func (a *act) cancelInPortal(x *PortalSession, sub *Subscription) {
	config, _ := a.state.PortalConfigs.get(x.Configuration)
	if config.Features.CancelMode == "immediately" {
		a.endSubscription(sub, "canceled", "cancellation_requested")
		return
	}
	a.changeSubscription(sub, func() { a.setCancel(sub, sub.CurrentPeriodEnd, true) })
	a.armSubscription(sub)
}

func (a *act) portalPage(x *PortalSession) portalPage {
	p := portalPage{pageBase: a.base("Your billing"), Action: "/p/session/" + x.ID, Return: x.ReturnURL}
	subs := a.state.Subscriptions.by("customer", x.Customer)
	for i := len(subs) - 1; i >= 0; i-- {
		if !subs[i].ended() && (x.Flow.Subscription == "" || x.Flow.Subscription == subs[i].ID) {
			p.Subscriptions = append(p.Subscriptions, a.portalSubscription(x, subs[i]))
		}
	}
	for _, pm := range a.state.PaymentMethods.by("customer", x.Customer) {
		p.Cards = append(p.Cards, portalCard{
			Name: fmt.Sprintf("%s ending in %s", pm.Brand, pm.last4()), Expires: fmt.Sprintf("%02d/%d", pm.ExpMonth, pm.ExpYear),
		})
	}
	config, _ := a.state.PortalConfigs.get(x.Configuration)
	if config.Features.Invoices {
		p.Invoices = a.portalInvoices(x.Customer)
	}
	return p
}

func (a *act) portalSubscription(x *PortalSession, sub *Subscription) portalSubscription {
	config, _ := a.state.PortalConfigs.get(x.Configuration)
	shown := portalSubscription{ID: sub.ID, Name: sub.ID, Status: sub.Status, DateLabel: "Renews", Date: day(sub.CurrentPeriodEnd)}
	if items := a.items(sub); len(items) > 0 {
		if price, ok := a.state.Prices.get(items[0].Price); ok {
			shown.Name = a.productName(price)
			shown.Price = fmt.Sprintf("%d × %s every %s", items[0].Quantity, formatAmount(price.amount(1), price.Currency), every(price))
		}
	}
	if sub.CancelAt != 0 {
		shown.DateLabel, shown.Date = "Ends", day(sub.CancelAt)
	}
	living := !sub.ended() && sub.Status != "incomplete"
	shown.CanCancel = living && config.Features.Cancel && sub.CancelAt == 0
	shown.CanResume = living && sub.CancelAt != 0
	return shown
}

// portalInvoices are the newest ones, drafts left out.
func (a *act) portalInvoices(customer string) []portalInvoice {
	var out []portalInvoice
	rows := a.state.Invoices.by("customer", customer)
	for i := len(rows) - 1; i >= 0 && len(out) < 24; i-- {
		if inv := rows[i]; inv.Status != "draft" {
			out = append(out, portalInvoice{
				Number: inv.Number, Date: day(inv.Created), Amount: formatAmount(inv.total(), inv.Currency),
				Status: inv.Status, Link: "/i/" + inv.ID,
			})
		}
	}
	return out
}
