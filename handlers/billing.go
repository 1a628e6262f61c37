package handlers

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
	billingviews "usher/views/billing"
)

const billingPath = "/organization?tab=billing"

// Bounds of a return from Checkout or the portal: how long Stripe is waited for, how often the page asks again, and how soon.
const (
	returnTimeout = 3 * time.Second
	returnPolls   = 20
	returnInterval   = 2 * time.Second
)

// createCheckout leads to Checkout for a plan or a pack.
func (s *server) createCheckout(w http.ResponseWriter, r *http.Request) error {
	chosen, err := s.choiceOf(r)
	if err != nil {
		return err
	}
	session, err := s.startCheckout(r.Context(), accessOf(r), chosen)
	if err != nil {
		return err
	}
	s.redirect(w, r, session.URL)
	return nil
}

func (s *server) startCheckout(ctx context.Context, a account.Access, chosen selection) (billing.CheckoutSession, error) {
	if chosen.pack.ID != "" {
		return s.billing.Checkouts.StartPack(ctx, a, billing.CheckoutRequest{PackID: chosen.pack.ID})
	}
	return s.billing.Checkouts.Start(ctx, a, billing.CheckoutRequest{PlanID: chosen.plan.ID, Interval: chosen.interval})
}

// rememberChoice keeps a visitor's choice until they have signed up or in.
func (s *server) rememberChoice(w http.ResponseWriter, r *http.Request) error {
	chosen, err := s.choiceOf(r)
	if err != nil {
		return err
	}
	s.keepChoice(r.Context(), chosen)
	s.redirect(w, r, "/signup")
	return nil
}

// choiceOf reads what a form wants to buy. The price comes from the catalogue, never from the form.
func (s *server) choiceOf(r *http.Request) (selection, error) {
	chosen, ok := s.offered(r.PostFormValue("plan"), r.PostFormValue("interval"), r.PostFormValue("pack"))
	if !ok {
		return selection{}, apperr.Errorf(apperr.CodeInvalid, apperr.MessageInvalidPrice)
	}
	return chosen, nil
}

// createPortal leads to the customer portal, or to the part of it that a deep link names.
func (s *server) createPortal(w http.ResponseWriter, r *http.Request) error {
	to, err := s.billing.Portal.Open(r.Context(), accessOf(r), billing.PortalFlow(r.PostFormValue("flow")), s.portalReturn())
	if err != nil {
		return err
	}
	s.redirect(w, r, to)
	return nil
}

// cancelPlan has the plan end with what is paid for.
func (s *server) cancelPlan(w http.ResponseWriter, r *http.Request) error {
	return s.afterPlan(w, r, s.billing.Subscriptions.CancelAtPeriodEnd(r.Context(), accessOf(r)), noticeCanceled)
}

// resumePlan has it go on.
func (s *server) resumePlan(w http.ResponseWriter, r *http.Request) error {
	return s.afterPlan(w, r, s.billing.Subscriptions.Resume(r.Context(), accessOf(r)), noticeResumed)
}

func (s *server) afterPlan(w http.ResponseWriter, r *http.Request, err error, notice string) error {
	if err != nil {
		return err
	}
	s.redirect(w, r, billingPath+"&notice="+notice)
	return nil
}

// resyncTimeout is how long a page waits for Stripe because somebody asked for just that.
const resyncTimeout = 10 * time.Second

// resync compares the organization with Stripe.
func (s *server) resync(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), resyncTimeout)
	defer cancel()
	report, err := s.billing.Reconciler.Resync(ctx, accessOf(r))
	if err != nil {
		return err
	}
	notice := noticeInSync
	if len(report.Drifts) > 0 {
		notice = noticeResynced
	}
	s.redirect(w, r, "/organization?tab=billing&notice="+notice)
	return nil
}

// portalReturn is the configured return URL, marked so that the page knows to ask Stripe. Another site's would not know the mark.
func (s *server) portalReturn() string {
	u, err := url.Parse(s.returnURL)
	if err != nil || u.Host != s.baseURL.Host {
		return s.returnURL
	}
	query := u.Query()
	query.Set("portal", "1")
	u.RawQuery = query.Encode()
	return u.String()
}

// checkoutReturn is what the address says of where one comes from, and what Stripe said to it.
type checkoutReturn struct {
	from      billingviews.CheckoutReturn
	checked     bool // Stripe was asked about a Checkout session
	confirmed bool // and has confirmed it
	credits   int  // what it sold were these, and no plan
	stale     bool // Stripe did not answer after the portal
	polls     int  // how often the page has asked by itself
}

// comebackOf takes up a return from Checkout or the portal. moved: an answer was written, the request belongs elsewhere.
func (s *server) comebackOf(w http.ResponseWriter, r *http.Request) (back checkoutReturn, moved bool, err error) {
	query := r.URL.Query()
	if query.Get("portal") == "" || query.Get("success") == "true" {
		return s.checkoutReturn(w, r)
	}
	back.polls = pollCount(r)
	ctx, cancel := context.WithTimeout(r.Context(), s.returnTimeout)
	defer cancel()
	err = s.billing.Subscriptions.Refresh(ctx, accessOf(r))
	if isStripeUnavailable(err) {
		stateOf(r).err, back.stale, err = err, true, nil
	}
	return back, false, err
}

// checkoutReturn takes up a return from Checkout. The address alone proves nothing: Stripe is asked about the session.
func (s *server) checkoutReturn(w http.ResponseWriter, r *http.Request) (back checkoutReturn, moved bool, err error) {
	query := r.URL.Query()
	switch {
	case query.Get("canceled") == "true":
		return checkoutReturn{from: billingviews.ReturnCanceled, polls: pollCount(r)}, false, nil
	case query.Get("success") != "true":
		return checkoutReturn{polls: pollCount(r)}, false, nil
	}
	back = checkoutReturn{from: billingviews.ReturnConfirming, polls: pollCount(r)}
	sessionID := query.Get("session_id")
	if sessionID == "" {
		return back, false, nil
	}
	back.checked = true
	completed, err := s.completeCheckout(r, accessOf(r), sessionID)
	back.confirmed, back.credits = completed.Settled, completed.Credits
	if !errors.Is(err, apperr.ErrNotFound) {
		return back, false, err
	}
	moved, err = s.followCheckout(w, r, sessionID)
	return back, moved, err
}

// completeCheckout asks about a session for a short time; no answer is no error.
func (s *server) completeCheckout(r *http.Request, a account.Access, sessionID string) (billing.CompletedCheckout, error) {
	ctx, cancel := context.WithTimeout(r.Context(), s.returnTimeout)
	defer cancel()
	completed, err := s.billing.Checkouts.Complete(ctx, a, sessionID)
	if isStripeUnavailable(err) {
		stateOf(r).err = err
		return billing.CompletedCheckout{}, nil
	}
	return completed, err
}

// isStripeUnavailable tells whether Stripe refused or did not answer in time; the page then shows what is known.
func isStripeUnavailable(err error) bool {
	return apperr.CodeOf(err) == apperr.CodeStripe || errors.Is(err, context.DeadlineExceeded)
}

// followCheckout switches to the organization that a Checkout session was opened for, where it is another one of the viewer's own: in
// another tab one may have switched meanwhile. A session of nobody's here is not found.
func (s *server) followCheckout(w http.ResponseWriter, r *http.Request, sessionID string) (moved bool, err error) {
	organizations, err := s.billing.Organizations.OfUser(r.Context(), identityOf(r).userID)
	if err != nil {
		return false, err
	}
	for _, organization := range organizations {
		err := s.completeElsewhere(r, organization.ID, sessionID)
		if errors.Is(err, apperr.ErrNotFound) {
			continue
		}
		if err != nil {
			return false, err
		}
		s.sessions.Put(r.Context(), sessionOrganization, organization.ID)
		s.redirect(w, r, r.URL.RequestURI())
		return true, nil
	}
	return false, apperr.ErrNotFound
}

func (s *server) completeElsewhere(r *http.Request, organizationID, sessionID string) error {
	access, err := s.billing.Organizations.Access(r.Context(), identityOf(r).userID, organizationID)
	if err != nil {
		return err
	}
	_, err = s.completeCheckout(r, access, sessionID)
	return err
}

// state says how a return from Checkout stands, once the organization's state has been read.
func (b checkoutReturn) state(o billing.Overview) billingviews.CheckoutReturn {
	switch {
	case b.from != billingviews.ReturnConfirming:
		return b.from
	case b.confirmed || (!b.checked && o.HasAccess):
		return billingviews.ReturnConfirmed
	case b.polls >= returnPolls:
		return billingviews.ReturnDelayed
	}
	return billingviews.ReturnConfirming
}

// shouldPoll tells whether the page shall ask again by itself.
func (b checkoutReturn) shouldPoll(o billing.Overview) bool {
	return b.state(o) == billingviews.ReturnConfirming || (b.stale && b.polls < returnPolls)
}

// pollCount reads how often the page has asked by itself.
func pollCount(r *http.Request) int {
	n, err := strconv.Atoi(r.URL.Query().Get("poll"))
	if err != nil || n < 0 {
		return 0
	}
	return min(n, returnPolls)
}

// pollPath is where the billing panel asks for itself for the nth time; the first time it is where a person looks again.
func pollPath(r *http.Request, n int) string {
	query := url.Values{"tab": {"billing"}}
	for _, name := range []string{"success", "session_id", "portal"} {
		if value := r.URL.Query().Get(name); value != "" {
			query.Set(name, value)
		}
	}
	if n > 0 {
		query.Set("poll", strconv.Itoa(n))
	}
	return "/organization?" + query.Encode()
}

// billingPanel is the billing tab's content.
func (s *server) billingPanel(r *http.Request, o billing.Overview, back checkoutReturn) (billingviews.PanelProps, error) {
	access := accessOf(r)
	panel := billingviews.PanelProps{
		OrganizationID: o.Organization.ID, OrganizationName: o.Organization.Name, People: o.Seats.Billable,
		CanManageBilling: access.CanManageBilling(), Return: back.state(o), Bought: back.credits, PollURL: pollPath(r, 0),
		Subscription: subscriptionProps(o), Seats: seatPanel(o, access, s.now()), Credits: creditsCard(o),
	}
	if back.shouldPoll(o) {
		panel.PollURL, panel.PollEvery = pollPath(r, back.polls+1), returnInterval
	} else if panel.AwaitsInvoice = o.MissesInvoice(); panel.AwaitsInvoice && back.polls < returnPolls {
		panel.PollURL, panel.PollEvery = pollPath(r, back.polls+1), returnInterval
	}
	if panel.CanManageBilling {
		return s.withInvoices(r, panel)
	}
	members, err := s.billing.Members.List(r.Context(), access)
	panel.BillingNames = billingNames(members)
	return panel, err
}

func subscriptionProps(o billing.Overview) *billingviews.SubscriptionProps {
	if o.Subscription == nil {
		return nil
	}
	current := *o.Subscription
	name, price := planOf(o)
	props := &billingviews.SubscriptionProps{
		Status: current.Status, Plan: name, Interval: price.Interval, Price: price.Amount, Quantity: current.Quantity,
		PerSeat: o.Plan != nil && o.Plan.PerSeat, EndedAt: timeOrZero(current.EndedAt), NextInvoice: nextInvoice(o), Card: card(current),
	}
	props.RenewsAt, props.EndsAt = periodEnd(current)
	props.GraceEndsAt = timeOrZero(o.GraceEndsAt)
	if open := o.OpenInvoice; open != nil && current.Status != billing.StatusIncomplete {
		props.OpenInvoiceURL = "/billing/invoices/" + open.ID
		props.Failure = &billingviews.PaymentFailure{Amount: catalog.Money{Minor: open.AmountDue, Currency: open.Currency}, At: open.CreatedAt}
		if open.FinalizedAt != nil {
			props.Failure.At = *open.FinalizedAt
		}
	}
	if current.Status == billing.StatusTrialing {
		props.TrialEndsAt = timeOrZero(current.TrialEnd)
	}
	if current.Status == billing.StatusIncomplete && o.OpenCheckout != nil {
		props.FinishURL = o.OpenCheckout.URL // while the first payment is unfinished, the session's page is where it is finished
	}
	return props
}

// planOf names the plan of the subscription; one that the catalogue does not know (any more) still has a bill.
func planOf(o billing.Overview) (string, catalog.Price) {
	if o.Plan == nil {
		return "A plan that is no longer offered", catalog.Price{}
	}
	return o.Plan.Name, o.Price
}

// periodEnd returns when a subscription renews, or when it ends by itself; one of the two is zero.
func periodEnd(s billing.Subscription) (renews, ends time.Time) {
	if end, ending := s.EndsAt(); ending {
		return time.Time{}, end
	}
	return s.CurrentPeriodEnd, time.Time{}
}

// nextInvoice says what the plan costs at its next renewal. Stripe adds what changed on the way, and tax: the page says so.
func nextInvoice(o billing.Overview) *billingviews.NextInvoice {
	renews, _ := periodEnd(*o.Subscription)
	running := o.Subscription.Status == billing.StatusActive || o.Subscription.Status == billing.StatusTrialing
	if o.Plan == nil || renews.IsZero() || !running {
		return nil
	}
	return &billingviews.NextInvoice{
		At: renews, Amount: o.Price.Amount.Times(o.Subscription.Quantity), Basis: "The plan alone, without tax and changes on the way.",
	}
}

func card(s billing.Subscription) *billingviews.CardProps {
	if s.CardLast4 == "" {
		return nil
	}
	return &billingviews.CardProps{Brand: s.CardBrand, Last4: s.CardLast4}
}

func timeOrZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
