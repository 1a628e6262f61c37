package handlers

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// checkoutPages start Checkout, remember what a visitor selected, and handle the return from
// Stripe.
type checkoutPages struct {
	*site
	checkouts     *billing.Checkouts
	subscriptions *billing.Subscriptions
	prices        *billing.Prices
	promotions    *billing.PromotionCodes
	returnTimeout time.Duration // for Stripe to respond to what a person waits for
}

// startCheckout redirects to Checkout for a plan or a pack.
func (p *checkoutPages) startCheckout(w http.ResponseWriter, r *http.Request) error {
	selected, err := p.selectionFromForm(r)
	if err != nil {
		return err
	}
	session, err := p.start(r.Context(), accessOf(r), selected)
	if errors.Is(err, billing.ErrPromotionCodeRefused) {
		stateOf(r).err = err
		redirect(w, r, selected.refusedPath())
		return nil
	}
	if err != nil {
		return err
	}
	return p.redirectToStripe(w, r, session.URL)
}

// start opens Checkout with the selection. The code is looked up again for this organization; one
// that is not valid any more is refused, so that nobody pays more than the pricing page promised.
func (p *checkoutPages) start(ctx context.Context, a account.Access, selected selection) (billing.CheckoutSession, error) {
	ctx, cancel := context.WithTimeout(ctx, p.returnTimeout)
	defer cancel()
	request := billing.CheckoutRequest{People: selected.people, Texts: checkoutTexts(ctx, p.brand)}
	if selected.code != "" {
		code, valid, err := p.promotions.Find(ctx, a, selected.code)
		if err != nil {
			return billing.CheckoutSession{}, err
		}
		if !valid {
			return billing.CheckoutSession{}, billing.ErrPromotionCodeRefused
		}
		request.PromotionCode = code.ID
	}
	if selected.pack.ID != "" {
		request.PackID = selected.pack.ID
		return p.checkouts.StartPack(ctx, a, request)
	}
	request.PlanID, request.Interval = selected.plan.ID, selected.interval
	return p.checkouts.Start(ctx, a, request)
}

// rememberSelection saves a visitor's selection until they have signed up or logged in.
func (p *checkoutPages) rememberSelection(w http.ResponseWriter, r *http.Request) error {
	selected, err := p.selectionFromForm(r)
	if err != nil {
		return err
	}
	p.saveSelection(r.Context(), selected)
	redirect(w, r, "/signup")
	return nil
}

// selectionFromForm reads the selected plan or pack. Prices come from the catalog, never from the
// form.
func (p *checkoutPages) selectionFromForm(r *http.Request) (selection, error) {
	selected, ok := p.findOffer(r.PostFormValue("plan"), r.PostFormValue("interval"), r.PostFormValue("pack"))
	if !ok {
		return selection{}, apperr.Errorf(apperr.CodeInvalid, apperr.MessageInvalidPrice)
	}
	selected.people, selected.code = peopleOf(r.PostFormValue("seats")), r.PostFormValue("code")
	return selected, nil
}

// peopleOf parses a number of people; 0 if it is none.
func peopleOf(value string) int {
	n, err := strconv.Atoi(strings.TrimSpace(value))
	if err != nil || n < 1 || n > maxSeats {
		return 0
	}
	return n
}

// selection is the plan or pack that a visitor selected on the pricing page.
type selection struct {
	plan     catalog.Plan
	interval catalog.Interval
	pack     catalog.Pack // if it has an id, plan and interval are unset
	people   int          // who are to use the plan; 0: not chosen. It is no quantity
	code     string       // promotion code from a link
}

// refusedPath is the pricing page that says that the code can't be used for this order.
func (s selection) refusedPath() string {
	values := url.Values{"refused": {s.code}}
	if s.interval != "" {
		values.Set("interval", string(s.interval))
	}
	if s.people > 0 {
		values.Set("seats", strconv.Itoa(s.people))
	}
	return "/pricing?" + values.Encode()
}

// selectionLifetime is how long a visitor's selection is kept.
const selectionLifetime = time.Hour

func (p *checkoutPages) saveSelection(ctx context.Context, c selection) {
	p.sessions.Put(ctx, sessionSelectedPlan, c.plan.ID)
	p.sessions.Put(ctx, sessionSelectedPack, c.pack.ID)
	p.sessions.Put(ctx, sessionSelectedInterval, string(c.interval))
	p.sessions.Put(ctx, sessionSelectedPeople, c.people)
	p.sessions.Put(ctx, sessionSelectedCode, c.code)
	p.sessions.Put(ctx, sessionSelectionExpiry, p.now().Add(selectionLifetime).Unix())
}

// savedSelection returns the saved selection; false if there is none, or it expired or is no longer
// offered.
func (p *checkoutPages) savedSelection(ctx context.Context) (selection, bool) {
	if p.now().Unix() >= p.sessions.GetInt64(ctx, sessionSelectionExpiry) {
		return selection{}, false
	}
	selected, ok := p.findOffer(p.sessions.GetString(ctx, sessionSelectedPlan), p.sessions.GetString(ctx, sessionSelectedInterval), p.sessions.GetString(ctx, sessionSelectedPack))
	selected.people, selected.code = p.sessions.GetInt(ctx, sessionSelectedPeople), p.sessions.GetString(ctx, sessionSelectedCode)
	return selected, ok
}

func (p *checkoutPages) clearSelection(ctx context.Context) {
	for _, key := range []string{sessionSelectedPlan, sessionSelectedPack, sessionSelectedInterval, sessionSelectedPeople, sessionSelectedCode, sessionSelectionExpiry} {
		p.sessions.Remove(ctx, key)
	}
}

// findOffer looks up a plan with an interval (monthly by default), or a pack. Both at once are
// invalid.
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
