package billing_test

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// forecastCase asks for a forecast, makes the change that it considers, and lets a year pass.
type forecastCase struct {
	scenario string // of yearScenarios
	plan     string // bought; empty: starter
	question billing.ForecastQuestion
	prepare  func(*year) // before the forecast
	whole    bool        // the whole year is played, not only the first invoices
	start    string      // when the plan is bought; empty: forecastStart
	at       string      // when the forecast is asked for; empty: forecastAt
	more     bool        // played with -all-forecasts only
}

var allForecasts = flag.Bool("all-forecasts", false, "play every forecast, not only some")

// forecastPlayed is how many invoices are played; further ones are as the last of them.
const forecastPlayed = 4

const (
	forecastStart = "2027-01-12 10:20:30" // the plan is bought
	forecastAt    = "2027-01-21 08:00:00"
)

func inMarch(people int) billing.ForecastQuestion {
	return billing.ForecastQuestion{People: people, From: yearTime("2027-03-01 00:00:00")}
}

func forecastCases() map[string]forecastCase {
	toYearly := billing.ForecastQuestion{PlanID: "starter", Interval: catalog.Yearly}
	both := inMarch(5)
	both.PlanID, both.Interval = "starter", catalog.Yearly
	thisPeriod := billing.ForecastQuestion{People: 5, From: yearTime("2027-02-01 00:00:00")}
	shortMonth := func(from string) billing.ForecastQuestion {
		return billing.ForecastQuestion{People: 5, From: yearTime(from)}
	}
	return map[string]forecastCase{
		"the last day before a short month": {
			scenario: "monthly in USD", start: "2026-11-28 00:07:10", at: "2026-12-05 08:00:00", question: shortMonth("2027-01-31 00:00:00"),
		},
		"a short month, renewed on its last day": {
			scenario: "monthly in USD", start: "2026-12-31 10:20:30", at: "2027-01-05 08:00:00", question: shortMonth("2027-02-10 00:00:00"),
		},
		"no change":                          {scenario: "monthly in USD", more: true},
		"5 more people in March":             {scenario: "monthly in USD", question: inMarch(5), whole: true, more: true},
		"5 more people in this period":       {scenario: "monthly in USD", question: thisPeriod},
		"2 fewer people in March, in yen":    {scenario: "monthly in JPY", question: inMarch(-2), more: true},
		"switch to yearly":                   {scenario: "monthly in USD", question: toYearly, more: true},
		"switch to yearly, 5 more people":    {scenario: "monthly in JPY", question: both},
		"5 more people in March, yearly":     {scenario: "yearly in USD", question: inMarch(5)},
		"a smaller plan":                     {scenario: "monthly in USD", plan: "pro", question: billing.ForecastQuestion{PlanID: "starter", Interval: catalog.Monthly}},
		"a larger plan":                      {scenario: "yearly in JPY", question: billing.ForecastQuestion{PlanID: "pro", Interval: catalog.Yearly}, more: true},
		"pending seats":                      {scenario: "monthly in USD", question: inMarch(5), prepare: (*year).addPendingSeats, more: true},
		"pending seats, yearly":              {scenario: "yearly in USD", question: inMarch(5), prepare: (*year).addPendingSeats, more: true},
		"a discount that ends, more people":  {scenario: "monthly in USD", question: inMarch(5), prepare: (*year).addDiscounts},
		"credit of the customer, and no tax": {scenario: "monthly in USD", question: inMarch(5), prepare: (*year).addBalance, more: true},
	}
}

// A forecast is what Stripe charges afterwards, to the minor unit and the second, if the change is
// made as considered.
func TestForecastIsWhatIsInvoiced(t *testing.T) {
	for name, c := range forecastCases() {
		if c.more && !*allForecasts {
			continue
		}
		t.Run(name, func(t *testing.T) {
			y := newYear(t, yearScenarios()[c.scenario], yearTime(cmp.Or(c.start, forecastStart)))
			y.insertMembers(5, false)
			y.buyPlan(cmp.Or(c.plan, "starter"))
			if c.prepare != nil {
				c.prepare(y)
			}
			y.advanceTo(yearTime(cmp.Or(c.at, forecastAt)))
			forecast, err := y.service.Forecasts.Get(t.Context(), y.reloadAccess(), c.question)
			y.must(err)
			before := len(y.listInvoices())
			want := forecast.Invoices
			if !c.question.IsZero() {
				want = forecast.Changed
			}
			if !c.whole {
				want = want[:min(len(want), forecastPlayed)]
			}
			y.live(c.question, want)
			y.compareForecast(want, before)
		})
	}
}

// live makes the change of a question, and advances the clock until the last invoice is finalized.
func (y *year) live(q billing.ForecastQuestion, invoices []billing.ForecastInvoice) {
	y.t.Helper()
	if q.PlanID != "" {
		y.changePlan(q.PlanID, q.Interval)
		y.awaitIdle()
	}
	made := q.People == 0
	for _, invoice := range invoices {
		if !made && invoice.At.After(q.From) {
			y.advanceTo(q.From)
			y.changePeople(q.People)
			y.awaitIdle()
			made = true
		}
		if invoice.At.After(y.stripe.Now()) {
			y.advanceTo(invoice.At)
		}
		y.advanceTo(invoice.At.Add(time.Hour))
	}
	if !made {
		y.t.Fatal("no invoice after the change")
	}
}

// changePeople marks people as billed, or as not billed, with the confirmation that a person gives.
func (y *year) changePeople(n int) {
	y.t.Helper()
	members, err := y.store.Members().List(y.t.Context(), y.access.Organization.ID)
	y.must(err)
	billable := n > 0
	request := billing.SeatRequest{Kind: billing.SeatMembers, Change: account.MemberChange{Billable: &billable}}
	for _, m := range members {
		if m.Billable != billable && m.UserID != y.access.User.ID && len(request.MemberIDs) < max(n, -n) {
			request.MemberIDs = append(request.MemberIDs, m.ID)
		}
	}
	y.confirmSeats(request)
}

func (y *year) addPendingSeats() {
	y.advanceTo(yearTime("2027-01-15 09:00:00"))
	y.addMembers(2)
	y.awaitIdle()
}

// addDiscounts adds a coupon for three months and one for an invoice.
func (y *year) addDiscounts() {
	form := url.Values{}
	for i, coupon := range []url.Values{
		{"percent_off": {"25"}, "duration": {"repeating"}, "duration_in_months": {"3"}},
		{"amount_off": {"300"}, "currency": {"usd"}, "duration": {"once"}},
	} {
		var made struct{ ID string }
		y.stripeRequest(http.MethodPost, "/v1/coupons", coupon, &made)
		form.Set([]string{"discounts[0][coupon]", "discounts[1][coupon]"}[i], made.ID)
	}
	y.stripeRequest(http.MethodPost, "/v1/subscriptions/"+y.overview().Subscription.ID, form)
	y.awaitIdle()
}

// addBalance gives the customer a credit for more than an invoice.
func (y *year) addBalance() {
	y.stripeRequest(http.MethodPost, "/v1/customers/"+y.overview().Subscription.CustomerID, url.Values{"balance": {"-5000"}})
}

// compareForecast compares a forecast with the invoices that Stripe created after it.
func (y *year) compareForecast(want []billing.ForecastInvoice, before int) {
	y.t.Helper()
	got := y.listInvoices()
	got = got[:len(got)-before]
	table := newYearTable(y.t, "Invoice\tForecast\tStripe")
	for i := range max(len(want), len(got)) {
		var a billing.ForecastInvoice
		var b stripeYearInvoice
		if i < len(want) {
			a = want[i]
		}
		if i < len(got) {
			b = got[len(got)-1-i]
		}
		table.row(fmt.Sprint(i+1),
			a.At.UTC().Format(time.DateTime)+" "+y.format(a.Total.Minor)+", charged "+y.format(a.Due.Minor),
			time.Unix(b.Created, 0).UTC().Format(time.DateTime)+" "+y.format(b.Total)+", charged "+y.format(b.AmountDue))
	}
	table.print()
}

// A question that cannot be answered says why, and at which field.
func TestForecastRefusesQuestions(t *testing.T) {
	y := newYear(t, yearScenarios()["monthly in USD"], yearTime(forecastStart))
	_, err := y.service.Forecasts.Get(t.Context(), y.access, billing.ForecastQuestion{})
	if apperr.CodeOf(err) != apperr.CodeConflict {
		t.Errorf("without a plan: %v", err)
	}
	y.buyPlan("starter")
	for name, c := range map[string]struct {
		question billing.ForecastQuestion
		code     apperr.Code
		field    string
	}{
		"nobody stays":   {billing.ForecastQuestion{People: -3, From: y.stripe.Now()}, apperr.CodeUnprocessable, "people"},
		"too many":       {billing.ForecastQuestion{People: 10_001, From: y.stripe.Now()}, apperr.CodeUnprocessable, "people"},
		"yesterday":      {billing.ForecastQuestion{People: 1, From: y.stripe.Now().AddDate(0, 0, -1)}, apperr.CodeUnprocessable, "from"},
		"in two years":   {billing.ForecastQuestion{People: 1, From: y.stripe.Now().AddDate(2, 0, 0)}, apperr.CodeUnprocessable, "from"},
		"the same plan":  {billing.ForecastQuestion{PlanID: "starter", Interval: catalog.Monthly}, apperr.CodeConflict, ""},
		"no such plan":   {billing.ForecastQuestion{PlanID: "none", Interval: catalog.Monthly}, apperr.CodeInvalid, ""},
		"no such period": {billing.ForecastQuestion{PlanID: "pro", Interval: "week"}, apperr.CodeInvalid, ""},
	} {
		_, err := y.service.Forecasts.Get(t.Context(), y.access, c.question)
		var refused *apperr.Error
		if !errors.As(err, &refused) || refused.Code != c.code || refused.Field != c.field {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// While Stripe is down, slow or at its limit, the last forecast for a question is shown with its
// time, within three seconds.
func TestForecastWhileStripeFails(t *testing.T) {
	for name, fault := range stripeFaults() {
		t.Run(name, func(t *testing.T) {
			env := newTestEnv(t)
			clock := newTestClock()
			env.useClock(clock.now)
			env.subscribe("pro")
			question := billing.ForecastQuestion{People: 5, From: clock.now().AddDate(0, 3, 0)}
			known, err := env.service.Forecasts.Get(t.Context(), env.access, question)
			env.must(err)
			clock.advance(time.Hour)
			_, err = env.stripe.Faults().Add(fault)
			env.must(err)
			began := time.Now()
			last, err := env.service.Forecasts.Get(t.Context(), env.access, question)
			env.must(err)
			if !last.Stale || !last.FetchedAt.Equal(known.FetchedAt) || last.Sum(last.Changed) != known.Sum(known.Changed) || len(last.Changed) == 0 {
				t.Errorf("%+v, want the answer of %s", last, known.FetchedAt)
			}
			if _, err := env.service.Forecasts.Get(t.Context(), env.access, billing.ForecastQuestion{}); apperr.CodeOf(err) != apperr.CodeStripe {
				t.Errorf("a question that was never answered: %v", err)
			}
			if took := time.Since(began); took > 6*time.Second {
				t.Errorf("two forecasts took %s", took)
			}
		})
	}
}
