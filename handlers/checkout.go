package handlers

import (
	"context"
	"net/http"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
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

// selection is what a visitor picked on the pricing page before they signed in.
type selection struct {
	plan     catalog.Plan
	interval catalog.Interval
	pack     catalog.Pack // with an id: a pack, and no plan
}

// selectionLifetime is how long a visitor's choice is remembered.
const selectionLifetime = time.Hour

func (s *server) keepChoice(ctx context.Context, c selection) {
	s.sessions.Put(ctx, sessionSelectedPlan, c.plan.ID)
	s.sessions.Put(ctx, sessionSelectedPack, c.pack.ID)
	s.sessions.Put(ctx, sessionSelectedInterval, string(c.interval))
	s.sessions.Put(ctx, sessionSelectionExpiry, s.now().Add(selectionLifetime).Unix())
}

// keptChoice returns the choice that is still meant, and still offered.
func (s *server) keptChoice(ctx context.Context) (selection, bool) {
	if s.now().Unix() >= s.sessions.GetInt64(ctx, sessionSelectionExpiry) {
		return selection{}, false
	}
	return s.offered(s.sessions.GetString(ctx, sessionSelectedPlan), s.sessions.GetString(ctx, sessionSelectedInterval), s.sessions.GetString(ctx, sessionSelectedPack))
}

func (s *server) forgetChoice(ctx context.Context) {
	for _, key := range []string{sessionSelectedPlan, sessionSelectedPack, sessionSelectedInterval, sessionSelectionExpiry} {
		s.sessions.Remove(ctx, key)
	}
}

// offered finds a plan of the catalogue at an interval, or a pack; no interval means monthly. Both at once is neither.
func (s *server) offered(planID, interval, packID string) (selection, bool) {
	if packID != "" {
		pack, ok := s.billing.Prices.Catalog().Pack(packID)
		return selection{pack: pack}, ok && planID == ""
	}
	if interval == "" {
		interval = string(catalog.Monthly)
	}
	plan, ok := s.billing.Prices.Catalog().Plan(planID)
	if !ok {
		return selection{}, false
	}
	_, ok = plan.Price(catalog.Interval(interval))
	return selection{plan: plan, interval: catalog.Interval(interval)}, ok
}
