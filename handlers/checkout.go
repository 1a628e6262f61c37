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

// checkoutPages start Checkout, remember what a visitor selected, and handle the return from Stripe.
type checkoutPages struct {
	*site
	checkouts     *billing.Checkouts
	subscriptions *billing.Subscriptions
	prices        *billing.Prices
	returnTimeout time.Duration // for Stripe to respond after a return
}

// createCheckout leads to Checkout for a plan or a pack.
func (p *checkoutPages) startCheckout(w http.ResponseWriter, r *http.Request) error {
	chosen, err := p.selectionFromForm(r)
	if err != nil {
		return err
	}
	session, err := p.start(r.Context(), accessOf(r), chosen)
	if err != nil {
		return err
	}
	redirect(w, r, session.URL)
	return nil
}

func (p *checkoutPages) start(ctx context.Context, a account.Access, chosen selection) (billing.CheckoutSession, error) {
	if chosen.pack.ID != "" {
		return p.checkouts.StartPack(ctx, a, billing.CheckoutRequest{PackID: chosen.pack.ID})
	}
	return p.checkouts.Start(ctx, a, billing.CheckoutRequest{PlanID: chosen.plan.ID, Interval: chosen.interval})
}

// rememberChoice keeps a visitor's choice until they have signed up or in.
func (p *checkoutPages) rememberSelection(w http.ResponseWriter, r *http.Request) error {
	chosen, err := p.selectionFromForm(r)
	if err != nil {
		return err
	}
	p.saveSelection(r.Context(), chosen)
	redirect(w, r, "/signup")
	return nil
}

// choiceOf reads what a form wants to buy. The price comes from the catalogue, never from the form.
func (p *checkoutPages) selectionFromForm(r *http.Request) (selection, error) {
	chosen, ok := p.findOffer(r.PostFormValue("plan"), r.PostFormValue("interval"), r.PostFormValue("pack"))
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

func (p *checkoutPages) saveSelection(ctx context.Context, c selection) {
	p.sessions.Put(ctx, sessionSelectedPlan, c.plan.ID)
	p.sessions.Put(ctx, sessionSelectedPack, c.pack.ID)
	p.sessions.Put(ctx, sessionSelectedInterval, string(c.interval))
	p.sessions.Put(ctx, sessionSelectionExpiry, p.now().Add(selectionLifetime).Unix())
}

// keptChoice returns the choice that is still meant, and still offered.
func (p *checkoutPages) savedSelection(ctx context.Context) (selection, bool) {
	if p.now().Unix() >= p.sessions.GetInt64(ctx, sessionSelectionExpiry) {
		return selection{}, false
	}
	return p.findOffer(p.sessions.GetString(ctx, sessionSelectedPlan), p.sessions.GetString(ctx, sessionSelectedInterval), p.sessions.GetString(ctx, sessionSelectedPack))
}

func (p *checkoutPages) clearSelection(ctx context.Context) {
	for _, key := range []string{sessionSelectedPlan, sessionSelectedPack, sessionSelectedInterval, sessionSelectionExpiry} {
		p.sessions.Remove(ctx, key)
	}
}

// offered finds a plan of the catalogue at an interval, or a pack; no interval means monthly. Both at once is neither.
func (p *checkoutPages) findOffer(planID, interval, packID string) (selection, bool) {
	if packID != "" {
		pack, ok := p.prices.Catalog().Pack(packID)
		return selection{pack: pack}, ok && planID == ""
	}
	if interval == "" {
		interval = string(catalog.Monthly)
	}
	plan, ok := p.prices.Catalog().Plan(planID)
	if !ok {
		return selection{}, false
	}
	_, ok = plan.Price(catalog.Interval(interval))
	return selection{plan: plan, interval: catalog.Interval(interval)}, ok
}
