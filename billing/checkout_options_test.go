package billing_test

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// setCheckout replaces the service with one that sells the same plans with other Checkout settings.
func (env *testEnv) setCheckout(settings catalog.CheckoutSettings) {
	env.t.Helper()
	options := env.options(env.store)
	options.Now, options.Catalog = env.stripe.Now, env.service.Prices.Catalog()
	options.Catalog.Checkout = settings
	env.useService(env.startService(options))
}

// createCode creates a promotion code of a coupon at Stripe, and returns its id.
func (env *testEnv) createCode(code string, coupon, limits url.Values) string {
	env.t.Helper()
	var made struct{ ID string }
	env.stripeRequest(http.MethodPost, "/v1/coupons", coupon, &made)
	params := url.Values{"coupon": {made.ID}, "code": {code}}
	for name, values := range limits {
		params[name] = values
	}
	env.stripeRequest(http.MethodPost, "/v1/promotion_codes", params, &made)
	return made.ID
}

var tenPercent = url.Values{"percent_off": {"10"}, "duration": {"forever"}}

var dueToday = regexp.MustCompile(`Due today</span><span>([^<]*)<`)

// hostedTotal returns the digits of the amount on the hosted page.
func (env *testEnv) hostedTotal(session billing.CheckoutSession) string {
	env.t.Helper()
	response, err := http.Get(session.URL)
	env.must(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	env.must(err)
	found := dueToday.FindSubmatch(body)
	if found == nil {
		env.t.Fatalf("no total on the page: %s", body)
	}
	return digits(string(found[1]))
}

func digits(text string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
}

// The amount on Checkout's page, in the session, on the ticket, in Usher's invoice and at Stripe is
// the same, with a promotion code, a tax rate and both, in currencies with two, no and three
// decimals.
func TestCheckoutAmountsAgree(t *testing.T) {
	for currency, amounts := range map[string][4]int64{
		"usd": {900, 9000, 2900, 29000}, "eur": {899, 8999, 2999, 29990}, "jpy": {900, 9000, 2900, 29000},
		"kwd": {2750, 27500, 8900, 89000}, "isk": {125000, 1250000, 400000, 4000000},
	} {
		for name, c := range map[string]struct{ code, tax bool }{"code": {true, false}, "tax": {false, true}, "both": {true, true}} {
			t.Run(currency+" "+name, func(t *testing.T) {
				env := newTestEnv(t)
				env.sellIn(currency, amounts)
				var rate struct{ ID string }
				env.stripeRequest(http.MethodPost, "/v1/tax_rates", url.Values{"display_name": {"VAT"}, "percentage": {"20"}, "inclusive": {"false"}}, &rate)
				if c.tax {
					env.setCheckout(catalog.CheckoutSettings{TaxRates: []string{rate.ID}})
				}
				request := billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly}
				if c.code {
					request.PromotionCode = env.createCode("SPRING", tenPercent, nil)
				}
				env.addMembers(2)
				want := 3 * amounts[2]
				if c.code {
					want -= (want*10 + 50) / 100
				}
				if c.tax {
					want += (want*20 + 50) / 100
				}
				env.wantSameAmounts(request, want)
			})
		}
	}
}

// wantSameAmounts buys a plan and compares what every page and record says of its first invoice.
func (env *testEnv) wantSameAmounts(request billing.CheckoutRequest, want int64) {
	env.t.Helper()
	ctx := env.t.Context()
	session, err := env.service.Checkouts.Start(ctx, env.access, request)
	env.must(err)
	open, err := env.gateway().CheckoutSession(ctx, session.StripeSessionID)
	env.must(err)
	shown := env.hostedTotal(session)
	env.pay(session)
	completed, err := env.service.Checkouts.Complete(ctx, env.access, session.StripeSessionID)
	env.must(err)
	stored, err := env.service.Invoices.List(ctx, env.access)
	env.must(err)
	atStripe := env.stripeInvoices()[0]
	if len(stored) != 1 || open.Total.Minor != want || completed.Paid.Minor != want || stored[0].Total != want || stored[0].AmountPaid != want || atStripe.AmountPaid != want {
		env.t.Errorf("want %d: session %+v, ticket %+v, stored %+v, Stripe %+v", want, open.Total, completed.Paid, stored, atStripe)
	}
	if !strings.HasPrefix(digits(open.Total.Format()), shown) || !completed.Confirmed {
		env.t.Errorf("the page shows %s for %s; confirmed %t", shown, open.Total.Format(), completed.Confirmed)
	}
	env.t.Logf("page %s, charged %d", shown, atStripe.AmountPaid)
}

// A part that the account cannot have is left out and logged for the doctor. It returns once Stripe
// accepts it. Tax is never left out.
func TestRefusedCheckoutPartsAreLeftOutExceptTax(t *testing.T) {
	env := newTestEnv(t)
	env.setCheckout(catalog.CheckoutSettings{Terms: true, SavedCards: true, PromotionCodes: true})
	env.stripe.SetWithoutTerms(true)
	first, err := startCheckout(t, env, "pro", catalog.Monthly)
	env.must(err)
	if first.Options.Has(billing.CheckoutTerms) || !first.Options.Has(billing.CheckoutSavedCards) || !first.Options.Has(billing.CheckoutCodeField) {
		t.Errorf("options %+v", first.Options)
	}
	if problem := env.checkoutProblem(); !strings.HasPrefix(problem, "consent_collection: ") {
		t.Errorf("the doctor says %q", problem)
	}
	if again, err := startCheckout(t, env, "pro", catalog.Monthly); err != nil || again.ID != first.ID {
		t.Errorf("the same request: %s, %v; want %s", again.ID, err, first.ID)
	}
	env.stripe.SetWithoutTerms(false)
	yearly, err := startCheckout(t, env, "pro", catalog.Yearly)
	if err != nil || !yearly.Options.Has(billing.CheckoutTerms) || env.checkoutProblem() != "" {
		t.Errorf("with the terms: %+v, %v, %q", yearly.Options, err, env.checkoutProblem())
	}

	env.setCheckout(catalog.CheckoutSettings{Terms: true, AutomaticTax: true})
	env.stripe.SetWithoutStripeTax(true)
	_, err = startCheckout(t, env, "pro", catalog.Monthly)
	if apperr.CodeOf(err) != apperr.CodeStripe || !strings.HasPrefix(env.checkoutProblem(), "tax: ") {
		t.Errorf("without Stripe Tax: %v, %q", err, env.checkoutProblem())
	}
	if n := env.queryInt(`select count(*) from checkout_sessions where status in ('open', 'reserved')`); n != 0 {
		t.Errorf("%d sessions are open", n)
	}
	env.stripe.SetWithoutStripeTax(false)
	taxed, err := startCheckout(t, env, "pro", catalog.Monthly)
	if err != nil || !taxed.Options.AutomaticTax || env.checkoutProblem() != "" {
		t.Errorf("with Stripe Tax: %+v, %v, %q", taxed.Options, err, env.checkoutProblem())
	}
}

func (env *testEnv) checkoutProblem() string {
	env.t.Helper()
	acct, err := env.gateway().Account(env.t.Context())
	env.must(err)
	problem, err := env.store.Stripe().CheckoutProblem(env.t.Context(), acct)
	env.must(err)
	return problem
}

func TestPromotionCodesAreFoundAndRefused(t *testing.T) {
	env := newTestEnv(t)
	env.stripeClock()
	soon := env.stripe.Now().Add(time.Hour).Unix()
	env.createCode("SPRING", tenPercent, nil)
	env.createCode("ENDS", tenPercent, url.Values{"expires_at": {strconv.FormatInt(soon, 10)}})
	env.createCode("NEWONLY", tenPercent, url.Values{"restrictions[first_time_transaction]": {"true"}})
	find := func(code string) bool {
		_, valid, err := env.service.Promotions.Find(t.Context(), account.Access{}, code)
		env.must(err)
		return valid
	}
	if !find(" spring ") || find("NOSUCH") || find("<b>") || !find("ENDS") {
		t.Error("the codes are not found as they should be")
	}
	env.advanceStripe(2 * time.Hour)
	if find("ENDS") {
		t.Error("a code is found after its end")
	}
	env.startBackground()
	env.cancelAtStripe(env.subscribe("starter"))
	env.waitFor("the end", func(o billing.Overview) bool { return o.Subscription.Status.Ended() })
	code, valid, err := env.service.Promotions.Find(t.Context(), env.access, "NEWONLY")
	if err != nil || !valid || !code.FirstTime {
		t.Fatalf("code %+v, %v", code, err)
	}
	request := billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly, PromotionCode: code.ID}
	if _, err := env.service.Checkouts.Start(t.Context(), env.access, request); !errors.Is(err, billing.ErrPromotionCodeRefused) {
		t.Errorf("an old customer with a code for new ones: %v", err)
	}
	if n := env.queryInt(`select count(*) from checkout_sessions where status in ('open', 'reserved')`); n != 0 {
		t.Errorf("%d sessions are open", n)
	}
	request.PromotionCode = ""
	if _, err := env.service.Checkouts.Start(t.Context(), env.access, request); err != nil {
		t.Errorf("without the code: %v", err)
	}
}

// The number of people that was chosen is remembered, and not charged.
func TestChosenPeopleAreNotBilled(t *testing.T) {
	env := newTestEnv(t)
	session, err := env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly, People: 8})
	env.must(err)
	env.pay(session)
	completed, err := env.service.Checkouts.Complete(t.Context(), env.access, session.StripeSessionID)
	env.must(err)
	organization, err := env.store.Organizations().Get(t.Context(), env.access.Organization.ID)
	env.must(err)
	if quantity := env.overview().Subscription.Quantity; session.Quantity != 1 || completed.Paid.Minor != 2900 || quantity != 1 || organization.PlannedPeople != 8 {
		t.Errorf("session for %d, paid %+v, subscription for %d, planned %d", session.Quantity, completed.Paid, quantity, organization.PlannedPeople)
	}
}

func TestPackWithPromotionCode(t *testing.T) {
	env := newTestEnv(t)
	code := env.createCode("SPRING", tenPercent, nil)
	session, err := env.service.Checkouts.StartPack(t.Context(), env.access, billing.CheckoutRequest{PackID: "credits_500", PromotionCode: code})
	env.must(err)
	pack, _ := env.service.Prices.Catalog().Pack("credits_500")
	want := pack.Price.Amount.Minor * 9 / 10
	shown := env.hostedTotal(session)
	env.pay(session)
	completed, err := env.service.Checkouts.Complete(t.Context(), env.access, session.StripeSessionID)
	env.must(err)
	if completed.Paid.Minor != want || shown != digits(completed.Paid.Format()) || completed.Credits != 500 || env.overview().Credits.Balance != 500 {
		t.Errorf("page %s, ticket %+v, want %d", shown, completed, want)
	}
}

// A trial without a card is paused at its end, and continues once there is a card and it is
// resumed.
func TestTrialWithoutCardIsPausedAndResumed(t *testing.T) {
	env := newTestEnv(t)
	env.sellTrial(func(p *catalog.Plan) { p.TrialWithoutCard = catalog.MissingCardPause })
	env.startBackground()
	session, err := startCheckout(t, env, "pro", catalog.Monthly)
	env.must(err)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.PostForm(session.URL, url.Values{"email": {"ana@example.com"}}) // no card
	env.must(err)
	response.Body.Close()
	completed, err := env.service.Checkouts.Complete(t.Context(), env.access, session.StripeSessionID)
	env.must(err)
	trial := env.overview()
	if !completed.Confirmed || !completed.Paid.IsZero() || trial.Subscription.Status != billing.StatusTrialing || trial.Subscription.CardLast4 != "" || !trial.HasAccess {
		t.Fatalf("completed %+v, subscription %+v", completed, trial.Subscription)
	}
	env.stripe.AdvanceClock(env.stripe.Now().Add(15 * 24 * time.Hour))
	env.waitFor("the pause", func(o billing.Overview) bool { return o.Subscription.Status == billing.StatusPaused && !o.HasAccess })
	env.setCard(*env.overview().Subscription, "pm_card_visa")
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+trial.Subscription.ID+"/resume", url.Values{"billing_cycle_anchor": {"now"}})
	env.waitFor("the plan", func(o billing.Overview) bool { return o.Subscription.Status == billing.StatusActive && o.HasAccess })
	if total := env.lastInvoiceTotal(); total != 2900 {
		t.Errorf("charged %d, want 2900", total)
	}
}

// Every option at once: the tax of the address is on the page before it is paid, a VAT number takes
// it off, and the next purchase offers the card and knows the address.
func TestCheckoutWithEveryOption(t *testing.T) {
	for name, c := range map[string]struct {
		taxID      string
		plan, pack int64
	}{"consumer": {"", 3451, 1190}, "business": {"DE123456789", 2900, 1000}} {
		t.Run(name, func(t *testing.T) {
			env := newTestEnv(t)
			env.setCheckout(catalog.CheckoutSettings{PromotionCodes: true, TaxIDs: true, AutomaticTax: true, BillingAddress: "required", Terms: true, SavedCards: true})
			form := url.Values{
				"email": {"ana@example.com"}, "cardNumber": {"4242424242424242"}, "cardExpiry": {"12/34"}, "cardCvc": {"123"}, "billingName": {"Ana"},
				"line1": {"1 High St"}, "postal_code": {"10115"}, "city": {"Berlin"}, "country": {"DE"}, "termsOfService": {"1"},
				"taxId": {c.taxID}, "businessName": {"Lantern GmbH"},
			}
			session, err := startCheckout(t, env, "pro", catalog.Monthly)
			env.must(err)
			env.buyShown(session, form, c.plan)
			stored, err := env.service.Invoices.List(t.Context(), env.access)
			env.must(err)
			if len(stored) != 1 || stored[0].Total != c.plan {
				t.Errorf("stored %+v, want %d", stored, c.plan)
			}
			var subscription struct {
				AutomaticTax struct{ Enabled bool } `json:"automatic_tax"`
			}
			env.stripeGet("/v1/subscriptions/"+env.overview().Subscription.ID, &subscription)
			if !subscription.AutomaticTax.Enabled {
				t.Error("the subscription has no automatic tax")
			}

			pack := env.buyPack("credits_500")
			for _, name := range []string{"cardNumber", "cardExpiry", "cardCvc", "billingName"} {
				form.Del(name)
			}
			form.Set("savedCard", env.savedCardOf(pack))
			env.buyShown(pack, form, c.pack)
		})
	}
}

// buyShown submits the form until it is paid, and requires that the page showed the amount before.
func (env *testEnv) buyShown(session billing.CheckoutSession, form url.Values, want int64) {
	env.t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	shown, status := "", 0
	for range 2 {
		if status != http.StatusSeeOther {
			shown = env.hostedTotal(session)
			response, err := client.PostForm(session.URL, form)
			env.must(err)
			response.Body.Close()
			status = response.StatusCode
		}
	}
	completed, err := env.service.Checkouts.Complete(env.t.Context(), env.access, session.StripeSessionID)
	env.must(err)
	if status != http.StatusSeeOther || completed.Paid.Minor != want || shown != digits(completed.Paid.Format()) {
		env.t.Errorf("status %d, the page showed %s, paid %+v, want %d", status, shown, completed, want)
	}
}

var savedCardField = regexp.MustCompile(`name="savedCard" value="(pm_[^"]*)"`)

func (env *testEnv) savedCardOf(session billing.CheckoutSession) string {
	env.t.Helper()
	response, err := http.Get(session.URL)
	env.must(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	env.must(err)
	found := savedCardField.FindSubmatch(body)
	if found == nil {
		env.t.Fatal("the page offers no saved card")
	}
	return string(found[1])
}
