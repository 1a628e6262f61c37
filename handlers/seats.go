package handlers

import (
	"context"
	"net/http"
	"strings"
	"time"

	"usher/billing"
	"usher/billing/account"
	billingviews "usher/views/billing"
	"usher/views/layout"
	"usher/views/locale"
	"usher/views/ui"
)

// seatPages show the seats and their ledger.
type seatPages struct {
	*site
	overviews  *billing.Overviews
	seatSyncer *billing.SeatSyncer
	seatLedger *billing.SeatLedgers
	histories  *billing.Histories
	changes    *seatChanges
}

// Poll intervals of the seat panel: while a sync is due, and while the next retry is scheduled.
const (
	seatsPollInterval      = 2 * time.Second
	seatsRetryPollInterval = 10 * time.Second
)

// show renders the seat panel, as a page or as a fragment for htmx.
func (p *seatPages) show(w http.ResponseWriter, r *http.Request) error {
	overview, err := p.overviews.Get(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	panel := seatPanel(r.Context(), overview, accessOf(r), p.now())
	if isFragment(r) {
		return render(w, r, http.StatusOK, billingviews.SeatPanel(panel))
	}
	chart, err := p.seatChart(r)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, billingviews.SeatsPage(billingviews.SeatsPageProps{
		Layout: p.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, ""), Panel: panel, Chart: chart,
	}))
}

// seatChart draws the seats of the last twelve months; nil if they never changed.
func (p *seatPages) seatChart(r *http.Request) (*ui.LevelChartProps, error) {
	now := p.histories.Now().UTC()
	from := time.Date(now.Year(), now.Month()-11, 1, 0, 0, 0, 0, time.UTC)
	levels, err := p.histories.SeatLevels(r.Context(), accessOf(r), from)
	if err != nil || len(levels) == 0 {
		return nil, err
	}
	chart := &ui.LevelChartProps{ID: "seat-levels", Title: locale.T(r.Context(), "Seats over the last 12 months"), From: from, Until: from.AddDate(1, 0, 0), Now: now, Unit: locale.T(r.Context(), "Seats")}
	for _, level := range levels {
		words := strings.TrimSpace(level.Change.SubjectName + " " + locale.Phrase(r.Context(), billing.ReasonPhrase(level.Change.Reason)))
		chart.Levels = append(chart.Levels, ui.Level{At: level.At, Value: int64(level.Seats), Words: words})
	}
	return chart, nil
}

// retry starts a seat sync at once.
func (p *seatPages) retry(w http.ResponseWriter, r *http.Request) error {
	if _, err := p.seatSyncer.Retry(r.Context(), accessOf(r)); err != nil {
		return err
	}
	if isFragment(r) {
		return p.show(w, r)
	}
	redirect(w, r, "/organization/seats")
	return nil
}

// undo takes back the change that the form names or, without one, all membership changes that have
// not reached Stripe yet.
func (p *seatPages) undo(w http.ResponseWriter, r *http.Request) error {
	if id := r.PostFormValue("change"); id != "" {
		return p.changes.undo(w, r, id)
	}
	if _, err := p.seatLedger.UndoPendingChanges(r.Context(), accessOf(r)); err != nil {
		return err
	}
	if isFragment(r) {
		return p.show(w, r)
	}
	redirect(w, r, "/organization/seats")
	return nil
}

func seatPanel(ctx context.Context, o billing.Overview, a account.Access, now time.Time) billingviews.SeatPanelProps {
	seats := o.Seats
	panel := billingviews.SeatPanelProps{
		OrganizationID: o.Organization.ID, Billable: seats.Billable, Desired: seats.Desired,
		CheckedAt: seats.CheckedAt, CanManageBilling: a.CanManageBilling(), CanManageMembers: a.CanManageMembers(), Minimum: seats.AcceptedQuantity,
	}
	if seats.PaidUntil != nil {
		panel.PaidUntil = *seats.PaidUntil
	}
	panel.Status = planStatus(o)
	if o.Plan != nil {
		panel.Plan, panel.OverMaximum = o.Plan.Name, seats.OverMaximum
	}
	if seats.Synced || seats.Unconfirmed {
		panel.AtStripe = &seats.Quantity
	}
	panel.State = seatState(seats, now)
	if open := o.OpenInvoice; open != nil && chargesSeats(*open) && panel.State == billingviews.SeatsInSync {
		// Stripe accepted the quantity, but the invoice for it is unpaid.
		panel.State = billingviews.SeatsPaymentNeeded
		if o.Trouble == nil || o.Trouble.Kind != billing.TroublePaying {
			panel.InvoiceURL = payInvoicePath(open.ID)
		}
	}
	setSeatAttempts(ctx, &panel, seats)
	return panel
}

// planStatus returns the status of an organization's plan; empty if it never had one.
func planStatus(o billing.Overview) billing.SubscriptionStatus {
	if o.Subscription == nil {
		return ""
	}
	return o.Subscription.Status
}

// chargesSeats reports whether an invoice charges changes of seats or of the plan within a period.
func chargesSeats(i billing.Invoice) bool {
	return i.Reason == "subscription_update" || i.Reason == "automatic_pending_invoice_item_invoice"
}

// setSeatAttempts sets when the panel polls, when the next attempt is due and why the last one
// failed.
func setSeatAttempts(ctx context.Context, panel *billingviews.SeatPanelProps, seats billing.SeatsOverview) {
	switch panel.State {
	case billingviews.SeatsDebouncing:
		panel.DueAt, panel.PollEvery = *seats.DueAt, seatsPollInterval
	case billingviews.SeatsQueued, billingviews.SeatsSyncing:
		panel.PollEvery = seatsPollInterval
	case billingviews.SeatsDrift:
		panel.NextAttemptAt, panel.PollEvery = *seats.DueAt, seatsPollInterval
	case billingviews.SeatsRetrying:
		panel.NextAttemptAt, panel.PollEvery = *seats.DueAt, seatsRetryPollInterval
		panel.Attempt, panel.Reason = seats.Failures, locale.Phrase(ctx, billing.SeatErrorPhrase(seats.Error))
	case billingviews.SeatsFailed:
		panel.Attempt, panel.Reason = seats.Failures, locale.Phrase(ctx, billing.SeatErrorPhrase(seats.Error))
	}
}

func seatState(s billing.SeatsOverview, now time.Time) billingviews.SeatPanelState {
	scheduled := s.DueAt != nil && s.DueAt.After(now)
	switch {
	case s.Unconfirmed:
		return billingviews.SeatsUnconfirmed
	case !s.Synced:
		return billingviews.SeatsNothingToSync
	case s.Status == billing.SyncOK:
		return billingviews.SeatsInSync
	case s.Status == billing.SyncError && scheduled:
		return billingviews.SeatsRetrying
	case s.Status == billing.SyncError && s.DueAt == nil:
		return billingviews.SeatsFailed
	case s.Syncing:
		return billingviews.SeatsSyncing
	case s.Drift && scheduled:
		return billingviews.SeatsDrift
	case s.Debouncing && scheduled:
		return billingviews.SeatsDebouncing
	}
	return billingviews.SeatsQueued
}

// seatRowProps returns the one-line summary of the seats. Without a running plan it says nothing
// about what is billed: an earlier invoice may be open.
func seatRowProps(ctx context.Context, s billing.SeatsOverview, now time.Time) ui.SeatRowProps {
	if !s.Synced {
		return ui.SeatRowProps{Vacant: s.Billable, Sentence: locale.T(ctx, "%s to seat once a plan is running.", ui.People(ctx, s.Billable))}
	}
	row := ui.SeatRowProps{
		Billed: min(s.Billable, s.Quantity), Free: max(0, s.Quantity-s.Billable),
		Sentence: locale.T(ctx, "%s, %s at Stripe, checked %s.", ui.People(ctx, s.Billable), ui.Seats(ctx, s.Quantity), checkedTime(ctx, s.CheckedAt, now)),
	}
	missing := max(0, s.Desired-s.Quantity)
	if s.Status == billing.SyncError {
		row.Failed = missing
	} else {
		row.Pending = missing
	}
	return row
}

// checkedTime formats when something was read at Stripe, with the day unless it is today.
func checkedTime(ctx context.Context, at, now time.Time) string {
	if at.UTC().Format(time.DateOnly) == now.UTC().Format(time.DateOnly) {
		return at.UTC().Format("15:04 MST")
	}
	return locale.DateTime(ctx, at)
}
