package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// moneyOracle knows what should have been charged, refunded and granted. It works out the rules of
// docs/architecture.md on its own: from Stripe's records and events and from what the histories
// did, without the program's code. Of the program's database it reads the balances, and which
// organizations are deleted.
type moneyOracle struct {
	*stripeRecords
	env           *environment
	now           int64                        // of Stripe's clock, in Unix seconds
	organizations map[string]string            // organization id by customer id
	byID          map[string]*subscriptionPast // by subscription id
	results       *results
	statuses      map[string]string         // of invoices, by id
	deleted       map[string]int64          // Unix seconds by organization id
	returnedSums  map[string]*returnedMoney // by invoice, or by charge without one
}

// subscriptionPast is a subscription with its events in Stripe's order.
type subscriptionPast struct {
	recordedSubscription
	organization string
	events       []subscriptionEvent
	lines        []recordedLine // of all invoices, and pending ones
}

// subscriptionEvent is a change of a subscription at Stripe.
type subscriptionEvent struct {
	ID      string
	Type    string
	Created int64
	Request struct {
		ID             string
		IdempotencyKey string `json:"idempotency_key"`
	}
	Data struct {
		Object   recordedSubscription
		Previous json.RawMessage `json:"previous_attributes"`
	}
}

// rank orders the events of one moment: a subscription begins with its creation and ends with its
// deletion.
func (e subscriptionEvent) rank() int {
	return map[string]int{"customer.subscription.created": -1, "customer.subscription.deleted": 1}[e.Type]
}

// planTerms are the terms of a plan of plans.toml.
type planTerms struct {
	credits   int
	perSeat   bool
	atRenewal bool // removed seats stay paid until the period ends
}

// soldPlans repeats plans.toml by hand: the check must not read it with the program's code.
var soldPlans = map[string]planTerms{
	"starter": {credits: 100, perSeat: true},
	"pro":     {credits: 1000, perSeat: true},
	"team":    {credits: 400},
	"trial":   {credits: 50, perSeat: true},
	"keep":    {credits: 200, perSeat: true, atRenewal: true},
}

// packCredits are the credits of the only pack that histories buy.
const packCredits = 500

// plan returns the plan that a price pays for. Prices of Usher have metadata that names it.
func (p recordedPrice) plan() string {
	if plan := p.Metadata["usher_plan"]; p.Recurring.Interval != "" {
		return plan
	}
	return ""
}

func (p recordedPrice) months() int {
	if p.Recurring.Interval == "year" {
		return 12
	}
	return 1
}

func (s recordedSubscription) ended() bool {
	return s.Status == "canceled" || s.Status == "incomplete_expired"
}

func (s recordedSubscription) givesAccess() bool {
	return slices.Contains([]string{"active", "trialing", "past_due"}, s.Status)
}

// seatItem returns the item with a price of a plan. Histories give no subscription two of them.
func (s recordedSubscription) seatItem() (recordedItem, bool) {
	i := slices.IndexFunc(s.Items.Data, func(i recordedItem) bool { return i.Price.plan() != "" })
	if i < 0 {
		return recordedItem{}, false
	}
	return s.Items.Data[i], true
}

func (s recordedSubscription) ours() bool { _, ours := s.seatItem(); return ours }

// openMoneyOracle reads Stripe's records and all events that were sent.
func (e *environment) openMoneyOracle(ctx context.Context) (*moneyOracle, error) {
	records, err := e.readRecords(ctx)
	if err != nil {
		return nil, err
	}
	o := &moneyOracle{
		stripeRecords: records, env: e, now: e.stripe.Now().Unix(), results: e.results,
		statuses: map[string]string{}, deleted: map[string]int64{}, organizations: map[string]string{}, byID: map[string]*subscriptionPast{},
	}
	return o, errors.Join(o.readEvents(), o.sortLines(), o.readDeleted(ctx))
}

// refresh reads the records and the clock again. It does not read new events.
func (o *moneyOracle) refresh(ctx context.Context) error {
	records, err := o.env.readRecords(ctx)
	if err != nil {
		return err
	}
	o.stripeRecords, o.now = records, o.env.stripe.Now().Unix()
	for _, s := range o.subscriptions {
		if past := o.byID[s.ID]; past != nil {
			past.recordedSubscription = s
		}
	}
	return nil
}

// readDeleted finds the organizations that were deleted in the end, and when.
func (o *moneyOracle) readDeleted(ctx context.Context) error {
	var rows []struct {
		ID string
		At int64
	}
	err := o.env.store.DB().SelectContext(ctx, &rows, `
		select id, extract(epoch from deleted_at)::bigint as at from organizations where deleted_at is not null`)
	for _, row := range rows {
		o.deleted[row.ID] = row.At
	}
	return err
}

// isDeleted reports whether an organization was deleted in the end.
func (o *moneyOracle) isDeleted(organizationID string) bool {
	return o.deleted[organizationID] != 0
}

// readEvents sorts the events of subscriptions, and learns whose the customers are.
func (o *moneyOracle) readEvents() error {
	var events []subscriptionEvent
	for _, received := range o.env.webhookProxy.received() {
		var e subscriptionEvent
		switch kind := parseEvent(received.payload).Type; {
		case strings.HasPrefix(kind, "customer.subscription."):
		case kind == "customer.created", kind == "customer.updated":
		default:
			continue
		}
		if err := json.Unmarshal(received.payload, &e); err != nil {
			return err
		}
		if strings.HasPrefix(e.Type, "customer.subscription.") {
			events = append(events, e)
		} else if id := e.Data.Object.Metadata["orgId"]; id != "" {
			o.organizations[e.Data.Object.ID] = id
		}
	}
	// Stripe may send the events of one moment in any order.
	slices.SortStableFunc(events, func(a, b subscriptionEvent) int {
		return cmp.Or(cmp.Compare(a.Created, b.Created), cmp.Compare(a.rank(), b.rank()))
	})
	for _, s := range o.subscriptions {
		o.byID[s.ID] = &subscriptionPast{recordedSubscription: s, organization: o.organizations[s.Customer]}
	}
	for _, e := range events {
		if past := o.byID[e.Data.Object.ID]; past != nil {
			past.events = append(past.events, e)
		}
	}
	return nil
}

// sortLines collects the lines of each subscription.
func (o *moneyOracle) sortLines() error {
	for _, invoice := range o.invoices {
		o.statuses[invoice.ID] = invoice.Status
		for _, line := range invoice.Lines.Data {
			line.Invoice = invoice.ID
			if past := o.byID[line.Subscription]; past != nil {
				past.lines = append(past.lines, line)
			}
		}
	}
	for _, line := range o.pending {
		if past := o.byID[line.Subscription]; past != nil && line.Invoice == "" {
			past.lines = append(past.lines, line)
		}
	}
	return nil
}

// of returns an organization's subscriptions, the oldest first.
func (o *moneyOracle) of(organizationID string) []*subscriptionPast {
	var found []*subscriptionPast
	for i := len(o.subscriptions) - 1; i >= 0; i-- {
		if past := o.byID[o.subscriptions[i].ID]; past != nil && past.organization == organizationID {
			found = append(found, past)
		}
	}
	return found
}

// verify checks the money of one history.
func (o *moneyOracle) verify(ctx context.Context, h *history) error {
	if err := o.verifySeats(ctx, h); err != nil {
		return err
	}
	o.verifyRefunds(h)
	o.verifyCharges(h)
	o.verifyForeign(h)
	return o.verifyGrants(ctx, h)
}
