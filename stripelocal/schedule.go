package stripelocal

import "usher/stripelocal/wire"

// SubscriptionSchedule changes a subscription at set times (API reference: subscription schedules).
// One that starts later has no subscription until then.
type SubscriptionSchedule struct {
	Base
	CanceledAt           int64
	CompletedAt          int64
	CurrentPhase         int // index in Phases
	Customer             string
	EndBehavior          string // release or cancel
	Metadata             map[string]string
	Phases               []SchedulePhase
	ReleasedSubscription string // set when released
	ReleasedAt           int64
	Status               string // not_started, active, completed, released or canceled
	Subscription         string
	TestClock            string
	ExpiryNotedFor       int64 `json:",omitzero"` // end of the last phase whose notice was sent or came too late
}

// SchedulePhase is the configuration of the subscription from StartDate until EndDate.
type SchedulePhase struct {
	StartDate            int64
	EndDate              int64
	Items                []plannedItem // without ids
	CollectionMethod     string        // empty is the subscription's, as below
	DefaultPaymentMethod string
	Description          string
	Metadata             map[string]string
	ProrationBehavior    string
	TrialEnd             int64
	Discounts            []Discount
	HasDiscounts         bool // false in a state file of an earlier version: the subscription's

	IgnoresCustomerDiscount bool `json:",omitzero"`
}

const (
	phaseParams = "phases[]{items[]{price! quantity:int metadata:map}! end_date:when iterations:int metadata:map " +
		"proration_behavior:create_prorations|none|always_invoice trial:bool trial_end:when collection_method:charge_automatically|send_invoice " +
		"default_payment_method description:500? discounts[]{coupon discount promotion_code}? "
	scheduleParams = "end_behavior:cancel|none|release|renew metadata:map? "
)

// schedules serves /v1/subscription_schedules.
type schedules struct{ *request }

func scheduleResource() resource {
	return resource{
		objectType: "subscription_schedule",
		render: renderFrom(func(s *store) *table[*SubscriptionSchedule] { return s.SubscriptionSchedules },
			bind(schedules.render)),
		scheduleTimers: func(r *request) {
			for _, x := range r.store.SubscriptionSchedules.all {
				r.schedules.scheduleStart(x)
				r.schedules.scheduleExpiring(x)
			}
		},
		routes: []route{
			on("POST /v1/subscription_schedules", phaseParams+"currency} "+scheduleParams+"customer from_subscription start_date:when", schedules.create),
			on("GET /v1/subscription_schedules", listParams+"customer canceled_at:range completed_at:range released_at:range scheduled:bool", schedules.list),
			on("GET /v1/subscription_schedules/{id}", "", schedules.get),
			on("POST /v1/subscription_schedules/{id}", phaseParams+"start_date:when} "+scheduleParams+"proration_behavior:create_prorations|none|always_invoice", schedules.update),
			on("POST /v1/subscription_schedules/{id}/release", "", schedules.release),
			on("POST /v1/subscription_schedules/{id}/cancel", "invoice_now:bool prorate:bool", schedules.cancel),
		},
	}
}

func (h schedules) find(in *input) (*SubscriptionSchedule, error) {
	x, ok := h.store.SubscriptionSchedules.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("subscription_schedule", in.pathValue("id"), "schedule")
	}
	return x, nil
}

func (h schedules) findActive(in *input) (*SubscriptionSchedule, *Subscription, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, nil, err
	}
	sub, ok := h.store.Subscriptions.get(x.Subscription)
	if x.Status != "active" || !ok {
		return nil, nil, wire.Invalid("", "", "You cannot change a subscription schedule that is currently in the `"+x.Status+"` status.")
	}
	return x, sub, nil
}

func (h schedules) get(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return h.render(x), nil
}

func (h schedules) list(in *input) (any, error) {
	return listing[*SubscriptionSchedule]{
		resource: "subscription_schedule", table: h.store.SubscriptionSchedules, rows: h.store.SubscriptionSchedules.all,
		filter: func(x *SubscriptionSchedule) bool {
			return (!in.Has("customer") && x.TestClock == "" || x.Customer == in.String("customer")) &&
				in.Params.InRange("canceled_at", x.CanceledAt) && in.Params.InRange("completed_at", x.CompletedAt) &&
				in.Params.InRange("released_at", x.ReleasedAt) && (!in.Bool("scheduled") || x.Status == "not_started")
		},
		render: h.render,
	}.page(in)
}

func (h schedules) create(in *input) (any, error) {
	if !in.Has("from_subscription") {
		return h.createWithSubscription(in)
	}
	for _, name := range in.Names() {
		if name != "from_subscription" && name != "expand" {
			return nil, wire.Invalid("", name, "You cannot set `"+name+"` if `from_subscription` is set.")
		}
	}
	sub, ok := h.store.Subscriptions.get(in.String("from_subscription"))
	switch {
	case !ok:
		return nil, wire.NoSuch("subscription", in.String("from_subscription"), "from_subscription")
	case sub.Schedule != "":
		return nil, wire.Invalid("", "from_subscription", "You cannot migrate a subscription that is already attached to a schedule: "+sub.Schedule)
	case sub.hasEnded() || sub.Status == "incomplete":
		return nil, wire.Invalid("", "from_subscription", "You cannot migrate a subscription that is `"+sub.Status+"`.")
	}
	phase := SchedulePhase{
		StartDate: sub.CurrentPeriodStart, EndDate: sub.CurrentPeriodEnd, Items: h.itemsWithoutIDs(sub), Metadata: sub.Metadata, TrialEnd: 0,
		Discounts: sub.Discounts, HasDiscounts: true, IgnoresCustomerDiscount: sub.IgnoresCustomerDiscount,
	}
	if sub.Status == "trialing" {
		phase.TrialEnd = sub.TrialEnd
	}
	return h.render(h.attach(sub, &SubscriptionSchedule{EndBehavior: "release", Metadata: map[string]string{}, Phases: []SchedulePhase{phase}})), nil
}

// attach creates a schedule for a subscription.
func (h schedules) attach(sub *Subscription, x *SubscriptionSchedule) *SubscriptionSchedule {
	x.Base = Base{ID: h.ids.longID("sub_sched_1"), Created: h.timeOnClock(sub.TestClock)}
	x.Customer, x.Subscription, x.TestClock, x.Status = sub.Customer, sub.ID, sub.TestClock, "active"
	h.store.SubscriptionSchedules.insert(x)
	h.subscriptions.change(sub, func() { sub.Schedule = x.ID })
	h.trackPhaseEnd(sub, x)
	h.emit("subscription_schedule.created", h.render(x))
	return x
}

// createWithSubscription creates a subscription together with its schedule, or a schedule that
// creates it later.
func (h schedules) createWithSubscription(in *input) (any, error) {
	c, err := h.customers.fromParam(in.Params, "customer")
	if err != nil {
		return nil, err
	}
	now := h.timeFor(c)
	begin := now
	if in.Has("start_date") && in.String("start_date") != "now" {
		begin = max(now, in.Int("start_date"))
	}
	phases, err := h.phasesFromParams(in, &Subscription{Customer: c.ID, TestClock: c.TestClock}, begin, now)
	if err == nil {
		err = h.checkFirstPhase(c.ID, phases[0])
	}
	if err != nil {
		return nil, err
	}
	x := &SubscriptionSchedule{
		Customer: c.ID, TestClock: c.TestClock, EndBehavior: in.StringOr("end_behavior", "release"), Metadata: in.Metadata(), Phases: phases,
	}
	if begin > now {
		return h.render(h.insertNotStarted(x)), nil
	}
	sub, inv := h.startSubscription(x)
	h.attach(sub, x)
	if inv != nil {
		h.invoicing.finalizeAndPay(inv)
	}
	return h.render(x), nil
}

// checkFirstPhase checks the items with which a schedule starts a subscription.
func (h schedules) checkFirstPhase(customer string, phase SchedulePhase) error {
	items := h.newItems(phase)
	if err := checkItems(items); err != nil {
		return err
	}
	return h.customers.checkCurrency(customer, items[0].price.Currency)
}

func (h schedules) newItems(phase SchedulePhase) []newItem {
	var items []newItem
	for _, i := range phase.Items {
		p, _ := h.store.Prices.get(i.Price)
		items = append(items, newItem{price: p, quantity: i.Quantity, metadata: i.Metadata})
	}
	return items
}

// startSubscription creates the subscription of the first phase. Its first invoice is collected
// like a renewal's: the invoice is nil if that is not for the caller to do.
func (h schedules) startSubscription(x *SubscriptionSchedule) (*Subscription, *Invoice) {
	phase, items := x.Phases[0], h.newItems(x.Phases[0])
	sub := &Subscription{
		Customer: x.Customer, TestClock: x.TestClock, Metadata: phase.Metadata, MissingPaymentMethod: "create_invoice",
		CollectionMethod: "charge_automatically", TrialEnd: phase.TrialEnd, Currency: items[0].price.Currency,
	}
	phase.applyTo(sub)
	h.enterPhaseDiscounts(sub, phase)
	inv := h.subscriptions.start(sub, items, nil)
	if sub.Status != "incomplete" {
		return sub, nil
	}
	sub.Status = "active"
	return sub, inv
}

func (h schedules) update(in *input) (any, error) {
	if x, ok := h.notStarted(in); ok {
		return h.updateNotStarted(x, in)
	}
	x, sub, err := h.findActive(in)
	if err != nil {
		return nil, err
	}
	phases := x.Phases
	if in.Has("phases") {
		now := h.timeOnClock(sub.TestClock)
		if phases, err = h.phasesFromParams(in, sub, now, now); err != nil {
			return nil, err
		}
		if now < phases[0].StartDate || now >= phases[len(phases)-1].EndDate {
			return nil, wire.Invalid("", "phases", "The phases must include the current one.")
		}
	}
	before := h.render(x)
	in.SetString("end_behavior", &x.EndBehavior)
	in.SetMetadata(&x.Metadata)
	x.Phases, x.CurrentPhase = phases, phaseAt(phases, h.timeOnClock(sub.TestClock))
	h.applyPhase(sub, x.Phases[x.CurrentPhase], in.String("proration_behavior"))
	h.trackPhaseEnd(sub, x)
	h.emitUpdate("subscription_schedule.updated", before, h.render(x))
	return h.render(x), nil
}

func phaseAt(phases []SchedulePhase, now int64) int {
	for i, p := range phases {
		if now < p.EndDate {
			return i
		}
	}
	return len(phases) - 1
}

// phasesFromParams reads phases[]. The first one starts at begin unless it says otherwise, and each
// other at the end of the previous one.
func (h schedules) phasesFromParams(in *input, sub *Subscription, begin, now int64) ([]SchedulePhase, error) {
	var out []SchedulePhase
	for _, p := range in.List("phases") {
		phase, err := h.phaseFromParams(p, begin, now, p.StringOr("currency", sub.Currency))
		if err != nil {
			return nil, err
		}
		if phase.Discounts, err = h.phaseDiscounts(sub, p); err != nil {
			return nil, err
		}
		phase.IgnoresCustomerDiscount = ignoresCustomerDiscount(p)
		if pm, ok := h.store.PaymentMethods.get(phase.DefaultPaymentMethod); phase.DefaultPaymentMethod != "" && (!ok || pm.Customer != sub.Customer) {
			return nil, wire.NoSuch("PaymentMethod", phase.DefaultPaymentMethod, p.Name("default_payment_method"))
		}
		if len(out) > 0 && phase.StartDate != begin {
			return nil, wire.Invalid("", p.Name("start_date"), "The start date of a phase must be the end date of the one before it.")
		}
		out, begin = append(out, phase), phase.EndDate
	}
	if len(out) == 0 {
		return nil, wire.MissingParam("phases")
	}
	return out, nil
}

func (h schedules) phaseFromParams(p wire.Params, begin, now int64, currency string) (SchedulePhase, error) {
	timeOf := func(name string, otherwise int64) int64 {
		if p.String(name) == "now" {
			return now
		}
		return p.IntOr(name, otherwise)
	}
	phase := SchedulePhase{
		StartDate: timeOf("start_date", begin), Metadata: p.Metadata(), ProrationBehavior: p.String("proration_behavior"),
		CollectionMethod: p.String("collection_method"), DefaultPaymentMethod: p.String("default_payment_method"), Description: p.String("description"), HasDiscounts: true,
	}
	for _, i := range p.List("items") {
		price, err := h.prices.recurringFromParams(i, "price")
		if err != nil {
			return phase, err
		}
		if currency != "" && !price.supports(currency) {
			return phase, wire.Invalid("", i.Name("price"), "All prices of a schedule must have the subscription's currency, `"+currency+"`.")
		}
		phase.Items = append(phase.Items, plannedItem{Price: price.ID, Quantity: price.quantityFrom(i), Metadata: i.Metadata()})
	}
	if len(phase.Items) == 0 {
		return phase, wire.MissingParam(p.Name("items"))
	}
	first, _ := h.store.Prices.get(phase.Items[0].Price)
	phase.EndDate = timeOf("end_date", wire.AddIntervals(phase.StartDate, first.Interval, first.IntervalCount*max(1, p.IntOr("iterations", 1))))
	if phase.TrialEnd = timeOf("trial_end", 0); p.Bool("trial") {
		phase.TrialEnd = phase.EndDate
	}
	if phase.EndDate <= phase.StartDate || p.Has("end_date") && p.Has("iterations") {
		return phase, wire.Invalid("", p.Name("end_date"), "A phase must end after it starts, by either `end_date` or `iterations`.")
	}
	return phase, nil
}
