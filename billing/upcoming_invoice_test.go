package billing_test

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/stripelocal"
)

// upcoming returns the next invoice as a page gets it.
func (env *testEnv) upcoming() billing.UpcomingInvoice {
	env.t.Helper()
	answer, err := env.service.Upcoming.Get(env.t.Context(), env.access)
	env.must(err)
	return answer
}

// addSeats adds billed members and sends the new number to Stripe.
func (env *testEnv) addSeats(n int) {
	env.t.Helper()
	env.addMembers(n)
	env.makeSeatsDueNow()
	env.must(env.syncSeats())
}

// wantNextCharge advances Stripe to the time of an upcoming invoice and compares it with the
// invoice that Stripe then makes.
func (env *testEnv) wantNextCharge(expected billing.UpcomingInvoice) {
	env.t.Helper()
	before := len(env.stripeInvoices())
	env.stripe.AdvanceClock(expected.At.Add(2 * time.Hour))
	invoices := env.stripeInvoices()
	env.t.Logf("%s on %s, Stripe charged %d", expected.AmountDue.Format(), expected.At.Format(time.DateOnly), invoices[0].AmountDue)
	if len(invoices) != before+1 || invoices[0].AmountDue != expected.AmountDue.Minor || invoices[0].Total != expected.Total.Minor || invoices[0].Status != "paid" {
		env.t.Errorf("expected %s of %s, Stripe made %+v", expected.AmountDue.Format(), expected.Total.Format(), invoices[:len(invoices)-before])
	}
	env.wantSum(expected)
}

// wantSum checks that lines, discounts, tax and balance add up to the amount due.
func (env *testEnv) wantSum(i billing.UpcomingInvoice) {
	env.t.Helper()
	sum := i.Tax.Minor - i.TaxIncluded.Minor - i.Discount.Minor + i.BalanceUsed.Minor
	for _, line := range i.Lines {
		sum += line.Amount.Minor
	}
	if sum != i.AmountDue.Minor || i.MoreLines {
		env.t.Errorf("the parts are %d, due are %d: %+v", sum, i.AmountDue.Minor, i.InvoicePreview)
	}
}

// The seat that was added within the period is on the next invoice.
func TestNextInvoiceHasTheSeatAddedInThePeriod(t *testing.T) {
	env := newTestEnv(t)
	env.stripeClock()
	env.addMembers(7)
	env.subscribe("pro")
	env.addSeats(1)
	next := env.upcoming()
	if next.AmountDue.Format() != "$290.00" || len(next.Lines) != 3 || next.Stale {
		t.Errorf("next invoice %s, %+v", next.AmountDue.Format(), next)
	}
	env.wantNextCharge(next)
}

// What the page says is what Stripe charges, in currencies with and without decimals, with a
// coupon and with a customer balance.
func TestNextInvoiceIsWhatStripeCharges(t *testing.T) {
	prices := map[string][4]int64{"usd": {900, 9000, 2900, 29000}, "jpy": {900, 9000, 2900, 29000}, "kwd": {2750, 27500, 8910, 89100}}
	for currency, amounts := range prices {
		for name, prepare := range map[string]func(*testEnv, billing.Subscription){
			"plain": func(*testEnv, billing.Subscription) {},
			"coupon": func(env *testEnv, current billing.Subscription) {
				env.stripeRequest(http.MethodPost, "/v1/coupons", url.Values{"id": {"fifth"}, "percent_off": {"20"}, "duration": {"forever"}})
				env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"coupon": {"fifth"}})
			},
			"credit": func(env *testEnv, current billing.Subscription) {
				env.stripeRequest(http.MethodPost, "/v1/customers/"+current.CustomerID, url.Values{"balance": {"-1000"}})
			},
			"all paid by credit": func(env *testEnv, current billing.Subscription) {
				env.stripeRequest(http.MethodPost, "/v1/customers/"+current.CustomerID, url.Values{"balance": {"-1000000"}})
			},
		} {
			t.Run(currency+" "+name, func(t *testing.T) {
				env := newTestEnv(t)
				env.sellIn(currency, amounts)
				env.addMembers(2)
				current := env.subscribe("pro")
				prepare(env, current)
				env.advanceStripe(11*24*time.Hour + 7*time.Minute)
				env.addSeats(1)
				env.wantNextCharge(env.upcoming())
			})
		}
	}
}

// Seat changes of a yearly price are invoiced monthly: that invoice comes next, and the renewal's
// lines follow.
func TestNextInvoiceOfYearlyPrice(t *testing.T) {
	env := newTestEnv(t)
	env.stripeClock()
	env.addMembers(3)
	current := env.subscribeYearly("pro")
	if next := env.upcoming(); next.AmountDue.Minor != 4*29000 || !next.At.Equal(current.CurrentPeriodEnd) || next.RenewsAt != nil {
		t.Errorf("without changes: %+v", next)
	}
	env.advanceStripe(10 * 24 * time.Hour)
	env.addSeats(4)
	next := env.upcoming()
	month := current.CurrentPeriodStart.AddDate(0, 1, 0)
	if month.Day() != current.CurrentPeriodStart.Day() { // the last day of a shorter month
		month = month.AddDate(0, 0, -month.Day())
	}
	if !next.At.Equal(month) || next.RenewsAt == nil || !next.RenewsAt.Equal(current.CurrentPeriodEnd) {
		t.Fatalf("next invoice %+v, want one on %s", next, month)
	}
	if len(next.Renewal) != 1 || next.Renewal[0].Amount.Minor != 8*29000 {
		t.Errorf("renewal %+v", next.Renewal)
	}
	env.wantNextCharge(next)
	env.must(env.service.Subscriptions.Refresh(t.Context(), env.access))
	next = env.upcoming()
	if next.AmountDue.Minor != 8*29000 || !next.At.Equal(current.CurrentPeriodEnd) {
		t.Errorf("after the monthly invoice: %+v", next)
	}
	env.wantNextCharge(next)
}

// A plan that ends is invoiced only for what is pending, when it ends.
func TestNextInvoiceOfPlanThatEnds(t *testing.T) {
	env := newTestEnv(t)
	env.stripeClock()
	current := env.subscribe("pro")
	env.must(env.service.Cancellations.Cancel(t.Context(), env.access, billing.CancelRequest{}))
	if next := env.upcoming(); !next.None || next.SubscriptionID == "" {
		t.Errorf("nothing is pending, but the next invoice is %+v", next)
	}
	env.advanceStripe(5 * 24 * time.Hour)
	env.addSeats(2)
	next := env.upcoming()
	if next.None || !next.At.Equal(current.CurrentPeriodEnd) || next.AmountDue.Minor == 0 || len(next.Lines) == 0 {
		t.Fatalf("seats are pending, but the next invoice is %+v", next)
	}
	env.wantNextCharge(next)
}

// After a scheduled downgrade the next invoice has the next price and interval, and a trial's the
// first payment.
func TestNextInvoiceOfScheduledPlanAndTrial(t *testing.T) {
	for _, interval := range []catalog.Interval{catalog.Monthly, catalog.Yearly} {
		t.Run("from yearly to "+string(interval), func(t *testing.T) {
			env := newTestEnv(t)
			env.stripeClock()
			env.addMembers(2)
			current := env.subscribeYearly("pro")
			env.changePlan("starter", interval)
			next := env.upcoming()
			want := map[catalog.Interval]int64{catalog.Monthly: 3 * 900, catalog.Yearly: 3 * 9000}[interval]
			if next.AmountDue.Minor != want || !next.At.Equal(current.CurrentPeriodEnd) {
				t.Errorf("next invoice %+v, want %d", next, want)
			}
			if end := next.Lines[0].PeriodEnd; interval == catalog.Monthly && end.After(next.At.AddDate(0, 1, 0)) {
				t.Errorf("a month ends on %s", end)
			}
			env.wantNextCharge(next)
		})
	}
	t.Run("trial", func(t *testing.T) {
		env := newTestEnv(t)
		env.sellPro(func(p *catalog.Plan) { p.TrialDays = 14 })
		env.addMembers(1)
		current := env.subscribe("pro")
		next := env.upcoming()
		if next.AmountDue.Minor != 2*2900 || !next.At.Equal(*current.TrialEnd) {
			t.Errorf("next invoice %+v", next)
		}
		env.wantNextCharge(next)
	})
}

// stripeFaults are the ways in which Stripe gives no answer in time.
func stripeFaults() map[string]stripelocal.Fault {
	return map[string]stripelocal.Fault{
		"slow":    {Kind: stripelocal.SlowCall, Millis: 5000, Calls: -1},
		"limited": {Kind: stripelocal.RateLimited, Calls: -1},
		"error":   {Kind: stripelocal.ServerError, Calls: -1},
		"gone":    {Kind: stripelocal.TimeoutBefore, Calls: -1},
	}
}

// While Stripe is slow, fails or is at its limit, the last answer is given in time, with the time
// it is from. Without one there is an error.
func TestNextInvoiceWhileStripeIsUnavailable(t *testing.T) {
	for name, fault := range stripeFaults() {
		t.Run(name, func(t *testing.T) {
			env := newTestEnv(t)
			clock := newTestClock()
			env.useClock(clock.now)
			env.subscribe("pro")
			fault.Path = "/v1/invoices/upcoming"
			id, err := env.stripe.Faults().Add(fault)
			env.must(err)
			began := time.Now()
			if _, err := env.service.Upcoming.Get(t.Context(), env.access); apperr.CodeOf(err) != apperr.CodeStripe || time.Since(began) > 3*time.Second {
				t.Errorf("without an answer: %v after %s", err, time.Since(began))
			}
			env.stripe.Faults().Remove(id)
			env.useClock(clock.now) // another replica, which has no pause
			known := env.upcoming()
			clock.advance(61 * time.Minute)
			_, err = env.stripe.Faults().Add(fault)
			env.must(err)
			began = time.Now()
			next := env.upcoming()
			if !next.Stale || next.Changed || next.AmountDue != known.AmountDue || !next.FetchedAt.Equal(known.FetchedAt) {
				t.Errorf("%+v, want the answer of %s", next, known.FetchedAt)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("answered after %s", took)
			}
			if again, found, err := env.service.Upcoming.Last(t.Context(), env.overview()); err != nil || !found || !again.Stale || again.AmountDue != known.AmountDue {
				t.Errorf("stored %+v, %v, %v", again, found, err)
			}
		})
	}
}

// An answer from before a change of the subscription or of the seats is never current.
func TestNextInvoiceFromBeforeAChangeIsStale(t *testing.T) {
	changes := map[string]func(*testEnv){
		"seats": func(env *testEnv) { env.addSeats(1) },
		"subscription": func(env *testEnv) {
			env.must(env.service.Cancellations.Cancel(env.t.Context(), env.access, billing.CancelRequest{}))
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			env := newTestEnv(t)
			env.subscribe("pro")
			before := env.upcoming()
			if last, found, err := env.service.Upcoming.Last(t.Context(), env.overview()); err != nil || !found || last.Stale {
				t.Fatalf("%+v, %v, %v: want a current answer", last, found, err)
			}
			change(env)
			last, _, err := env.service.Upcoming.Last(t.Context(), env.overview())
			if err != nil || !last.Stale || !last.Changed || last.AmountDue != before.AmountDue {
				t.Errorf("%+v, %v: want a stale answer", last, err)
			}
			if next := env.upcoming(); next.Stale || next.AmountDue == before.AmountDue && !next.None {
				t.Errorf("after the change: %+v", next)
			}
		})
	}
	t.Run("pending", func(t *testing.T) {
		env := newTestEnv(t)
		env.subscribe("pro")
		env.addMembers(1)
		if next := env.upcoming(); !next.SeatsPending {
			t.Errorf("%+v: the new seat is not at Stripe yet", next)
		}
	})
}

// countingGateway counts the reads of upcoming invoices.
type countingGateway struct {
	billing.Gateway
	mutex *sync.Mutex
	calls *int
}

func (g countingGateway) UpcomingInvoice(ctx context.Context, id string) (billing.InvoicePreview, error) {
	g.mutex.Lock()
	*g.calls++
	g.mutex.Unlock()
	return g.Gateway.UpcomingInvoice(ctx, id)
}

// A thousand viewers cause one call, and a thousand viewers of a broken Stripe another one.
func TestManyViewersCauseOneCall(t *testing.T) {
	env := newTestEnv(t)
	calls, clock := 0, newTestClock()
	options := env.options(env.store)
	options.Now, options.Gateway = clock.now, countingGateway{env.gateway(), &sync.Mutex{}, &calls}
	env.useService(env.startService(options))
	env.service.SetUpcomingLimit(waitTimeout)
	env.subscribe("pro")
	fault := func(f stripelocal.Fault) {
		_, err := env.stripe.Faults().Add(f)
		env.must(err)
	}
	fault(stripelocal.Fault{Kind: stripelocal.SlowCall, Millis: 300, Path: "/v1/invoices/upcoming", Calls: 1})
	views := func() {
		var group sync.WaitGroup
		for range 1000 {
			group.Go(func() { env.upcoming() })
		}
		group.Wait()
	}
	views()
	views()
	if calls != 1 {
		t.Errorf("%d calls", calls)
	}
	clock.advance(time.Hour)
	fault(stripelocal.Fault{Kind: stripelocal.RateLimited, Path: "/v1/invoices/upcoming", Calls: -1})
	began := time.Now()
	views()
	if most := 2 + int(time.Since(began)/(5*time.Second)); calls < 2 || calls > most {
		t.Errorf("%d calls after a failure, want 2 to %d", calls, most)
	}
}

// Nobody gets the next invoice of another organization, or of another account.
func TestNextInvoiceBelongsToItsOrganization(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	env.upcoming()
	_, stranger := env.insertOrganization()
	if next, err := env.service.Upcoming.Get(t.Context(), stranger); err != nil || !next.None || next.SubscriptionID != "" {
		t.Errorf("a stranger got %+v, %v", next, err)
	}
	env.exec(`update subscriptions set account = 'acct_other'`)
	if next := env.upcoming(); !next.None || next.SubscriptionID != "" {
		t.Errorf("of another account: %+v", next)
	}
}
