package billing

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// Checkouts opens Checkout sessions and records how they end.
type Checkouts struct {
	*core
	customers     *Customers
	subscriptions *Subscriptions
	credits       *Credits
	notices       *Notices
	invoices      *Invoices

	successURL, cancelURL string   // absolute
	allowedOrigins        []string // of URLs in requests
}

// CheckoutRequest says what to buy: a plan and an interval, a pack, or a price id. The URLs are
// optional; empty means the configured ones.
type CheckoutRequest struct {
	PlanID                string
	Interval              catalog.Interval
	PackID                string // for [Checkouts.StartPack]
	PriceID               string
	PromotionCode         string // promo_…, from [PromotionCodes.Find]; empty: none
	People                int    // as chosen on the pricing page; 0: not chosen
	SuccessURL, CancelURL string
	Texts                 CheckoutTexts
}

// reservationLifetime is how long a reserved session may be created under its idempotency key.
// Stripe removes keys after 24 hours (https://docs.stripe.com/api/idempotent_requests).
const reservationLifetime = 23 * time.Hour

// checkoutAttempts is how often an unusable session is replaced within one request.
const checkoutAttempts = 4

// Start returns an open Checkout session for the organization: the one that is open already if it
// has the same parameters, otherwise a new one. Price, quantity and customer are looked up, never
// taken from the request. Errors: CodeForbidden; CodeInvalid ("Invalid price ID", or a URL of
// another origin); CodeConflict if there is a live subscription or the plan has no room for
// the billed members; CodeStripe.
func (cs *Checkouts) Start(ctx context.Context, a account.Access, r CheckoutRequest) (CheckoutSession, error) {
	if err := a.RequireBilling(); err != nil {
		return CheckoutSession{}, err
	}
	return withinLimit(ctx, cs.core, func(ctx context.Context) (CheckoutSession, error) { return cs.start(ctx, a, r) })
}

func (cs *Checkouts) start(ctx context.Context, a account.Access, r CheckoutRequest) (CheckoutSession, error) {
	requested, err := cs.newSubscription(ctx, a, r)
	if err != nil {
		return CheckoutSession{}, err
	}
	for range checkoutAttempts {
		session, again, err := cs.tryStart(ctx, a, requested)
		if fewer, without := cs.withoutRefused(ctx, requested.Options, err); without {
			requested.Options = fewer
			continue
		}
		if err != nil || !again {
			return session, err
		}
	}
	return CheckoutSession{}, apperr.Errorf(apperr.CodeConflict, "Checkout is being opened by somebody else right now. Please try again in a moment.")
}

// newSubscription returns the session's parameters except customer and quantity.
func (cs *Checkouts) newSubscription(ctx context.Context, a account.Access, r CheckoutRequest) (CheckoutSession, error) {
	plan, price, err := cs.choosePrice(ctx, r)
	if err != nil {
		return CheckoutSession{}, err
	}
	requested, err := cs.newCheckout(ctx, a, r)
	requested.Mode, requested.PriceID, requested.TrialDays = ModeSubscription, price.ID, plan.TrialDays
	requested.Options.TrialWithoutCard = string(plan.TrialWithoutCard)
	return requested, err
}

// newCheckout returns the parameters that sessions of both modes have.
func (cs *Checkouts) newCheckout(ctx context.Context, a account.Access, r CheckoutRequest) (CheckoutSession, error) {
	success, err := cs.validateURL("successUrl", r.SuccessURL, cs.successURL)
	if err != nil {
		return CheckoutSession{}, err
	}
	cancel, err := cs.validateURL("cancelUrl", r.CancelURL, cs.cancelURL)
	if err != nil {
		return CheckoutSession{}, err
	}
	acct, err := cs.requireAccount(ctx)
	if err != nil {
		return CheckoutSession{}, err
	}
	options := checkoutOptions(cs.Catalog().Checkout)
	options.PromotionCode, options.Texts = r.PromotionCode, r.Texts
	return CheckoutSession{
		OrganizationID: a.Organization.ID, UserID: a.User.ID, Account: acct.ID, Livemode: acct.Livemode,
		SuccessURL: withSessionID(success), CancelURL: cancel, Options: options, People: max(0, r.People),
	}, nil
}

// choosePrice looks the price up in the catalog. If it is not resolved at Stripe yet, the prices
// are fetched once.
func (cs *Checkouts) choosePrice(ctx context.Context, r CheckoutRequest) (catalog.Plan, catalog.Price, error) {
	plan, price, known := cs.findPrice(r)
	if !known {
		return catalog.Plan{}, catalog.Price{}, apperr.Errorf(apperr.CodeInvalid, apperr.MessageInvalidPrice)
	}
	if price.ID != "" && price.ProductID != "" {
		return plan, price, nil
	}
	if err := cs.resolvePrices(ctx); err != nil {
		cs.Log.WarnContext(ctx, "price resolution failed", "err", err)
	}
	if plan, price, known = cs.findPrice(r); !known || price.ProductID == "" {
		return catalog.Plan{}, catalog.Price{}, apperr.StripeFailed("choose price", errors.New("the price is not known at Stripe"))
	}
	return plan, price, nil
}

// findPrice looks a request up in the catalog. A former price is not for sale.
func (cs *Checkouts) findPrice(r CheckoutRequest) (catalog.Plan, catalog.Price, bool) {
	plans := cs.Catalog()
	if r.PriceID != "" {
		plan, price, known := plans.ByPrice(r.PriceID)
		return plan, price, known && price.ID == r.PriceID
	}
	plan, known := plans.Plan(r.PlanID)
	if !known {
		return catalog.Plan{}, catalog.Price{}, false
	}
	price, known := plan.Price(r.Interval)
	return plan, price, known
}

// validateURL checks that a request's URL has one of the allowed origins. Empty means the
// configured one.
func (cs *Checkouts) validateURL(field, given, configured string) (string, error) {
	if given == "" {
		return configured, nil
	}
	u, err := url.Parse(given)
	if err != nil || u.User != nil || !slices.Contains(cs.allowedOrigins, u.Scheme+"://"+u.Host) {
		return "", &apperr.Error{Code: apperr.CodeInvalid, Field: field, Message: field + " must be a URL of this application."}
	}
	return given, nil
}

// withSessionID appends Stripe's template for the session's id with its braces unescaped, as Stripe
// requires (https://docs.stripe.com/payments/checkout/custom-success-page).
func withSessionID(successURL string) string {
	const template = "{CHECKOUT_SESSION_ID}"
	if strings.Contains(successURL, template) {
		return successURL
	}
	address, fragment, hasFragment := strings.Cut(successURL, "#")
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	address += separator + "session_id=" + template
	if hasFragment {
		address += "#" + fragment
	}
	return address
}

// tryStart makes one attempt. again means that the session found was unusable and is closed now.
func (cs *Checkouts) tryStart(ctx context.Context, a account.Access, requested CheckoutSession) (session CheckoutSession, again bool, err error) {
	link, err := cs.customers.ensure(ctx, a, StripeAccount{ID: requested.Account, Livemode: requested.Livemode})
	if err != nil {
		return CheckoutSession{}, false, err
	}
	requested.CustomerID = link.StripeCustomerID
	err = cs.store.InTx(ctx, func(tx Tx) (err error) {
		session, err = cs.reserve(ctx, tx, &requested)
		if err != nil || session.Status != CheckoutReserved {
			return err
		}
		return cs.recordCheckout(ctx, tx, a, session)
	})
	if err != nil {
		return CheckoutSession{}, false, err
	}
	if session.Status == CheckoutReserved {
		return cs.openReserved(ctx, session, requested)
	}
	return cs.reuseOpen(ctx, session, requested)
}

// reserve returns the organization's open session or a newly reserved one. It counts the seats and
// sets requested.Quantity, and removes the trial if the organization has had one. It refuses if
// there is a live subscription, or if the plan has no room for the billed members. People who join
// while the Checkout page is open stay members: the subscription then has more seats than the
// plan's maximum.
func (cs *Checkouts) reserve(ctx context.Context, tx Tx, requested *CheckoutSession) (CheckoutSession, error) {
	acct := StripeAccount{ID: requested.Account, Livemode: requested.Livemode}
	organization, err := tx.Organizations().Lock(ctx, requested.OrganizationID)
	if err != nil {
		return CheckoutSession{}, fmt.Errorf("lock organization: %w", err)
	}
	if err := organization.RequireNotDeleting(); err != nil {
		return CheckoutSession{}, err
	}
	if err := cs.requireNoSubscription(ctx, tx, requested.OrganizationID, acct); err != nil {
		return CheckoutSession{}, err
	}
	billed, err := tx.Members().CountBillable(ctx, requested.OrganizationID)
	if err != nil {
		return CheckoutSession{}, fmt.Errorf("count billable members: %w", err)
	}
	if err := planPeople(ctx, tx, organization, requested.People); err != nil {
		return CheckoutSession{}, err
	}
	plan, _, _ := cs.Catalog().ByPrice(requested.PriceID)
	if err := plan.RequireSeats(billed); err != nil {
		return CheckoutSession{}, err
	}
	requested.Quantity = plan.Quantity(billed)
	used, err := tx.Trials().List(ctx, requested.OrganizationID, acct)
	if err != nil {
		return CheckoutSession{}, fmt.Errorf("list trials: %w", err)
	}
	if len(used) > 0 {
		requested.TrialDays, requested.Options.TrialWithoutCard = 0, ""
	}
	session, open, err := apperr.Found(tx.Checkouts().Open(ctx, requested.OrganizationID, acct))
	if err != nil {
		return CheckoutSession{}, fmt.Errorf("look up open checkout: %w", err)
	}
	if open && !cs.reservationExpired(session) {
		return session, nil
	}
	if open {
		session.Status = CheckoutExpired
		if err := tx.Checkouts().Put(ctx, session); err != nil {
			return CheckoutSession{}, err
		}
	}
	session = *requested
	session.ID, session.Status, session.CreatedAt = cs.NewID("chk"), CheckoutReserved, cs.Now()
	return session, tx.Checkouts().Put(ctx, session)
}

// planPeople stores the number of people chosen on the pricing page. The organization is locked.
func planPeople(ctx context.Context, tx Tx, organization account.Organization, people int) error {
	if people == 0 || people == organization.PlannedPeople {
		return nil
	}
	organization.PlannedPeople = people
	return tx.Organizations().Update(ctx, organization)
}

// reservationExpired reports whether a reservation is older than its idempotency key is valid.
func (cs *Checkouts) reservationExpired(session CheckoutSession) bool {
	return session.Status == CheckoutReserved && cs.Now().Sub(session.CreatedAt) > reservationLifetime
}

// requireNoSubscription refuses a second subscription. An incomplete one is allowed: its
// session is reused or replaced.
func (cs *Checkouts) requireNoSubscription(ctx context.Context, tx Tx, organizationID string, acct StripeAccount) error {
	current, known, err := apperr.Found(tx.Subscriptions().Current(ctx, organizationID, acct))
	if err != nil {
		return fmt.Errorf("look up subscription: %w", err)
	}
	if known && !current.Status.AllowsCheckout() && current.Status != StatusIncomplete {
		return apperr.Errorf(apperr.CodeConflict, apperr.MessageAlreadySubscribed)
	}
	return nil
}

// openReserved creates a reserved session at Stripe, with the parameters it was reserved with. A
// session that another request reserved with other parameters is created too, so that it is known
// and can be expired.
func (cs *Checkouts) openReserved(ctx context.Context, session, requested CheckoutSession) (CheckoutSession, bool, error) {
	opened, err := cs.gateway.CreateCheckoutSession(ctx, session)
	if err != nil {
		return CheckoutSession{}, false, cs.expireRefused(ctx, session, err)
	}
	session.StripeSessionID, session.URL, session.ExpiresAt = opened.ID, opened.URL, &opened.ExpiresAt
	session.Status = CheckoutOpen
	if err := cs.put(ctx, session); err != nil {
		return CheckoutSession{}, false, err
	}
	if len(session.Options.Refused) == 0 {
		cs.clearProblem(ctx)
	}
	if sameCheckout(session, requested) && session.URL != "" {
		return session, false, nil
	}
	return cs.reuseOpen(ctx, session, requested)
}

// withoutRefused returns the options for another attempt if Stripe refused a part that a session
// can do without. The cause is logged and stored for `usher doctor`.
func (cs *Checkouts) withoutRefused(ctx context.Context, options CheckoutOptions, err error) (CheckoutOptions, bool) {
	fewer, part, without := options.withoutRefused(err)
	if !without {
		return options, false
	}
	cs.Log.WarnContext(ctx, "checkout opened without an optional part", "part", string(part), "err", err)
	cs.putProblem(ctx, string(part)+": "+stripeMessage(err))
	return fewer, true
}

// stripeMessage returns the message of Stripe in an error.
func stripeMessage(err error) string {
	var refused *apperr.StripeError
	if errors.As(err, &refused) {
		return refused.Message
	}
	return err.Error()
}

// putProblem stores why Stripe refuses what the plan file asks of Checkout; empty: it does not.
func (cs *Checkouts) putProblem(ctx context.Context, problem string) {
	if err := cs.store.Stripe().PutCheckoutProblem(context.WithoutCancel(ctx), cs.knownAccount(), problem); err != nil {
		cs.Log.ErrorContext(ctx, "put checkout problem", "err", err)
	}
}

// clearProblem removes the stored problem once a session has every part.
func (cs *Checkouts) clearProblem(ctx context.Context) {
	if problem, err := cs.store.Stripe().CheckoutProblem(ctx, cs.knownAccount()); err == nil && problem != "" {
		cs.putProblem(ctx, "")
	}
}

// expireRefused expires a reservation that Stripe definitely refused, and marks a customer deleted
// that Stripe does not know.
func (cs *Checkouts) expireRefused(ctx context.Context, session CheckoutSession, cause error) error {
	failure := apperr.StripeFailed("create checkout session", cause)
	var refused *apperr.StripeError
	if !errors.As(cause, &refused) || refused.OutcomeUnknown || refused.Status == 409 || refused.Status == 429 {
		return failure
	}
	session.Status = CheckoutExpired
	problems := []error{failure, cs.put(ctx, session)}
	switch {
	case session.Options.refusesCode(cause):
		problems[0] = errors.Join(ErrPromotionCodeRefused, cause)
	case aboutParam(refused, "automatic_tax"), aboutParam(refused, "tax_id_collection"), session.Options.AutomaticTax:
		cs.putProblem(ctx, "tax: "+refused.Message)
	}
	if refused.Code == "resource_missing" && refused.Param == "customer" {
		problems = append(problems, cs.customers.delete(ctx, session.CustomerID))
	}
	return errors.Join(problems...)
}

// reuseOpen returns an open session if it is open at Stripe and has the same parameters. Otherwise
// it is recorded as complete or expired, and again is true.
func (cs *Checkouts) reuseOpen(ctx context.Context, session, requested CheckoutSession) (CheckoutSession, bool, error) {
	answer, err := cs.gateway.CheckoutSession(ctx, session.StripeSessionID)
	if apperr.IsMissing(err) {
		session.Status = CheckoutExpired
		return CheckoutSession{}, true, cs.put(ctx, session)
	}
	if err != nil {
		return CheckoutSession{}, false, apperr.StripeFailed("read checkout session", err)
	}
	switch {
	case answer.Status == CheckoutOpen && sameCheckout(session, requested) && answer.URL != "":
		session.URL = answer.URL
		return session, false, nil
	case answer.Status == CheckoutOpen:
		return CheckoutSession{}, true, cs.expire(ctx, session)
	}
	return CheckoutSession{}, true, cs.record(ctx, session, answer)
}

// expire expires an open session at Stripe and here. One that was completed meanwhile is left: the
// next attempt reads it.
func (cs *Checkouts) expire(ctx context.Context, session CheckoutSession) error {
	err := cs.gateway.ExpireCheckoutSession(ctx, session.StripeSessionID)
	var refused *apperr.StripeError
	if errors.As(err, &refused) && refused.Status == 400 {
		return nil
	}
	if err != nil {
		return apperr.StripeFailed("expire checkout session", err)
	}
	session.Status = CheckoutExpired
	return cs.put(ctx, session)
}

// put writes a session. A session that became complete or expired meanwhile stays as it is.
func (cs *Checkouts) put(ctx context.Context, session CheckoutSession) error {
	return cs.store.InTx(ctx, func(tx Tx) error { return cs.putTx(ctx, tx, session) })
}

func (cs *Checkouts) putTx(ctx context.Context, tx Tx, session CheckoutSession) error {
	if _, err := tx.Organizations().Lock(ctx, session.OrganizationID); err != nil {
		return fmt.Errorf("lock organization: %w", err)
	}
	return tx.Checkouts().Put(ctx, session)
}

// sameCheckout reports whether an open session has the parameters of a request.
func sameCheckout(open, requested CheckoutSession) bool {
	return open.Mode == requested.Mode && open.PriceID == requested.PriceID && open.Quantity == requested.Quantity &&
		open.CustomerID == requested.CustomerID && open.TrialDays == requested.TrialDays &&
		open.SuccessURL == requested.SuccessURL && open.CancelURL == requested.CancelURL &&
		open.Options.equal(requested.Options)
}
