package stripelocal

import "usher/stripelocal/wire"

// incompleteLifetime is how long a first invoice may stay unpaid, in seconds (docs: subscriptions
// overview: 23 hours).
const incompleteLifetime = 23 * 60 * 60

// Subscription is a subscription with one billing period for all items.
type Subscription struct {
	Base
	Customer                 string
	Status                   string
	Currency                 string
	AutomaticTax             bool
	DefaultTaxRates          []string
	BillingCycleAnchor       int64
	CancelAt                 int64
	CancelAtPeriodEnd        bool
	CanceledAt               int64
	CancellationComment      string
	CancellationFeedback     string
	CancellationReason       string
	CollectionMethod         string
	CurrentPeriodEnd         int64
	CurrentPeriodStart       int64
	DaysUntilDue             int64
	DefaultPaymentMethod     string
	Description              string
	EndedAt                  int64
	FreeFirstPeriod          bool   // a first period before the anchor is free
	CheckoutSession          string // the session that created it
	LatestInvoice            string
	Metadata                 map[string]string
	PaymentMethodTypes       []string
	MissingPaymentMethod     string // when a trial ends: cancel, create_invoice or pause
	NextPendingInvoice       int64  // when pending items are invoiced next; 0 is with the renewal
	PendingInterval          PendingInterval
	PauseCollection          PauseCollection `json:",omitzero"`
	PendingSetupIntent       string
	PendingUpdate            *PendingUpdate
	PhaseEnd                 int64 // of the current schedule phase; 0 without a schedule
	ResumeExpiresAt          int64 // while paused: when the invoice of a resume is voided
	SaveDefaultPaymentMethod string
	Schedule                 string
	StartDate                int64
	TestClock                string
	TrialEnd                 int64
	TrialStart               int64
	Discounts                []Discount
	IgnoresCustomerDiscount  bool  `json:",omitzero"` // in the phase of a schedule with empty discounts
	TrialWillEndSent         bool  // for the current TrialEnd
	UpcomingSentFor          int64 // the period end for which invoice.upcoming was sent
}

const subscriptionUpdateParams = olderSubscriptionParams + "description:500? "

// olderSubscriptionParams are the parameters that the paths below customers have too.
const olderSubscriptionParams = "cancel_at:time? cancel_at_period_end:bool collection_method:charge_automatically|send_invoice " +
	"days_until_due:int default_payment_method? metadata:map? off_session:bool " + pendingIntervalParams +
	"payment_behavior:allow_incomplete|default_incomplete|error_if_incomplete|pending_if_incomplete " +
	"payment_settings{save_default_payment_method:off|on_subscription payment_method_types[]?} " +
	"proration_behavior:create_prorations|none|always_invoice " +
	"trial_settings{end_behavior{missing_payment_method:cancel|create_invoice|pause!}!} automatic_tax{enabled:bool!} default_tax_rates[]? "

const newSubscriptionParams = "currency:currency items[]{price plan " + inlineRecurring + "quantity:int metadata:map} plan quantity:int trial_end:when trial_period_days:int " +
	"trial_from_plan:bool billing_cycle_anchor:time add_invoice_items[]{price! quantity:int} "

const cancellationParams = "cancellation_details{comment? feedback:customer_service|low_quality|missing_features|other|switched_service|too_complex|too_expensive|unused?} "

// subscriptions serves /v1/subscriptions.
type subscriptions struct{ *request }

func subscriptionResource() resource {
	return resource{
		objectType: "subscription",
		render: renderFrom(func(s *store) *table[*Subscription] { return s.Subscriptions },
			bind(subscriptions.render)),
		scheduleTimers: func(r *request) {
			for _, sub := range r.store.Subscriptions.all {
				r.renewals.scheduleNext(sub)
			}
		},
		routes: []route{
			on("POST /v1/subscriptions", subscriptionUpdateParams+discountParams+"customer! "+newSubscriptionParams, subscriptions.create),
			on("GET /v1/subscriptions", listParams+"customer price status:active|past_due|unpaid|canceled|incomplete|incomplete_expired|trialing|paused|all|ended collection_method:charge_automatically|send_invoice current_period_start:range current_period_end:range test_clock", subscriptions.list),
			on("GET /v1/subscriptions/{id}", "", subscriptions.get),
			on("POST /v1/subscriptions/{id}", subscriptionUpdateParams+discountParams+cancellationParams+changeParams+pauseParams+"plan quantity:int trial_from_plan:bool", subscriptions.update),
			on("DELETE /v1/subscriptions/{id}", cancellationParams+"invoice_now:bool prorate:bool", subscriptions.cancel),
			on("POST /v1/subscriptions/{id}/resume", resumeParams, subscriptions.resume),
		},
	}
}

func (x *Subscription) hasEnded() bool {
	return x.Status == "canceled" || x.Status == "incomplete_expired"
}

// items returns the subscription's items, oldest first.
func (h subscriptions) items(sub *Subscription) []*SubscriptionItem {
	return h.store.SubscriptionItems.by("subscription", sub.ID)
}

func (h subscriptions) find(in *input) (*Subscription, error) {
	sub, ok := h.store.Subscriptions.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("subscription", in.pathValue("id"), "id")
	}
	return sub, nil
}

func (h subscriptions) get(in *input) (any, error) {
	sub, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return h.render(sub), nil
}

func (h subscriptions) list(in *input) (any, error) {
	rows := h.store.Subscriptions.all
	if in.Has("customer") {
		if _, ok := h.store.Customers.get(in.String("customer")); !ok {
			return nil, wire.NoSuch("customer", in.String("customer"), "customer")
		}
		rows = h.store.Subscriptions.by("customer", in.String("customer"))
	}
	return listing[*Subscription]{
		resource: "subscription", table: h.store.Subscriptions, rows: rows,
		filter: func(x *Subscription) bool { return h.matches(x, in.Params) },
		render: h.render,
	}.page(in)
}

// matches excludes canceled subscriptions unless a status is requested, and those on test clocks
// unless the clock or the customer is named.
func (h subscriptions) matches(x *Subscription, q wire.Params) bool {
	if !x.hasStatus(q.String("status")) || !q.InRange("current_period_start", x.CurrentPeriodStart) || !q.InRange("current_period_end", x.CurrentPeriodEnd) {
		return false
	}
	if !q.Has("customer") && x.TestClock != q.String("test_clock") {
		return false
	}
	if q.Has("collection_method") && x.CollectionMethod != q.String("collection_method") {
		return false
	}
	return !q.Has("price") || h.hasPrice(x, q.String("price"))
}

func (x *Subscription) hasStatus(status string) bool {
	switch status {
	case "all":
		return true
	case "":
		return x.Status != "canceled"
	case "ended":
		return x.hasEnded()
	}
	return x.Status == status
}

func (h subscriptions) hasPrice(x *Subscription, price string) bool {
	for _, item := range h.items(x) {
		if item.Price == price {
			return true
		}
	}
	return false
}

// change runs f and emits customer.subscription.updated if a rendered field changed.
func (h subscriptions) change(sub *Subscription, f func()) {
	before, status := h.render(sub), sub.Status
	f()
	h.emitUpdate("customer.subscription.updated", before, h.render(sub))
	if sub.Status != status {
		h.entitlements.refresh(sub)
	}
}

// end ends the subscription now. It voids the open invoices of an incomplete subscription. Other
// open invoices stay open but are no longer collected automatically.
func (h subscriptions) end(sub *Subscription, status, reason string) {
	wasIncomplete := sub.Status == "incomplete"
	h.pendingUpdates.expire(sub)
	at := h.timeOnClock(sub.TestClock)
	sub.Status, sub.EndedAt, sub.CancellationReason = status, at, reason
	sub.NextPendingInvoice = 0
	if sub.CanceledAt == 0 {
		sub.CanceledAt = at
	}
	for _, inv := range h.store.Invoices.by("subscription", sub.ID) {
		switch {
		case wasIncomplete:
			h.invoicing.void(inv)
		case !inv.isClosed():
			inv.AutoAdvance, inv.NextPaymentAttempt = false, 0
		}
	}
	h.schedules.cancelWithSubscription(sub, reason)
	h.emit("customer.subscription.deleted", h.render(sub))
	h.entitlements.refresh(sub)
}

// cancel serves DELETE: it cancels immediately.
func (h subscriptions) cancel(in *input) (any, error) {
	sub, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if sub.hasEnded() {
		return nil, wire.NotFound("subscription", sub.ID, "id")
	}
	details := in.At("cancellation_details")
	details.SetString("comment", &sub.CancellationComment)
	details.SetString("feedback", &sub.CancellationFeedback)
	if in.Bool("prorate") {
		for _, credit := range h.prorations.unusedCredits(sub, h.timeOnClock(sub.TestClock)) {
			h.invoiceItems.insert(credit)
		}
	}
	// It does not end at the date that was set (recorded by pay-rails/pay).
	sub.CancelAt, sub.CancelAtPeriodEnd = 0, false
	status := "canceled"
	if sub.Status == "incomplete" {
		status = "incomplete_expired"
	}
	usage := h.usages.unbilled(sub)
	h.end(sub, status, "cancellation_requested")
	if in.BoolOr("invoice_now", true) {
		h.renewals.finalInvoice(sub, usage)
	}
	return h.render(sub), nil
}

func (h subscriptions) render(x *Subscription) wire.Object {
	items := h.items(x)
	o := wire.Object{
		"id": x.ID, "object": "subscription", "application": nil, "application_fee_percent": nil,
		"automatic_tax": renderAutomaticTax(x.AutomaticTax), "billing_cycle_anchor": x.BillingCycleAnchor,
		"billing_cycle_anchor_config": nil, "billing_thresholds": nil, "cancel_at": wire.IntOrNull(x.CancelAt),
		"cancel_at_period_end": x.CancelAtPeriodEnd, "canceled_at": wire.IntOrNull(x.CanceledAt),
		"cancellation_details": wire.Object{
			"comment": wire.StringOrNull(x.CancellationComment), "feedback": wire.StringOrNull(x.CancellationFeedback), "reason": wire.StringOrNull(x.CancellationReason),
		},
		"collection_method": x.CollectionMethod, "created": x.Created, "currency": x.Currency,
		"current_period_end": x.CurrentPeriodEnd, "current_period_start": x.CurrentPeriodStart,
		"customer": wire.Ref("customer", x.Customer), "days_until_due": wire.IntOrNull(x.DaysUntilDue),
		"default_payment_method": wire.Ref("payment_method", x.DefaultPaymentMethod), "default_source": nil,
		"default_tax_rates": h.taxRates.renderAll(x.DefaultTaxRates), "description": wire.StringOrNull(x.Description), "discount": nil, "discounts": []any{},
		"ended_at": wire.IntOrNull(x.EndedAt), "invoice_settings": wire.Object{"account_tax_ids": nil, "issuer": wire.Object{"type": "self"}},
		"items": h.renderItems(x, items), "latest_invoice": wire.Ref("invoice", x.LatestInvoice), "livemode": false,
		"metadata": x.Metadata, "next_pending_invoice_item_invoice": wire.IntOrNull(x.NextPendingInvoice), "on_behalf_of": nil,
		"pause_collection": x.renderPause(), "payment_settings": x.renderPaymentSettings(),
		"pending_invoice_item_interval": x.PendingInterval.render(), "pending_setup_intent": wire.Ref("setup_intent", x.PendingSetupIntent),
		"pending_update": h.pendingUpdates.render(x), "plan": nil, "quantity": nil, "schedule": wire.Ref("subscription_schedule", x.Schedule), "start_date": x.StartDate,
		"status": x.Status, "test_clock": wire.Ref("test_clock", x.TestClock), "transfer_data": nil,
		"trial_end": wire.IntOrNull(x.TrialEnd), "trial_settings": wire.Object{"end_behavior": wire.Object{"missing_payment_method": x.MissingPaymentMethod}},
		"trial_start": wire.IntOrNull(x.TrialStart),
	}
	h.renderPlanFields(o, items)
	h.discounts.renderOnSubscription(o, x)
	return o
}

// renderPlanFields renders the legacy fields plan and quantity, which only single-item
// subscriptions have.
func (h subscriptions) renderPlanFields(o wire.Object, items []*SubscriptionItem) {
	if len(items) != 1 {
		return
	}
	if p, ok := h.store.Prices.get(items[0].Price); ok {
		o["plan"] = p.renderPlan()
		if !p.Metered {
			o["quantity"] = items[0].Quantity
		}
	}
}

func (x *Subscription) renderPaymentSettings() wire.Object {
	save := x.SaveDefaultPaymentMethod
	if save == "" {
		save = "off"
	}
	return wire.Object{"payment_method_options": nil, "payment_method_types": wire.StringsOrNull(x.PaymentMethodTypes), "save_default_payment_method": save}
}

func (h subscriptions) renderItems(x *Subscription, items []*SubscriptionItem) wire.Object {
	data := make([]any, len(items))
	for i, item := range items {
		data[i] = h.subscriptionItems.render(item)
	}
	list := wire.List("/v1/subscription_items?subscription="+x.ID, data, false)
	list["total_count"] = len(items)
	return list
}

// singleItem returns the only item of a subscription and its price. The portal supports no others
// (inferred).
func (h subscriptions) singleItem(sub *Subscription) (*Price, *SubscriptionItem, bool) {
	items := h.items(sub)
	if len(items) != 1 {
		return nil, nil, false
	}
	price, ok := h.prices.inCurrency(items[0].Price, sub.Currency)
	return price, items[0], ok
}

func (h subscriptions) firstPrice(sub *Subscription) (*Price, bool) {
	items := h.items(sub)
	if len(items) == 0 {
		return nil, false
	}
	return h.store.Prices.get(items[0].Price)
}
