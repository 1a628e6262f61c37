package billing_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/catalog"
)

// sellTrial sells pro with a trial of 14 days.
func (env *testEnv) sellTrial(change func(*catalog.Plan)) {
	env.sellPro(func(p *catalog.Plan) {
		p.TrialDays = 14
		if change != nil {
			change(p)
		}
	})
}

// An organization has one trial, ever: after it, Checkout charges at once.
func TestTrialIsGivenOncePerOrganization(t *testing.T) {
	env := newTestEnv(t)
	env.sellTrial(nil)
	env.startBackground()
	current := env.subscribe("pro")
	env.waitForBalance(1000)
	if current.Status != billing.StatusTrialing {
		t.Fatalf("the first subscription is %s", current.Status)
	}
	env.cancelAtStripe(current)
	env.waitFor("the end", func(o billing.Overview) bool { return o.Subscription.Status.Ended() && o.Credits.Balance == 0 })
	if !env.overview().TrialUsed {
		t.Error("the trial is not marked as used")
	}
	second := env.subscribe("pro")
	if second.Status != billing.StatusActive || second.TrialEnd != nil {
		t.Errorf("the second subscription is %s, trial until %v", second.Status, second.TrialEnd)
	}
	if total := env.lastInvoiceTotal(); total != 2900 {
		t.Errorf("the second subscription was charged %d, want 2900", total)
	}
	env.waitForBalance(1000)
	env.checkLedger()
}

// A trial that support gives counts, and grants no credits if there was one before.
func TestTrialGivenBySupportGrantsNoSecondCredits(t *testing.T) {
	env := newTestEnv(t)
	env.sellTrial(nil)
	env.startBackground()
	current := env.subscribe("pro")
	env.waitForBalance(1000)
	var card struct {
		ID string `json:"default_payment_method"`
	}
	env.stripeGet("/v1/subscriptions/"+current.ID, &card)
	env.cancelAtStripe(current)
	env.waitForBalance(0)
	env.stripe.AdvanceClock(env.stripe.Now().Add(time.Hour))
	var made struct{ ID string }
	env.stripeRequest(http.MethodPost, "/v1/subscriptions", url.Values{
		"customer": {current.CustomerID}, "items[0][price]": {env.planPriceID("pro", catalog.Monthly)}, "trial_period_days": {"14"},
		"metadata[orgId]": {env.access.Organization.ID}, "default_payment_method": {card.ID},
	}, &made)
	env.waitFor("the second trial", func(o billing.Overview) bool {
		return o.Subscription.ID == made.ID && o.Subscription.Status == billing.StatusTrialing &&
			env.queryInt(`select count(*) from credit_facts where subscription_id = $1`, made.ID) == 1
	})
	wantBalance(t, env, 0)
	if n := env.queryInt(`select count(*) from trials`); n != 2 {
		t.Errorf("%d trials, want 2", n)
	}
	env.stripe.AdvanceClock(env.stripe.Now().Add(15 * 24 * time.Hour))
	env.waitForBalance(1000) // the first payment
	env.checkLedger()
}

// A session with a trial is open while another one uses the trial: the next one has none.
func TestOpenCheckoutLosesItsTrial(t *testing.T) {
	env := newTestEnv(t)
	env.sellTrial(nil)
	request := billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly}
	open, err := env.service.Checkouts.Start(t.Context(), env.access, request)
	env.must(err)
	if open.TrialDays != 14 {
		t.Fatalf("session %+v", open)
	}
	acct, err := env.gateway().Account(t.Context())
	env.must(err)
	env.must(env.store.Trials().Put(t.Context(), billing.Trial{
		SubscriptionID: "sub_1", OrganizationID: env.access.Organization.ID, Account: acct.ID, StartedAt: time.Now(), EndsAt: time.Now(),
	}))
	next, err := env.service.Checkouts.Start(t.Context(), env.access, request)
	env.must(err)
	if next.TrialDays != 0 || next.StripeSessionID == open.StripeSessionID {
		t.Errorf("the next session is %s with %d trial days", next.StripeSessionID, next.TrialDays)
	}
}

// With trial_guard = "card", a card that starts a trial in another organization has it canceled,
// and is charged nothing.
func TestTrialGuardByCard(t *testing.T) {
	for guard, want := range map[catalog.TrialGuard]billing.SubscriptionStatus{
		catalog.TrialGuardCard: billing.StatusCanceled, catalog.TrialGuardOrganization: billing.StatusTrialing,
	} {
		t.Run(string(guard), func(t *testing.T) {
			env := newTestEnv(t)
			env.sellTrial(func(p *catalog.Plan) { p.TrialGuard = guard })
			env.startBackground()
			first := env.subscribe("pro")
			env.stripe.AdvanceClock(env.stripe.Now().Add(time.Hour)) // trials of one second are ordered by id
			user, organization, err := env.service.Users.SignUp(t.Context(), account.SignUp{
				Name: "Ben", Email: "ben@example.com", Password: testPassword, Organization: "Lantern again",
			})
			env.must(err)
			env.access, err = env.service.Organizations.Access(t.Context(), user.ID, organization.ID)
			env.must(err)
			session, err := env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
			env.must(err)
			env.pay(session)
			env.waitFor("both trials, with their cards", func(billing.Overview) bool {
				return env.queryInt(`select count(*) from trials where card_fingerprint <> ''`) == 2
			})
			env.waitFor("the second subscription", func(o billing.Overview) bool { return o.Subscription != nil && o.Subscription.Status == want })
			if want == billing.StatusCanceled {
				env.waitFor("the cancellation", func(billing.Overview) bool {
					return env.queryInt(`select count(*) from trials where canceled_at is not null`) == 1
				})
			}
			kept, err := env.gateway().Subscription(t.Context(), first.ID)
			env.must(err)
			if kept.Status != billing.StatusTrialing {
				t.Errorf("the first subscription is %s", kept.Status)
			}
			if paid := env.queryInt(`select coalesce(sum(amount_paid), 0) from invoices`); paid != 0 {
				t.Errorf("%d was charged in trials", paid)
			}
			env.waitForBalance(map[billing.SubscriptionStatus]int{billing.StatusCanceled: 0, billing.StatusTrialing: 1000}[want])
		})
	}
}
