package stripelocal

// incompleteLife is how long a first invoice may stay unpaid (docs:
// subscriptions overview: 23 hours).
const incompleteLife = 23 * 60 * 60

// Subscription is the classic kind: one billing period for all its items.
type Subscription struct {
	Base
	Customer             string
	Status               string
	Currency             string
	AutomaticTax         bool // shown only: no tax is ever added
	BillingCycleAnchor   int64
	CancelAt             int64
	CancelAtPeriodEnd    bool
	CanceledAt           int64
	CancelComment        string
	CancelFeedback       string
	CancelReason         string
	CollectionMethod     string
	CurrentPeriodEnd     int64
	CurrentPeriodStart   int64
	DaysUntilDue         int64
	DefaultPaymentMethod string
	Description          string
	EndedAt              int64
	FreeStub             bool   // a first period before the anchor costs nothing
	FromCheckout         string // the session that made it, while it is incomplete
	LatestInvoice        string
	Metadata             map[string]string
	MethodTypes          []string
	MissingMethod        string // what a trial's end without a card does
	PendingSetup         string
	PendingUpdate        *PendingUpdate
	PhaseEnd             int64 // while under a schedule
	ResumeBy             int64 // while paused: when the invoice of a resume is given up
	SaveDefault          string
	Schedule             string
	StartDate            int64
	TestClock            string
	TrialEnd             int64
	TrialStart           int64
	Discounts            []Discount
	TrialWarned          bool  // trial_will_end was told of this TrialEnd
	UpcomingTold         int64 // the period end that invoice.upcoming was told of
}

const subscriptionUpdateParams = "cancel_at:time? cancel_at_period_end:bool collection_method:charge_automatically|send_invoice " +
	"days_until_due:int default_payment_method? description:500? metadata:map? off_session:bool " +
	"payment_behavior:allow_incomplete|default_incomplete|error_if_incomplete|pending_if_incomplete " +
	"payment_settings{save_default_payment_method:off|on_subscription payment_method_types[]?} " +
	"proration_behavior:create_prorations|none|always_invoice " +
	"trial_settings{end_behavior{missing_payment_method:cancel|create_invoice|pause!}!} automatic_tax{enabled:bool!} "

const cancellationParams = "cancellation_details{comment? feedback:customer_service|low_quality|missing_features|other|switched_service|too_complex|too_expensive|unused?} "

func subscriptionResource() resource {
	return resource{
		kind: "subscription",
		render: finder(func(s *state) *table[*Subscription] { return s.Subscriptions },
			func(a *act, x *Subscription) object { return a.renderSubscription(x) }),
		arm: func(a *act) {
			for _, sub := range a.state.Subscriptions.all {
				a.armSubscription(sub)
			}
		},
		routes: []route{
			{"POST /v1/subscriptions", subscriptionUpdateParams + discountParams + "customer! currency items[]{price " + inlineRecurring + "quantity:int metadata:map}! trial_end:when trial_period_days:int trial_from_plan:bool billing_cycle_anchor:time add_invoice_items[]{price! quantity:int}", (*act).createSubscription},
			{"GET /v1/subscriptions", listParams + "customer price status:active|past_due|unpaid|canceled|incomplete|incomplete_expired|trialing|paused|all|ended collection_method:charge_automatically|send_invoice current_period_start:range current_period_end:range test_clock", (*act).listSubscriptions},
			{"GET /v1/subscriptions/{id}", "", (*act).getSubscription},
			{"POST /v1/subscriptions/{id}", subscriptionUpdateParams + discountParams + cancellationParams + planParams + "trial_from_plan:bool", (*act).updateSubscription},
			{"DELETE /v1/subscriptions/{id}", cancellationParams + "invoice_now:bool prorate:bool", (*act).cancelSubscription},
			{"POST /v1/subscriptions/{id}/resume", resumeParams, (*act).resumeSubscription},
		},
	}
}

func (x *Subscription) ended() bool {
	return x.Status == "canceled" || x.Status == "incomplete_expired"
}

// items are the subscription's items, oldest first.
func (a *act) items(sub *Subscription) []*SubscriptionItem {
	return a.state.Items.by("subscription", sub.ID)
}

func (a *act) subscriptionAt(in *input) (*Subscription, error) {
	sub, ok := a.state.Subscriptions.get(in.path("id"))
	if !ok {
		return nil, notFound("subscription", in.path("id"), "id")
	}
	return sub, nil
}

func (a *act) getSubscription(in *input) (any, error) {
	sub, err := a.subscriptionAt(in)
	if err != nil {
		return nil, err
	}
	return a.renderSubscription(sub), nil
}

func (a *act) listSubscriptions(in *input) (any, error) {
	rows := a.state.Subscriptions.all
	if in.has("customer") {
		if _, ok := a.state.Customers.get(in.str("customer")); !ok {
			return nil, noSuch("customer", in.str("customer"), "customer")
		}
		rows = a.state.Subscriptions.by("customer", in.str("customer"))
	}
	return listing[*Subscription]{
		what: "subscription", table: a.state.Subscriptions, rows: rows,
		keep:   func(x *Subscription) bool { return a.subscriptionMatches(x, in.params) },
		render: func(x *Subscription) object { return a.renderSubscription(x) },
	}.page(in)
}

// subscriptionMatches leaves canceled ones out where no status is asked for,
// and those of test clocks where neither the clock nor the customer is named.
func (a *act) subscriptionMatches(x *Subscription, q params) bool {
	if !x.hasStatus(q.str("status")) || !inRange(q, "current_period_start", x.CurrentPeriodStart) || !inRange(q, "current_period_end", x.CurrentPeriodEnd) {
		return false
	}
	if !q.has("customer") && x.TestClock != q.str("test_clock") {
		return false
	}
	if q.has("collection_method") && x.CollectionMethod != q.str("collection_method") {
		return false
	}
	return !q.has("price") || a.hasPrice(x, q.str("price"))
}

func (x *Subscription) hasStatus(wanted string) bool {
	switch wanted {
	case "all":
		return true
	case "":
		return x.Status != "canceled"
	case "ended":
		return x.ended()
	}
	return x.Status == wanted
}

func (a *act) hasPrice(x *Subscription, price string) bool {
	for _, item := range a.items(x) {
		if item.Price == price {
			return true
		}
	}
	return false
}

// changeSubscription runs f and tells of what it changed.
func (a *act) changeSubscription(sub *Subscription, f func()) {
	before := a.renderSubscription(sub)
	f()
	a.emitUpdate("customer.subscription.updated", before, a.renderSubscription(sub))
}

// endSubscription ends it at this moment. What is open of a first invoice is
// voided; other open invoices stay, but are no longer collected by themselves.
func (a *act) endSubscription(sub *Subscription, status, reason string) {
	wasIncomplete := sub.Status == "incomplete"
	a.expirePendingUpdate(sub)
	at := a.timeOn(sub.TestClock)
	sub.Status, sub.EndedAt, sub.CancelReason = status, at, reason
	if sub.CanceledAt == 0 {
		sub.CanceledAt = at
	}
	for _, inv := range a.state.Invoices.by("subscription", sub.ID) {
		switch {
		case wasIncomplete:
			a.void(inv)
		case !inv.settled():
			inv.AutoAdvance, inv.NextAttempt = false, 0
		}
	}
	a.endSchedule(sub)
	a.emit("customer.subscription.deleted", a.renderSubscription(sub))
}

// cancelSubscription is the DELETE: at once.
func (a *act) cancelSubscription(in *input) (any, error) {
	sub, err := a.subscriptionAt(in)
	if err != nil {
		return nil, err
	}
	if sub.ended() {
		return nil, notFound("subscription", sub.ID, "id")
	}
	details := in.at("cancellation_details")
	details.setStr("comment", &sub.CancelComment)
	details.setStr("feedback", &sub.CancelFeedback)
	if in.flag("prorate") {
		for _, credit := range a.unused(sub, a.timeOn(sub.TestClock)) {
			a.addInvoiceItem(credit)
		}
	}
	status := "canceled"
	if sub.Status == "incomplete" {
		status = "incomplete_expired"
	}
	a.endSubscription(sub, status, "cancellation_requested")
	if in.flagOr("invoice_now", true) {
		a.lastInvoice(sub)
	}
	return a.renderSubscription(sub), nil
}

func (a *act) renderSubscription(x *Subscription) object {
	items := a.items(x)
	o := object{
		"id": x.ID, "object": "subscription", "application": nil, "application_fee_percent": nil,
		"automatic_tax": renderTax(x.AutomaticTax), "billing_cycle_anchor": x.BillingCycleAnchor,
		"billing_cycle_anchor_config": nil, "billing_thresholds": nil, "cancel_at": timeOrNull(x.CancelAt),
		"cancel_at_period_end": x.CancelAtPeriodEnd, "canceled_at": timeOrNull(x.CanceledAt),
		"cancellation_details": object{
			"comment": orNull(x.CancelComment), "feedback": orNull(x.CancelFeedback), "reason": orNull(x.CancelReason),
		},
		"collection_method": x.CollectionMethod, "created": x.Created, "currency": x.Currency,
		"current_period_end": x.CurrentPeriodEnd, "current_period_start": x.CurrentPeriodStart,
		"customer": ref{"customer", x.Customer}, "days_until_due": timeOrNull(x.DaysUntilDue),
		"default_payment_method": ref{"payment_method", x.DefaultPaymentMethod}, "default_source": nil,
		"default_tax_rates": []any{}, "description": orNull(x.Description), "discount": nil, "discounts": []any{},
		"ended_at": timeOrNull(x.EndedAt), "invoice_settings": object{"account_tax_ids": nil, "issuer": object{"type": "self"}},
		"items": a.renderItems(x, items), "latest_invoice": ref{"invoice", x.LatestInvoice}, "livemode": false,
		"metadata": x.Metadata, "next_pending_invoice_item_invoice": nil, "on_behalf_of": nil,
		"pause_collection": nil, "payment_settings": x.renderPaymentSettings(),
		"pending_invoice_item_interval": nil, "pending_setup_intent": ref{"setup_intent", x.PendingSetup},
		"pending_update": a.renderPending(x), "plan": nil, "quantity": nil, "schedule": ref{"subscription_schedule", x.Schedule}, "start_date": x.StartDate,
		"status": x.Status, "test_clock": ref{"test_clock", x.TestClock}, "transfer_data": nil,
		"trial_end": timeOrNull(x.TrialEnd), "trial_settings": object{"end_behavior": object{"missing_payment_method": x.MissingMethod}},
		"trial_start": timeOrNull(x.TrialStart),
	}
	a.renderOnlyItem(o, items)
	a.renderDiscounts(o, x)
	return o
}

// renderOnlyItem fills the older fields plan and quantity, which only a
// subscription of one item has.
func (a *act) renderOnlyItem(o object, items []*SubscriptionItem) {
	if len(items) != 1 {
		return
	}
	if p, ok := a.state.Prices.get(items[0].Price); ok {
		o["plan"], o["quantity"] = p.renderPlan(), items[0].Quantity
	}
}

func (x *Subscription) renderPaymentSettings() object {
	save := x.SaveDefault
	if save == "" {
		save = "off"
	}
	return object{"payment_method_options": nil, "payment_method_types": textsOrNull(x.MethodTypes), "save_default_payment_method": save}
}

func (a *act) renderItems(x *Subscription, items []*SubscriptionItem) object {
	data := make([]any, len(items))
	for i, item := range items {
		data[i] = a.renderSubscriptionItem(item)
	}
	list := listObject("/v1/subscription_items?subscription="+x.ID, data, false)
	list["total_count"] = len(items)
	return list
}
