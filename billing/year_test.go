package billing_test

import (
	"cmp"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"usher/billing"
	"usher/billing/catalog"
	"usher/billing/stripegw"
)

var allYears = flag.Bool("all-years", false, "play the year in both currencies for each interval")

// A year of an organization on the clock: 30 changes of seats, two upgrades, a downgrade, a failed
// renewal and a refund. Every line of every invoice at Stripe, and the credit statement, are those
// of a calculation by hand, to the minor unit and the second.
func TestYearIsChargedAsCalculatedByHand(t *testing.T) {
	if n := len(yearSeatChanges()); n != 30 {
		t.Fatalf("the script has %d changes of seats, want 30", n)
	}
	for name, scenario := range yearScenarios() {
		if !*allYears && name != "monthly in USD" && name != "yearly in JPY" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			year := newYear(t, scenario, yearTime(yearStart))
			year.play()
			invoices, credits := scenario.calculate()
			year.compareInvoices(year.readInvoices(), invoices)
			year.compareCredits(year.creditStatement(), credits)
			year.checkStoredInvoices(invoices)
			year.checkMonths()
			year.invoicePack()
			year.checkExplanations()
		})
	}
}

// year plays a scenario on a testEnv whose clock stands still between the steps.
type year struct {
	*testEnv
	yearScenario
	confirmed map[string]int64 // what the preview of a plan change showed as due, by invoice
}

func newYear(t *testing.T, scenario yearScenario, start time.Time) *year {
	y := &year{testEnv: newTestEnvAt(t, func() time.Time { return start }), yearScenario: scenario, confirmed: map[string]int64{}}
	options := y.options(y.store)
	options.Now, options.Catalog = y.stripe.Now, y.catalog()
	options.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	for _, price := range stripegw.PlanPrices(options.Catalog) {
		_, _, err := y.gateway().EnsurePrice(t.Context(), price)
		y.must(err)
	}
	y.useService(y.startService(options))
	y.registerWebhook()
	return y
}

// catalog has three plans, each with a price per month and per year.
func (y *year) catalog() catalog.Catalog {
	y.t.Helper()
	file := fmt.Sprintf("currency = %q\n", strings.ToUpper(y.currency))
	for _, plan := range []string{"starter", "pro", "business"} {
		file += fmt.Sprintf("[[plan]]\nid = %q\nname = %q\ncredits = %d\n", plan, plan, yearCredits()[plan])
		for _, interval := range []string{"month", "year"} {
			file += fmt.Sprintf("[[plan.price]]\ninterval = %q\namount = %q\nlookup_key = %q\n",
				interval, y.format(y.prices[plan+" per "+interval]), plan+" per "+interval)
		}
	}
	file += fmt.Sprintf("[[pack]]\nid = \"small\"\nname = \"500 credits\"\ncredits = 500\namount = %q\nlookup_key = \"small\"\n", y.format(1500))
	plans, err := catalog.ParsePlans("year.toml", []byte(file))
	y.must(err)
	return plans
}

// format writes an amount in the currency's main unit.
func (s yearScenario) format(minor int64) string {
	if s.decimals == 0 {
		return strconv.FormatInt(minor, 10)
	}
	sign := ""
	if minor < 0 {
		sign, minor = "-", -minor
	}
	return fmt.Sprintf("%s%d.%02d", sign, minor/100, minor%100)
}

// play runs the script. Between the steps the clock stops at every time at which an invoice is
// created or collected and at which the program has planned work.
func (y *year) play() {
	y.t.Helper()
	y.buyPlan("starter")
	stops := y.stops()
	for _, step := range y.script() {
		for len(stops) > 0 && !stops[0].After(step.at) {
			y.advanceTo(stops[0])
			stops = stops[1:]
		}
		y.advanceTo(step.at)
		y.take(step)
		y.awaitIdle()
	}
	for _, stop := range stops {
		y.advanceTo(stop)
	}
}

// buyPlan buys a plan for the seats of the start.
func (y *year) buyPlan(plan string) {
	y.t.Helper()
	y.addMembers(yearSeats - 1) // and the admin
	session, err := y.service.Checkouts.Start(y.t.Context(), y.access, billing.CheckoutRequest{PlanID: plan, Interval: catalog.Interval(y.interval)})
	y.must(err)
	y.pay(session)
	_, err = y.service.Checkouts.Complete(y.t.Context(), y.access, session.StripeSessionID)
	y.must(err)
	y.awaitIdle()
}

// stops are the times at which invoices are created and finalized.
func (y *year) stops() []time.Time {
	var stops []time.Time
	for n := 1; yearAnniversary(n).Before(yearTime(yearEnd)); n++ {
		stops = append(stops, yearAnniversary(n), yearAnniversary(n).Add(time.Hour))
	}
	return append(stops, yearTime(yearEnd).Add(-time.Second))
}

// advanceTo advances the clock, with a stop wherever the program has planned work.
func (y *year) advanceTo(at time.Time) {
	y.t.Helper()
	for {
		next := y.nextWork()
		if next.IsZero() || !next.Before(at) {
			break
		}
		y.stripe.AdvanceClock(next)
		y.awaitIdle()
	}
	y.stripe.AdvanceClock(at)
	y.awaitIdle()
}

// nextWork returns the next time for which the program has planned work, or Stripe another attempt
// to collect an invoice.
func (y *year) nextWork() time.Time {
	y.t.Helper()
	var next *time.Time
	y.must(y.store.DB().GetContext(y.t.Context(), &next, `select min(at) from (
		select due_at as at from billing_seat_state union all select next_attempt_at from plan_changes
		union all select next_attempt_at from stripe_events where outcome = 'pending'
		union all select next_attempt_at from invoices where status = 'open') as planned where at > $1`, y.stripe.Now()))
	if next == nil {
		return time.Time{}
	}
	return next.Truncate(time.Second).Add(time.Second * time.Duration(min(1, next.Nanosecond())))
}

// awaitIdle delivers all webhooks and does all work that is due.
func (y *year) awaitIdle() {
	y.t.Helper()
	isIdle := poll(func() bool {
		var undelivered struct{ Data []struct{ ID string } }
		y.stripeGet("/v1/events?limit=1&delivery_success=false", &undelivered)
		if len(undelivered.Data) > 0 {
			return false
		}
		y.service.Sweep(y.t.Context())
		now := y.stripe.Now()
		return y.queryInt(`select (select count(*) from stripe_events where outcome = 'pending' and next_attempt_at <= $1)
			+ (select count(*) from billing_seat_state where due_at <= $1) + (select count(*) from plan_changes where next_attempt_at <= $1)`, now) == 0
	})
	if !isIdle {
		y.t.Fatalf("timed out at %v: %+v", y.stripe.Now(), y.seatState())
	}
}

func (y *year) take(step yearStep) {
	y.t.Helper()
	current := *y.overview().Subscription
	switch {
	case step.seats > 0:
		y.addMembers(step.seats)
	case step.seats < 0:
		y.removeMembers(-step.seats)
	case step.upgrade != "":
		preview, change := y.changePlan(step.upgrade, catalog.Interval(y.interval))
		y.confirmed[change.InvoiceID] = preview.DueNow.Minor
	case step.later != "":
		y.changePlan(step.later, catalog.Interval(y.interval))
	case step.consume != 0:
		_, err := y.service.Credits.Consume(y.t.Context(), y.access, billing.Consumption{Amount: step.consume, IdempotencyKey: step.at.String()})
		y.must(err)
	case step.card != "":
		y.setCard(current, step.card)
	case step.refund:
		y.refund()
	}
}

// refund refunds a third of the newest paid invoice of the scenario's reason, at Stripe.
func (y *year) refund() {
	y.t.Helper()
	for _, invoice := range y.listInvoices() {
		if invoice.BillingReason == y.refundOf && invoice.AmountPaid > 0 {
			amount := strconv.FormatInt(invoice.AmountPaid/3, 10)
			y.stripeRequest(http.MethodPost, "/v1/refunds", url.Values{"charge": {invoice.Charge}, "amount": {amount}})
			return
		}
	}
	y.t.Fatal("no invoice to refund")
}

// stripeYearInvoice is an invoice as Stripe has it.
type stripeYearInvoice struct {
	ID            string
	Charge        string
	BillingReason string `json:"billing_reason"`
	Created       int64
	AttemptCount  int   `json:"attempt_count"`
	AmountDue     int64 `json:"amount_due"`
	AmountPaid    int64 `json:"amount_paid"`
	Total         int64
	EndingBalance int64 `json:"ending_balance"`
	Transitions   struct {
		PaidAt      int64 `json:"paid_at"`
		FinalizedAt int64 `json:"finalized_at"`
	} `json:"status_transitions"`
}

type stripeYearLine struct {
	Amount    int64
	Quantity  int
	Proration bool
	Price     struct {
		LookupKey string `json:"lookup_key"`
	}
	Period struct{ Start, End int64 }
}

// listInvoices lists the invoices at Stripe, newest first.
func (y *year) listInvoices() []stripeYearInvoice {
	y.t.Helper()
	var list struct{ Data []stripeYearInvoice }
	y.stripeGet("/v1/invoices?limit=100&subscription="+y.overview().Subscription.ID, &list)
	return list.Data
}

// readInvoices reads all invoices with all their lines from Stripe, oldest first.
func (y *year) readInvoices() []yearInvoice {
	y.t.Helper()
	var invoices []yearInvoice
	for _, found := range slices.Backward(y.listInvoices()) {
		invoice := yearInvoice{
			created: time.Unix(found.Created, 0).UTC(), paid: time.Unix(found.Transitions.PaidAt, 0).UTC(), reason: found.BillingReason,
			attempts: found.AttemptCount, total: found.Total, due: found.AmountDue, balance: found.EndingBalance,
			refunded: y.refunded(found.Charge), confirmed: y.confirmed[found.ID],
		}
		if found.Transitions.PaidAt == 0 {
			invoice.paid = time.Time{}
		}
		var lines struct{ Data []stripeYearLine }
		y.stripeGet("/v1/invoices/"+found.ID+"/lines?limit=100", &lines)
		for _, line := range lines.Data {
			invoice.lines = append(invoice.lines, yearLine{
				line.Price.LookupKey, line.Quantity, line.Proration,
				time.Unix(line.Period.Start, 0).UTC(), time.Unix(line.Period.End, 0).UTC(), line.Amount,
			})
		}
		invoices = append(invoices, invoice)
	}
	return invoices
}

// refunded returns what Stripe refunded of a charge.
func (y *year) refunded(charge string) int64 {
	y.t.Helper()
	if charge == "" {
		return 0
	}
	var found struct {
		AmountRefunded int64 `json:"amount_refunded"`
	}
	y.stripeGet("/v1/charges/"+charge, &found)
	return found.AmountRefunded
}

// creditStatement reads the credit ledger, oldest line first.
func (y *year) creditStatement() []yearCredit {
	y.t.Helper()
	entries, err := y.service.Credits.Entries(y.t.Context(), y.access)
	y.must(err)
	var credits []yearCredit
	for _, e := range slices.Backward(entries) {
		credits = append(credits, yearCredit{e.At.UTC(), string(e.Kind), e.Amount, e.Balance})
	}
	return credits
}

// checkStoredInvoices checks that the program shows the same invoices.
func (y *year) checkStoredInvoices(want []yearInvoice) {
	y.t.Helper()
	stored, err := y.service.Invoices.List(y.t.Context(), y.access)
	y.must(err)
	slices.SortStableFunc(stored, func(a, b billing.Invoice) int { return a.CreatedAt.Compare(b.CreatedAt) })
	if len(stored) != len(want) {
		y.t.Fatalf("%d invoices are stored, want %d", len(stored), len(want))
	}
	for i, invoice := range stored {
		if invoice.Total != want[i].total || invoice.AmountPaid != want[i].due || invoice.Reason != want[i].reason || invoice.PaidAt == nil || !invoice.PaidAt.Equal(want[i].paid) {
			y.t.Errorf("stored invoice %d: %+v, want %+v", i+1, invoice, want[i])
		}
	}
}

// compareInvoices prints all invoices beside those calculated by hand, and fails where they differ.
func (y *year) compareInvoices(got, want []yearInvoice) {
	y.t.Helper()
	table := newYearTable(y.t, "Invoice\tStripe\tBy hand")
	for i := range max(len(got), len(want)) {
		y.compareInvoice(table, fmt.Sprintf("%d", i+1), at(got, i), at(want, i))
	}
	table.print()
}

func (y *year) compareInvoice(table *yearTable, name string, a, b yearInvoice) {
	y.t.Helper()
	table.row(name, a.describe(), b.describe())
	sortYearLines(a.lines)
	sortYearLines(b.lines)
	for j := range max(len(a.lines), len(b.lines)) {
		table.row(fmt.Sprintf("%s, line %d", name, j+1), y.describeLine(at(a.lines, j)), y.describeLine(at(b.lines, j)))
	}
	table.row(name+", total", y.format(a.total), y.format(b.total))
	table.row(name+", due", y.format(a.due), y.format(b.due))
	for _, extra := range []struct {
		name string
		a, b int64
	}{{"confirmed", a.confirmed, b.confirmed}, {"customer's balance", a.balance, b.balance}, {"refunded", a.refunded, b.refunded}} {
		if extra.a != 0 || extra.b != 0 {
			table.row(name+", "+extra.name, y.format(extra.a), y.format(extra.b))
		}
	}
}

// sortYearLines sorts lines by time. Stripe's order is not documented.
func sortYearLines(lines []yearLine) {
	slices.SortStableFunc(lines, func(a, b yearLine) int {
		order := func(l yearLine) int {
			switch {
			case !l.proration:
				return 2
			case l.amount > 0:
				return 1
			}
			return 0
		}
		return cmp.Or(a.from.Compare(b.from), cmp.Compare(order(a), order(b)))
	})
}

func (y *year) compareCredits(got, want []yearCredit) {
	y.t.Helper()
	table := newYearTable(y.t, "Credits\tUsher\tBy hand")
	for i := range max(len(got), len(want)) {
		table.row(fmt.Sprintf("credits %d", i+1), at(got, i).describe(), at(want, i).describe())
	}
	table.print()
}

// at returns an element, or the zero value beyond the end.
func at[T any](list []T, i int) (element T) {
	if i < len(list) {
		element = list[i]
	}
	return element
}

func (i yearInvoice) describe() string {
	if i.reason == "" {
		return "none"
	}
	return fmt.Sprintf("%s %s, paid %s, attempt %d", i.created.Format(time.DateTime), i.reason, i.paid.Format(time.DateTime), i.attempts)
}

func (y *year) describeLine(l yearLine) string {
	if l.price == "" {
		return "none"
	}
	kind := "period"
	switch {
	case l.proration && l.amount < 0:
		kind = "unused"
	case l.proration:
		kind = "remaining"
	}
	return fmt.Sprintf("%s %d × %s, %s to %s: %s", kind, l.quantity, l.price, l.from.Format(time.DateTime), l.to.Format(time.DateTime), y.format(l.amount))
}

func (c yearCredit) describe() string {
	if c.kind == "" {
		return "none"
	}
	return fmt.Sprintf("%s %s %+d = %d", c.at.Format(time.DateTime), c.kind, c.amount, c.balance)
}

// yearTable prints rows of two values that must be equal.
type yearTable struct {
	t      *testing.T
	text   strings.Builder
	writer *tabwriter.Writer
}

func newYearTable(t *testing.T, head string) *yearTable {
	table := &yearTable{t: t}
	table.writer = tabwriter.NewWriter(&table.text, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table.writer, head+"\t")
	return table
}

// row adds a row. It fails the test if the values differ.
func (table *yearTable) row(name, got, want string) {
	table.t.Helper()
	mark := ""
	if got != want {
		mark = "DIFFERS"
		table.t.Errorf("%s: got %s, want %s", name, got, want)
	}
	_, _ = fmt.Fprintf(table.writer, "%s\t%s\t%s\t%s\n", name, got, want, mark)
}

func (table *yearTable) print() {
	table.t.Helper()
	_ = table.writer.Flush()
	table.t.Log("\n" + table.text.String())
}
