package billing

import (
	"context"
	"fmt"
	"slices"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// previewLifetime is how long a preview can be confirmed. After that the person sees a new one.
const previewLifetime = time.Hour

// InvoicePreview is an invoice that Stripe calculated and did not create.
type InvoicePreview struct {
	AmountDue catalog.Money `json:"amountDue"` // after the customer's balance
	Total     catalog.Money `json:"total"`     // may be negative: it is credited to the customer's balance
	Subtotal  catalog.Money `json:"subtotal"`  // the sum of the lines, before discounts and added tax
	Tax       catalog.Money `json:"tax"`       // added to the lines, or included in them
	// TaxIncluded is the part of Tax that the amounts of the lines include.
	TaxIncluded catalog.Money `json:"taxIncluded"`
	Discount    catalog.Money `json:"discount"` // of all discounts; positive
	// BalanceUsed is the difference of AmountDue to Total: negative if the customer's balance pays
	// a part of the invoice, positive if the balance grows.
	BalanceUsed catalog.Money `json:"balanceUsed"`
	// EndingBalance is the customer's balance afterwards: negative is a credit.
	EndingBalance catalog.Money `json:"endingBalance"`
	At            time.Time     `json:"at"`                   // when the invoice is created
	ProratedAt    *time.Time    `json:"proratedAt,omitempty"` // the time of its prorations; nil: it has none
	// Of an upcoming invoice: CollectedAt is when Stripe collects it, about an hour after At;
	// PendingItemsAt is about when Stripe invoices pending items before the renewal
	// (next_pending_invoice_item_invoice). nil: not known, or never.
	CollectedAt    *time.Time        `json:"collectedAt,omitempty"`
	PendingItemsAt *time.Time        `json:"pendingItemsAt,omitempty"`
	Lines          []PreviewLine     `json:"lines"`
	MoreLines      bool              `json:"moreLines,omitempty"` // Lines is not complete
	Discounts      []PreviewDiscount `json:"discounts,omitempty"`
	AutomaticTax   bool              `json:"automaticTax,omitempty"` // Stripe calculates the tax
}

// PreviewDiscount is a discount that applies to a previewed invoice.
type PreviewDiscount struct {
	ID       string     // di_…
	CouponID string     // empty in an answer that the release before stored
	Once     bool       // it applies to one invoice only
	EndsAt   *time.Time // nil: never, or with the one invoice
}

// hasPending reports whether the preview has lines that are not of a whole period: seat changes
// and other items that are pending.
func (p InvoicePreview) hasPending() bool {
	return slices.ContainsFunc(p.Lines, func(l PreviewLine) bool { return l.Proration || !l.Subscription })
}

// PreviewLine is a line of a preview.
type PreviewLine struct {
	Description  string
	Amount       catalog.Money
	Net          catalog.Money // after discounts, with the tax that is added to it
	Proration    bool
	Credit       bool // a proration of unused time
	Subscription bool // a line of a whole period
	Metered      bool // the price is charged by usage
	PriceID      string
	ItemID       string // of the subscription; empty: none
	Quantity     int
	PeriodStart  time.Time
	PeriodEnd    time.Time
}

// invoiceLines returns the lines of a subscription's preview as those of an invoice.
func invoiceLines(subscriptionID string, preview []PreviewLine) []InvoiceLine {
	lines := make([]InvoiceLine, 0, len(preview))
	for _, line := range preview {
		lines = append(lines, InvoiceLine{
			SubscriptionID: subscriptionID, Subscription: line.Subscription, Proration: line.Proration, Credit: line.Credit, PriceID: line.PriceID,
			Quantity: line.Quantity, Description: line.Description, Metered: line.Metered, Amount: line.Amount.Minor,
			PeriodStart: line.PeriodStart, PeriodEnd: line.PeriodEnd,
		})
	}
	return lines
}

// PlanPreview is what a plan change costs. Every amount is Stripe's.
type PlanPreview struct {
	Change   PlanChange // its ID is the confirm token
	From, To PlanOffer
	// FromQuantity is the quantity that is billed until the change.
	FromQuantity int
	// DueNow is charged when the change is confirmed; zero for a downgrade and in a trial.
	DueNow catalog.Money
	// Credit is what remains of the former price and goes to the customer's balance; zero:
	// nothing.
	Credit catalog.Money
	Lines  []PreviewLine // of the invoice that is created at once; none: no invoice is created
	// MoreLines means that Lines is not complete.
	MoreLines bool
	Next      NextInvoicePreview
	// Invoice is the invoice that is created at once, as Stripe calculated it; of an upgrade only.
	Invoice InvoicePreview
}

// NextInvoicePreview is the first regular invoice of the new price.
type NextInvoicePreview struct {
	At     time.Time
	Amount catalog.Money
	Lines  []PreviewLine
}

// Confirm returns the token that confirms the preview.
func (p PlanPreview) Confirm() string { return p.Change.ID }

// Quantity returns the quantity that is billed from the change on.
func (p PlanPreview) Quantity() int { return p.Change.Quantity }

// Preview returns what a change to a plan costs and stores it for the confirmation. Errors:
// CodeForbidden; CodeInvalid for an unknown plan; CodeConflict with the reason if the plan cannot
// be changed; CodeStripe.
func (pc *PlanChanges) Preview(ctx context.Context, a account.Access, planID string, interval catalog.Interval) (PlanPreview, error) {
	if err := a.RequireBilling(); err != nil {
		return PlanPreview{}, err
	}
	to, err := pc.offer(planID, interval)
	if err != nil {
		return PlanPreview{}, err
	}
	calls, cancel := pc.limitStripe(ctx)
	defer cancel()
	return pc.preview(ctx, calls, a, to)
}

// preview is Preview of an offer. calls is the context of the calls to Stripe.
func (pc *PlanChanges) preview(ctx, calls context.Context, a account.Access, to PlanOffer) (PlanPreview, error) {
	current, err := pc.refetchCurrent(calls, a)
	if err != nil {
		return PlanPreview{}, err
	}
	change, err := pc.draft(ctx, a, current, to)
	if err != nil {
		return PlanPreview{}, err
	}
	preview, err := pc.calculate(calls, current, change, to)
	if err != nil {
		return PlanPreview{}, err
	}
	preview.Change.Digest = preview.digest()
	if err := pc.store.PlanChanges().Insert(ctx, preview.Change); err != nil {
		return PlanPreview{}, fmt.Errorf("store preview: %w", err)
	}
	return preview, nil
}

// draft recounts the seats and fixes the parameters of a change.
func (pc *PlanChanges) draft(ctx context.Context, a account.Access, current Subscription, to PlanOffer) (PlanChange, error) {
	from := pc.offerOf(current.PriceID)
	var change PlanChange
	err := pc.store.InTx(ctx, func(tx Tx) error {
		organization, err := tx.Organizations().Lock(ctx, a.Organization.ID)
		if err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		if err := organization.RequireNotDeleting(); err != nil {
			return err
		}
		state, billed, err := tx.Seats().LockAndCount(ctx, organization.ID)
		if err != nil {
			return fmt.Errorf("count billable members: %w", err)
		}
		if err := state.requireConfirmedSeats(current); err != nil {
			return err
		}
		if err := checkPlanChange(current, from, to, billed); err != nil {
			return err
		}
		change = PlanChange{
			ID: pc.NewID("chg"), OrganizationID: organization.ID, SubscriptionID: current.ID, ItemID: current.ItemID,
			Kind: classifyPlanChange(current, from, to, billed), Status: PlanChangePreviewed, FromPriceID: current.PriceID,
			PriceID: to.Price.ID, Quantity: changeQuantity(to.Plan, state, billed), PeriodEnd: current.CurrentPeriodEnd,
			Currency: to.Price.Amount.Currency, RequestedBy: a.User.ID, PreviewedAt: pc.Now(), SeatVersion: state.SyncVersion,
		}
		return nil
	})
	change.setTimes(current)
	return change, err
}

// setTimes sets the proration date of an upgrade and the trial's end of a change in a trial. The
// date lies within the current period, as Stripe requires, even if the clocks differ. A
// subscription on a test clock has another time than this machine: the date comes with Stripe's
// preview.
func (c *PlanChange) setTimes(current Subscription) {
	switch c.Kind {
	case PlanTrialChange:
		c.TrialEnd = current.TrialEnd
	case PlanUpgrade:
		if current.TestClock {
			return
		}
		at := c.PreviewedAt.UTC().Truncate(time.Second)
		if at.Before(current.CurrentPeriodStart) {
			at = current.CurrentPeriodStart
		}
		if at.After(current.CurrentPeriodEnd) {
			at = current.CurrentPeriodEnd
		}
		c.ProratedAt = &at
	}
}

// calculate fetches from Stripe what a change costs.
func (pc *PlanChanges) calculate(ctx context.Context, current Subscription, change PlanChange, to PlanOffer) (PlanPreview, error) {
	preview := PlanPreview{Change: change, From: pc.offerOf(change.FromPriceID), To: to, FromQuantity: current.Quantity}
	preview.DueNow, preview.Credit = catalog.Money{Currency: change.Currency}, catalog.Money{Currency: change.Currency}
	var err error
	if change.Kind == PlanUpgrade {
		if err := pc.calculateNow(ctx, &preview); err != nil {
			return preview, err
		}
	}
	if preview.Next.At.IsZero() {
		preview.Next, err = pc.nextInvoice(ctx, current, change, preview.From, to)
	}
	return preview, err
}

// calculateNow sets what an upgrade costs at once. If a new period begins with it, its line is
// also what every further invoice will have.
func (pc *PlanChanges) calculateNow(ctx context.Context, preview *PlanPreview) error {
	invoice, err := pc.gateway.PreviewPlanChange(ctx, preview.Change.update())
	if err != nil {
		return previewFailed(err)
	}
	preview.Change.AmountDue = invoice.AmountDue.Minor
	if preview.Change.ProratedAt == nil {
		preview.Change.ProratedAt = invoice.ProratedAt
	}
	preview.Invoice = invoice
	preview.DueNow, preview.Lines, preview.MoreLines = invoice.AmountDue, invoice.Lines, invoice.MoreLines
	if invoice.Total.Minor < 0 {
		preview.Credit.Minor = -invoice.Total.Minor
	}
	for _, line := range invoice.Lines {
		if line.Subscription && !line.Proration && line.PriceID == preview.Change.PriceID {
			preview.Next = NextInvoicePreview{At: line.PeriodEnd, Amount: line.Net, Lines: []PreviewLine{line}}
		}
	}
	return nil
}

// nextInvoice returns the first regular invoice of the new price. Stripe cannot preview an
// interval that changes later. It is previewed as if it changed at once, which bills a whole period
// (https://docs.stripe.com/billing/subscriptions/billing-cycle), with those discounts of the
// subscription that Stripe still applies at the renewal.
func (pc *PlanChanges) nextInvoice(ctx context.Context, current Subscription, change PlanChange, from, to PlanOffer) (NextInvoicePreview, error) {
	update := change.update()
	update.Proration, update.ProratedAt = catalog.ProrationNone, nil
	later := change.Kind == PlanDowngrade && from.Price.Interval != to.Price.Interval
	if later || change.Kind == PlanDowngrade && current.PendingInvoiceInterval != "" {
		discounts, err := pc.renewalDiscounts(ctx, current)
		if err != nil {
			return NextInvoicePreview{}, previewFailed(err)
		}
		update.Discounts = &discounts
	}
	invoice, err := pc.gateway.PreviewPlanChange(ctx, update)
	if err != nil {
		return NextInvoicePreview{}, previewFailed(err)
	}
	next := NextInvoicePreview{At: invoice.At, Amount: invoice.AmountDue, Lines: invoice.Lines}
	if later {
		next.At = change.PeriodEnd
	}
	regular, lines := regularLines(invoice)
	switch {
	case change.Kind == PlanUpgrade:
		// Prorations that are pending now are on the invoice that the change creates at once.
		next.Amount, next.Lines = regular, lines
	case current.PendingInvoiceInterval != "" && invoice.Total.Minor > regular.Minor && regular.Minor < next.Amount.Minor:
		// They are on an invoice before the renewal, which uses up the customer's balance first. If
		// they are a credit, it comes to the renewal through that balance.
		next.Amount, next.Lines = regular, lines
	}
	return next, nil
}

// renewalDiscounts lists the discounts (di_…) that count at the renewal. A coupon for one invoice
// is left out if an invoice of pending items comes before: that one may use it up, and the amount
// shown must not be too low.
func (pc *PlanChanges) renewalDiscounts(ctx context.Context, current Subscription) ([]string, error) {
	renewal, err := pc.gateway.PreviewPeriodEnd(ctx, current, false)
	if err != nil {
		return nil, err
	}
	ids := []string{}
	for _, discount := range renewal.Discounts {
		if !discount.Once || current.PendingInvoiceInterval == "" || !renewal.hasPending() {
			ids = append(ids, discount.ID)
		}
	}
	return ids, nil
}

// regularLines returns the lines of whole periods and their sum.
func regularLines(invoice InvoicePreview) (catalog.Money, []PreviewLine) {
	sum := catalog.Money{Currency: invoice.Total.Currency}
	var lines []PreviewLine
	for _, line := range invoice.Lines {
		if line.Subscription && !line.Proration {
			sum.Minor += line.Net.Minor
			lines = append(lines, line)
		}
	}
	return sum, lines
}

// previewFailed is the error for a preview that Stripe did not give.
func previewFailed(err error) error {
	return &apperr.Error{
		Code: apperr.CodeStripe, Err: fmt.Errorf("preview plan change: %w", err),
		Message: "Stripe could not tell what the change costs. Nothing was changed. Please try again in a moment.",
	}
}
