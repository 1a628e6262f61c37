package billing_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/catalog"
	"usher/billing/stripegw"
)

// seatPolicies are the policies of the generated test: on increase, on decrease.
var seatPolicies = [][2]catalog.Proration{
	{catalog.ProrationCreateProrations, catalog.ProrationCreateProrations},
	{catalog.ProrationMonthly, catalog.ProrationMonthly},
	{catalog.ProrationAlwaysInvoice, catalog.ProrationAlwaysInvoice},
	{catalog.ProrationNone, catalog.ProrationNone},
	{catalog.ProrationCreateProrations, catalog.ProrationAtRenewal},
}

var seatAmounts = map[string]int64{"usd": 2900, "eur": 1999, "jpy": 1980, "kwd": 5250, "isk": 390000}

// sellEverywhere replaces the plans by one for each currency and policy, monthly and yearly.
func (env *testEnv) sellEverywhere() []catalog.Plan {
	env.t.Helper()
	var plans []catalog.Plan
	for _, currency := range []string{"usd", "eur", "jpy", "kwd", "isk"} {
		for i, policy := range seatPolicies {
			id := fmt.Sprintf("%s_%d", currency, i)
			plan := catalog.Plan{ID: id, Name: "Pro " + id, PerSeat: true, ProrationOnIncrease: policy[0], ProrationOnDecrease: policy[1]}
			for interval, times := range map[catalog.Interval]int{catalog.Monthly: 1, catalog.Yearly: 10} {
				amount := catalog.Money{Minor: seatAmounts[currency], Currency: currency}.Times(times)
				plan.Prices = append(plan.Prices, catalog.Price{Interval: interval, Amount: amount, LookupKey: id + "_" + string(interval)})
			}
			plans = append(plans, plan)
		}
	}
	options := env.options(env.store)
	options.Now, options.Catalog = env.stripe.Now, catalog.Catalog{Plans: plans}
	for _, price := range stripegw.PlanPrices(options.Catalog) {
		_, _, err := env.gateway().EnsurePrice(env.t.Context(), price)
		env.must(err)
	}
	env.useService(env.startService(options))
	return plans
}

// buy subscribes the environment's organization.
func (env *testEnv) buy(plan string, interval catalog.Interval) billing.Subscription {
	env.t.Helper()
	session, err := env.service.Checkouts.Start(env.t.Context(), env.access, billing.CheckoutRequest{PlanID: plan, Interval: interval})
	env.must(err)
	env.pay(session)
	_, err = env.service.Checkouts.Complete(env.t.Context(), env.access, session.StripeSessionID)
	env.must(err)
	env.flushSeats()
	return *env.overview().Subscription
}

// flushSeats sends what is pending.
func (env *testEnv) flushSeats() {
	env.t.Helper()
	env.exec(`update billing_seat_state set due_at = $1, lease_until = null where due_at is not null`, env.stripe.Now().Add(-time.Second))
	env.must(env.syncSeats())
}

// billing returns the request that makes members billed or not billed.
func billingOf(members []account.Member, billable bool) billing.SeatRequest {
	request := billing.SeatRequest{Kind: billing.SeatMembers, Change: account.MemberChange{Billable: &billable}}
	for _, m := range members {
		request.MemberIDs = append(request.MemberIDs, m.ID)
	}
	return request
}

func (env *testEnv) previewSeats(request billing.SeatRequest) billing.SeatPreview {
	env.t.Helper()
	preview, err := env.service.SeatPreviews.Preview(env.t.Context(), env.access, request)
	env.must(err)
	return preview
}

func (env *testEnv) storedPreview(id string) billing.SeatPreview {
	env.t.Helper()
	p, err := env.service.SeatPreviews.Get(env.t.Context(), env.access, id)
	env.must(err)
	return p
}

// chargedAtStripe returns what Stripe shows of a change: the pending lines with its date, and the
// total of the newest invoice if it is another one than before.
func (env *testEnv) chargedAtStripe(p billing.SeatPreview, invoicesBefore int) (lines, invoice int64, invoiced bool) {
	env.t.Helper()
	var items struct {
		Data []struct {
			Amount       int64
			Subscription string
			Period       struct{ Start int64 }
		}
	}
	env.stripeGet("/v1/invoiceitems?limit=100&pending=true&customer="+p.CustomerID, &items)
	for _, item := range items.Data {
		if p.ProratedAt != nil && item.Period.Start == p.ProratedAt.Unix() {
			lines += item.Amount
		}
	}
	invoices := env.stripeInvoices()
	if invoiced = len(invoices) > invoicesBefore; invoiced {
		invoice = invoices[0].Total
	}
	return lines, invoice, invoiced
}

// What was confirmed is what Stripe charges, to the minor unit: random changes of seats in five
// currencies, monthly and yearly, with every policy, half of them with a coupon.
func TestConfirmedSeatsAreChargedAsPreviewed(t *testing.T) {
	env := newTestEnv(t)
	random := rand.New(rand.NewPCG(16, 2))
	previewed, moved, credited := 0, 0, 0
	plans := env.sellEverywhere()
	var coupon struct{ ID string }
	env.stripeRequest(http.MethodPost, "/v1/coupons", url.Values{"percent_off": {"15"}, "duration": {"forever"}}, &coupon)
	for i, plan := range plans {
		for j, interval := range []catalog.Interval{catalog.Monthly, catalog.Yearly} {
			_, env.access = env.insertOrganization()
			paid, free := env.insertMembers(3, true), env.insertMembers(4, false)
			current := env.buy(plan.ID, interval)
			if (i+j)%2 == 0 {
				env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"discounts[0][coupon]": {coupon.ID}})
			}
			for range 3 {
				env.advanceStripe(time.Duration(1+random.IntN(7*24*60)) * time.Minute)
				from, to, billable := &free, &paid, true
				if random.IntN(3) == 0 && len(paid) > 1 || len(free) == 0 {
					from, to, billable = &paid, &free, false
				}
				n := 1 + random.IntN(min(2, len(*from)))
				chosen := slices.Clone((*from)[:n])
				*from, *to = (*from)[n:], append(*to, chosen...)
				env.confirmAndCompare(billingOf(chosen, billable), time.Duration(random.IntN(2)*20)*time.Second)
				previewed++
				if !billable {
					credited++
				}
			}
			if len(free) > 0 && env.refuseStale(billingOf(free[:1], true)) {
				moved++
			}
		}
	}
	t.Logf("%d changes previewed and confirmed (%d removed seats), each charged as confirmed; %d outdated confirmations refused", previewed, credited, moved)
	if previewed < 100 || moved < 20 {
		t.Errorf("%d changes, %d refusals: too few", previewed, moved)
	}
}

// confirmAndCompare previews a change, confirms it after some time, sends it, and compares.
func (env *testEnv) confirmAndCompare(request billing.SeatRequest, after time.Duration) {
	env.t.Helper()
	preview := env.previewSeats(request)
	if !preview.Known {
		env.t.Fatalf("the amount is not known: %+v", preview)
	}
	before := len(env.stripeInvoices())
	env.advanceStripe(after)
	made, err := env.service.SeatPreviews.Apply(env.t.Context(), env.access, request, preview.Confirm())
	if err != nil || made.ConfirmedAt == nil {
		env.t.Fatalf("confirmed: %+v, %v", made, err)
	}
	env.advanceStripe(time.Minute)
	env.flushSeats()
	if q := env.stripeQuantity(); q != preview.ToQuantity {
		env.t.Fatalf("quantity %d at Stripe, previewed %d: %+v", q, preview.ToQuantity, env.seatState())
	}
	lines, invoice, invoiced := env.chargedAtStripe(preview, before)
	if preview.ChargedToday() && (!invoiced || invoice != preview.InvoiceTotal) || !preview.ChargedToday() && (invoiced || lines != preview.ProrationSum) {
		env.t.Errorf("previewed %+v\ncharged: lines %d, invoice %d (%t)", preview, lines, invoice, invoiced)
	}
	if preview.Reason == billing.SeatCharged && preview.ProrationSum == 0 && preview.ToQuantity != preview.FromQuantity {
		env.t.Errorf("previewed as costing nothing: %+v", preview)
	}
	stored := env.storedPreview(preview.ID)
	if preview.ToQuantity == preview.FromQuantity {
		return // nothing is sent
	}
	if want := max(lines, invoice, -lines, -invoice); stored.Charged == nil || max(*stored.Charged, -*stored.Charged) != want && preview.Proration != catalog.ProrationNone {
		env.t.Errorf("stored as charged %v, want %d: %+v", stored.Charged, want, stored)
	}
}

// refuseStale confirms a preview that is too old: nothing changes, and the new amount is shown. It
// reports whether the amount has moved.
func (env *testEnv) refuseStale(request billing.SeatRequest) bool {
	env.t.Helper()
	old := env.previewSeats(request)
	state, quantity := env.seatState(), env.stripeQuantity()
	env.advanceStripe(25 * time.Hour)
	_, err := env.service.SeatPreviews.Apply(env.t.Context(), env.access, request, old.Confirm())
	var stale *billing.SeatMovedError
	if !errors.As(err, &stale) {
		env.t.Fatalf("an old confirmation: %v", err)
	}
	if after := env.seatState(); after.DesiredSeats != state.DesiredSeats || after.SyncVersion != state.SyncVersion || env.stripeQuantity() != quantity {
		env.t.Errorf("an old confirmation changed something: %+v, before %+v", after, state)
	}
	return stale.Preview.ProrationSum != old.ProrationSum || stale.Preview.Reason != old.Reason
}
