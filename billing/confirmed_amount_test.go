package billing_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/catalog"
)

// confirmedChanges is the number of random plan changes; the full proof is 500:
//
//	go test ./billing -run TestConfirmedAmountOfRandomChanges -v -confirmed-changes=500
var confirmedChanges = flag.Int("confirmed-changes", 10, "random plan changes that are previewed, confirmed and applied")

// changesPerOrganization bounds the changes of one organization, so that many begin anew.
const changesPerOrganization = 20

// randomCurrencies are the currencies of the random changes, with the prices of starter and pro,
// each monthly and yearly, in the minor unit: two decimals, none, three with a last digit 0, and
// two that are always 0.
var randomCurrencies = map[string][4]int64{
	"usd": {900, 9000, 2900, 29000}, "eur": {899, 8999, 2999, 29990}, "jpy": {900, 9000, 2900, 29000},
	"kwd": {2750, 27500, 8910, 89100}, "isk": {125000, 1250000, 399900, 3999000},
}

// Random changes of plan and interval, with people who joined or left, coupons, customer balances,
// tax rates and pending seat changes: what is charged is what was confirmed, and the first invoice
// after a downgrade is what was shown. What moved between preview and confirmation is refused, and
// nothing changes.
func TestConfirmedAmountOfRandomChanges(t *testing.T) {
	t.Parallel()
	counts := &changeCounts{byCase: map[string]int{}}
	perCurrency := (*confirmedChanges + len(randomCurrencies) - 1) / len(randomCurrencies)
	t.Run("currencies", func(t *testing.T) {
		for at, currency := range slices.Sorted(maps.Keys(randomCurrencies)) {
			for begun, n := 0, 0; begun < perCurrency; begun, n = begun+changesPerOrganization, n+1 {
				changes := min(changesPerOrganization, perCurrency-begun)
				seed := uint64(at*1000 + n)
				t.Run(fmt.Sprintf("%s %d", currency, n), func(t *testing.T) {
					r := newRandomChanges(t, currency, randomCurrencies[currency], seed, counts)
					for range changes {
						r.change()
					}
				})
			}
		}
	})
	counts.report(t)
	if got := counts.total(); got < *confirmedChanges {
		t.Errorf("%d changes, want %d", got, *confirmedChanges)
	}
}

// changeCounts counts the changes by currency and kind.
type changeCounts struct {
	mutex  sync.Mutex
	byCase map[string]int
}

func (c *changeCounts) add(currency, kind string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.byCase[currency+" "+kind]++
}

// total counts the confirmed changes.
func (c *changeCounts) total() int {
	n := 0
	for name, count := range c.byCase {
		if strings.Contains(name, " = ") {
			n += count
		}
	}
	return n
}

func (c *changeCounts) report(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(c.byCase)) {
		t.Logf("%-60s %4d", name, c.byCase[name])
	}
	t.Logf("%d changes confirmed", c.total())
}

// randomChanges makes random changes of one organization's plan.
type randomChanges struct {
	*testEnv
	random   *rand.Rand
	counts   *changeCounts
	currency string
	unit     int64 // the smallest amount that the currency allows
	price    int64 // of starter for a month
	taxRate  string
	with     string // what the organization has, for the report
}

func newRandomChanges(t *testing.T, currency string, amounts [4]int64, seed uint64, counts *changeCounts) *randomChanges {
	t.Helper()
	r := &randomChanges{testEnv: newTestEnv(t), random: rand.New(rand.NewPCG(seed, 16)), counts: counts, currency: currency, price: amounts[0]}
	r.unit = map[string]int64{"kwd": 10, "isk": 100}[currency]
	r.unit = max(1, r.unit)
	r.sellIn(currency, amounts)
	r.registerWebhook()
	r.addMembers(r.random.IntN(12))
	r.subscribe([]string{"starter", "pro"}[r.random.IntN(2)])
	r.taxRate = r.createTaxRate()
	return r
}

// createTaxRate creates a tax rate; empty while the local Stripe has none.
func (r *randomChanges) createTaxRate() string {
	form := url.Values{"display_name": {"VAT"}, "percentage": {[]string{"7.7", "19", "21", "8.25"}[r.random.IntN(4)]}, "inclusive": {strconv.FormatBool(r.random.IntN(4) == 0)}}
	request, err := http.NewRequest(http.MethodPost, r.origin+"/v1/tax_rates", strings.NewReader(form.Encode()))
	r.must(err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth("sk_test_dashboard123", "")
	response, err := http.DefaultClient.Do(request)
	r.must(err)
	response.Body.Close()
	if response.StatusCode == http.StatusNotFound {
		return ""
	}
	var rate struct{ ID string }
	r.stripeRequest(http.MethodPost, "/v1/tax_rates", form, &rate)
	return rate.ID
}

// change makes one change, after random time and with random circumstances.
func (r *randomChanges) change() {
	r.t.Helper()
	r.advanceStripe(time.Duration(r.random.Int64N(int64(20 * 24 * time.Hour))))
	r.processEvents()
	r.vary()
	r.must(r.service.Subscriptions.Refresh(r.t.Context(), r.access))
	plan, interval := r.target()
	preview := r.previewPlan(plan, interval)
	r.checkParts(preview)
	if r.random.IntN(5) == 0 {
		preview = r.checkMoved(preview, plan, interval)
	} else {
		r.advanceStripe(time.Duration(r.random.Int64N(int64(r.untilRenewal(50 * time.Minute)))))
	}
	change, err := r.service.PlanChanges.Apply(r.t.Context(), r.access, plan, interval, preview.Confirm())
	if err != nil {
		r.t.Fatalf("%s %s with %s: %v", plan, interval, r.with, err)
	}
	if preview.Change.Kind == billing.PlanDowngrade {
		r.checkDowngrade(preview, change)
		return
	}
	r.checkUpgrade(preview, change)
}

// untilRenewal returns a time that ends before the renewal, at most the given one.
func (r *randomChanges) untilRenewal(most time.Duration) time.Duration {
	return max(time.Second, min(most, r.overview().Subscription.CurrentPeriodEnd.Sub(r.stripe.Now())/2))
}

// vary changes the circumstances: people, coupon, balance, taxes, and a seat change that Stripe
// knows already.
func (r *randomChanges) vary() {
	current := *r.overview().Subscription
	at := "/v1/subscriptions/" + current.ID
	switch n := r.random.IntN(4); {
	case n == 0 && r.overview().Seats.Billable > 4:
		r.removeMembers(1 + r.random.IntN(3))
	case n < 3:
		r.addMembers(r.random.IntN(4))
	}
	if r.random.IntN(2) == 0 {
		r.makeSeatsDueNow()
		r.must(r.syncSeats())
	}
	switch r.random.IntN(5) {
	case 0:
		r.stripeRequest(http.MethodPost, at, url.Values{"coupon": {""}})
	case 1, 2:
		r.stripeRequest(http.MethodPost, at, url.Values{"coupon": {r.coupon(r.randomCoupon())}})
	}
	switch r.random.IntN(4) {
	case 0:
		r.stripeRequest(http.MethodPost, "/v1/customers/"+current.CustomerID, url.Values{"balance": {strconv.FormatInt((r.random.Int64N(8*r.price)-6*r.price)/r.unit*r.unit, 10)}})
	case 1:
		r.stripeRequest(http.MethodPost, "/v1/customers/"+current.CustomerID, url.Values{"balance": {"0"}})
	}
	if r.taxRate != "" {
		r.stripeRequest(http.MethodPost, at, url.Values{"default_tax_rates[0]": {r.taxRate}})
	}
	r.describe(current)
}

func (r *randomChanges) randomCoupon() url.Values {
	form := url.Values{"duration": {[]string{"once", "forever", "repeating"}[r.random.IntN(3)]}}
	if form.Get("duration") == "repeating" {
		form.Set("duration_in_months", strconv.Itoa(1+r.random.IntN(12)))
	}
	if r.random.IntN(2) == 0 {
		form.Set("percent_off", []string{"10", "12.5", "33.33", "50", "75"}[r.random.IntN(5)])
	} else {
		form.Set("amount_off", strconv.FormatInt((1+r.random.Int64N(3*r.price))/r.unit*r.unit+r.unit, 10))
		form.Set("currency", r.currency)
	}
	return form
}

// describe records what the organization has, for the report.
func (r *randomChanges) describe(current billing.Subscription) {
	var customer struct{ Balance int64 }
	var subscription struct {
		Discount *struct {
			Coupon struct{ Duration string }
		}
	}
	r.stripeGet("/v1/customers/"+current.CustomerID, &customer)
	r.stripeGet("/v1/subscriptions/"+current.ID, &subscription)
	var with []string
	if subscription.Discount != nil {
		with = append(with, "coupon "+subscription.Discount.Coupon.Duration)
	}
	if customer.Balance != 0 {
		with = append(with, "balance")
	}
	if r.taxRate != "" {
		with = append(with, "tax")
	}
	if r.with = strings.Join(with, "+"); r.with == "" {
		r.with = "nothing"
	}
}

// target chooses another price than the present one.
func (r *randomChanges) target() (string, catalog.Interval) {
	current := r.overview().Subscription
	for {
		plan, interval := []string{"starter", "pro"}[r.random.IntN(2)], []catalog.Interval{catalog.Monthly, catalog.Yearly}[r.random.IntN(2)]
		if r.planPriceID(plan, interval) != current.PriceID {
			return plan, interval
		}
	}
}

// checkParts checks that what is shown adds up to the amount due.
func (r *randomChanges) checkParts(preview billing.PlanPreview) {
	r.t.Helper()
	var sum int64
	for _, part := range preview.Parts() {
		sum += part.Amount.Minor
	}
	if sum != preview.DueNow.Minor {
		r.t.Errorf("parts %+v add up to %d, due %d", preview.Parts(), sum, preview.DueNow.Minor)
	}
}

// checkMoved moves the clock beyond the preview, or an amount: the confirmation is refused with the
// new preview, which is returned, and nothing changes.
func (r *randomChanges) checkMoved(preview billing.PlanPreview, plan string, interval catalog.Interval) billing.PlanPreview {
	r.t.Helper()
	kind := "refused: the clock moved"
	if end := r.overview().Subscription.CurrentPeriodEnd.Sub(r.stripe.Now()); end < 2*time.Hour {
		return preview
	} else if r.random.IntN(3) == 0 {
		kind = "refused: a seat changed"
		r.addMembers(1)
	} else {
		r.advanceStripe(time.Hour + time.Second + time.Duration(r.random.Int64N(int64(end-2*time.Hour))))
	}
	before, invoices := r.state(), len(r.stripeInvoices())
	_, err := r.service.PlanChanges.Apply(r.t.Context(), r.access, plan, interval, preview.Confirm())
	var moved *billing.PlanMovedError
	if !errors.As(err, &moved) {
		r.t.Fatalf("%s: %v", kind, err)
	}
	if after := r.state(); after != before || len(r.stripeInvoices()) != invoices {
		r.t.Errorf("%s: changed from %s to %s", kind, before, after)
	}
	r.counts.add(r.currency, kind)
	return moved.Preview
}

// state is what a refused change must leave as it is.
func (r *randomChanges) state() string {
	s, err := r.gateway().Subscription(r.t.Context(), r.overview().Subscription.ID)
	r.must(err)
	s = s.Classified(r.service.Prices.Catalog())
	return fmt.Sprintf("%s × %d until %s, schedule %q", s.PriceID, s.Quantity, s.CurrentPeriodEnd, s.ScheduleID)
}

// checkUpgrade compares the invoice that the change made with the confirmed amount.
func (r *randomChanges) checkUpgrade(preview billing.PlanPreview, change billing.PlanChange) {
	r.t.Helper()
	invoice, stored := r.stripeInvoices()[0], r.planChange(change.ID)
	switch {
	case change.Status != billing.PlanChangeApplied || stored.Charged == nil || *stored.Charged != preview.DueNow.Minor:
		r.t.Errorf("with %s: confirmed %+v, change %+v", r.with, preview.DueNow, stored)
	case invoice.ID != stored.InvoiceID || invoice.AmountDue != preview.DueNow.Minor || invoice.Currency != r.currency || invoice.Status != "paid":
		r.t.Errorf("with %s: confirmed %+v, invoice %+v", r.with, preview.DueNow, invoice)
	case preview.Credit.Minor > 0 && invoice.Total != -preview.Credit.Minor:
		r.t.Errorf("with %s: credit %+v, invoice %+v", r.with, preview.Credit, invoice)
	default:
		kind := map[bool]string{true: "upgrade to a year", false: "upgrade"}[preview.From.Price.Interval != preview.To.Price.Interval]
		r.counts.add(r.currency, kind+" = charged, with "+r.with)
	}
}

// checkDowngrade compares the first invoice after the period with what was shown.
func (r *randomChanges) checkDowngrade(preview billing.PlanPreview, change billing.PlanChange) {
	r.t.Helper()
	if change.Status != billing.PlanChangeScheduled {
		r.t.Fatalf("change %+v", change)
	}
	r.advanceStripe(preview.Next.At.Sub(r.stripe.Now()) + 2*time.Hour)
	r.processEvents()
	r.processPlanChanges()
	invoice, stored := r.stripeInvoices()[0], r.planChange(change.ID)
	if stored.Status != billing.PlanChangeApplied || invoice.AmountDue != preview.Next.Amount.Minor || invoice.BillingReason != "subscription_cycle" {
		r.t.Errorf("with %s: shown %+v for %s, invoice %+v, change %+v", r.with, preview.Next.Amount, preview.Next.At, invoice, stored)
		return
	}
	kind := map[bool]string{true: "downgrade to a month", false: "downgrade"}[preview.From.Price.Interval != preview.To.Price.Interval]
	r.counts.add(r.currency, kind+" = first invoice, with "+r.with)
}
