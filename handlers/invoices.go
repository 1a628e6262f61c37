package handlers

import (
	"context"
	"net/http"

	"usher/billing"
	"usher/billing/catalog"
	billingviews "usher/views/billing"
	"usher/views/layout"
	"usher/views/locale"
	"usher/views/ui"
)

// invoicesOnTab is how many invoices the billing tab shows.
const invoicesOnTab = 5

// invoicesPerPage is the page size of the list.
const invoicesPerPage = 25

func (p *billingPages) showInvoices(w http.ResponseWriter, r *http.Request) error {
	search := billing.InvoiceSearch{Year: queryYear(r), Offset: (pageNumber(r) - 1) * invoicesPerPage, Limit: invoicesPerPage, Brief: true}
	invoices, total, err := p.invoices.Search(r.Context(), accessOf(r), search)
	if err != nil {
		return err
	}
	from, _, pager := paginate(r, total, invoicesPerPage)
	if from != search.Offset { // beyond the last page: show that one
		search.Offset = from
		if invoices, _, err = p.invoices.Search(r.Context(), accessOf(r), search); err != nil {
			return err
		}
	}
	years, err := p.invoices.Years(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	props := billingviews.InvoicesPageProps{
		Layout: p.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabBilling),
		Years: yearFilter(r.Context(), years, search.Year), CSVHref: invoicesCSVPath(search.Year), Pager: pager,
	}
	for _, invoice := range invoices {
		props.Invoices = append(props.Invoices, explainedRow(r.Context(), invoice))
	}
	months, err := p.histories.Months(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	if sum := billing.SumOf(months); sum.Invoiced.Minor > 0 || len(sum.Others) > 0 {
		props.Total, props.TotalNotes = &sum.Invoiced, monthNotes(r.Context(), sum)
	}
	props.History = chartOf(r, months, false)
	return render(w, r, http.StatusOK, billingviews.InvoicesPage(props))
}

func invoiceRow(ctx context.Context, i billing.Invoice) billingviews.InvoiceRow {
	row := billingviews.InvoiceRow{
		Number: i.Number, Date: i.CreatedAt, Why: locale.Lookup(ctx, invoiceReasons[i.Reason]), Amount: i.TotalMoney(), Status: invoiceBadge(ctx, i), Details: invoiceDetails(ctx, i),
	}
	if i.FinalizedAt != nil {
		row.Date = *i.FinalizedAt
	}
	if row.Why == "" {
		row.Why = locale.T(ctx, "Other")
	}
	if i.Number != "" {
		row.Href = invoicePath(i)
		if i.AmountDue > 0 && (i.Status == billing.InvoiceOpen || i.Status == billing.InvoiceUncollectible) {
			row.PayHref = payInvoicePath(i.ID)
		}
	}
	return row
}

// invoiceReasons are the labels of Stripe's billing_reason
// (https://docs.stripe.com/api/invoices/object#invoice_object-billing_reason).
var invoiceReasons = map[string]string{
	"subscription_create":                    locale.Mark("Plan begins"),
	"subscription_cycle":                     locale.Mark("Renewal"),
	"subscription_update":                    locale.Mark("Seats or plan changed"),
	"manual":                                 locale.Mark("By hand"),
	"automatic_pending_invoice_item_invoice": locale.Mark("Seats or plan changed"),
}

func invoiceBadge(ctx context.Context, i billing.Invoice) ui.BadgeProps {
	some, all := i.Returned()
	switch i.Status {
	case billing.InvoicePaid:
		switch {
		case i.Disputed > 0:
			return ui.BadgeProps{Tone: ui.Wait, Label: locale.T(ctx, "Disputed")}
		case all && i.Lost > 0:
			return ui.BadgeProps{Tone: ui.Bad, Label: locale.T(ctx, "Dispute lost")}
		case some && i.Refunded+i.Lost == 0:
			return ui.BadgeProps{Tone: ui.Note, Label: creditedLabel(ctx, all)}
		case all:
			return ui.BadgeProps{Tone: ui.Note, Label: locale.T(ctx, "Refunded")}
		case some:
			return ui.BadgeProps{Tone: ui.Note, Label: locale.T(ctx, "Partly refunded")}
		}
		return ui.BadgeProps{Tone: ui.Good, Label: locale.T(ctx, "Paid")}
	case billing.InvoiceOpen:
		switch {
		case i.ActionRequired:
			return ui.BadgeProps{Tone: ui.Wait, Label: locale.T(ctx, "Confirmation needed")}
		case i.Attempts > 0:
			return ui.BadgeProps{Tone: ui.Bad, Label: locale.T(ctx, "Payment failed")}
		}
		return ui.BadgeProps{Tone: ui.Wait, Label: locale.T(ctx, "To be paid")}
	case billing.InvoiceVoid:
		return ui.BadgeProps{Tone: ui.Note, Label: locale.T(ctx, "Void")}
	case billing.InvoiceDraft:
		return ui.BadgeProps{Tone: ui.Note, Label: locale.T(ctx, "Draft")}
	case billing.InvoiceUncollectible:
		return ui.BadgeProps{Tone: ui.Bad, Label: locale.T(ctx, "Uncollectible")}
	}
	return ui.BadgeProps{Tone: ui.Bad, Label: locale.T(ctx, "Not paid")}
}

func creditedLabel(ctx context.Context, all bool) string {
	if all {
		return locale.T(ctx, "Credited")
	}
	return locale.T(ctx, "Partly credited")
}

// invoiceDetails says what became of a part of the amount.
func invoiceDetails(ctx context.Context, i billing.Invoice) []string {
	var details []string
	money := func(minor int64) string { return locale.Money(ctx, catalog.Money{Minor: minor, Currency: i.Currency}) }
	for _, part := range []struct {
		minor int64
		text  string
	}{
		{i.Refunded, locale.T(ctx, "%s refunded", money(i.Refunded))},
		{i.CreditedMinor(), locale.T(ctx, "%s credited", money(i.CreditedMinor()))},
		{i.Lost, locale.T(ctx, "%s lost in a dispute", money(i.Lost))},
		{i.Disputed, locale.T(ctx, "%s disputed", money(i.Disputed))},
	} {
		if part.minor > 0 {
			details = append(details, part.text)
		}
	}
	return details
}

// addInvoices adds the newest invoices with their months, and notices about duplicate
// subscriptions.
func (p *billingPages) addInvoices(r *http.Request, o billing.Overview, panel billingviews.PanelProps) (billingviews.PanelProps, error) {
	invoices, total, err := p.invoices.Search(r.Context(), accessOf(r), billing.InvoiceSearch{Limit: invoicesOnTab, Brief: true})
	if err != nil {
		return panel, err
	}
	for _, invoice := range invoices {
		panel.Invoices = append(panel.Invoices, currentRow(r.Context(), o, invoice))
	}
	if total > 0 {
		panel.InvoicesHref = "/billing/invoices"
		months, err := p.histories.Months(r.Context(), accessOf(r))
		if err != nil {
			return panel, err
		}
		panel.History = chartOf(r, months, false)
	}
	duplicates, err := p.duplicates.List(r.Context(), accessOf(r))
	for _, duplicate := range duplicates {
		if notice, ok := duplicateNotice(r.Context(), duplicate); ok {
			panel.Notices = append(panel.Notices, notice)
		}
	}
	if err != nil {
		return panel, err
	}
	canceled, err := p.trials.Canceled(r.Context(), accessOf(r))
	for _, trial := range canceled {
		if panel.Subscription == nil || panel.Subscription.EndedAt.IsZero() {
			continue // another plan was bought since
		}
		panel.Notices = append(panel.Notices, ui.NoticeProps{
			Tone: ui.Note, Title: locale.T(r.Context(), "The free trial was canceled on %s.", locale.Date(r.Context(), *trial.CanceledAt)),
			Body: locale.T(r.Context(), "Its card has had a free trial in another organization. Nothing was charged. Choose a plan to start without a trial."),
		})
	}
	return panel, err
}

// currentRow is explainedRow with what is known of the payment before Stripe's event about it
// arrives, so that the list agrees with the messages above it.
func currentRow(ctx context.Context, o billing.Overview, i billing.ExplainedInvoice) billingviews.InvoiceRow {
	row := explainedRow(ctx, i)
	if o.PaymentReceived(i.Invoice) {
		row.Status, row.PayHref = ui.BadgeProps{Tone: ui.Wait, Label: locale.T(ctx, "Payment received")}, ""
	}
	return row
}

// duplicateNotice describes what happens to a duplicate subscription; false if there is nothing to
// show.
func duplicateNotice(ctx context.Context, s billing.DuplicateSubscription) (ui.NoticeProps, bool) {
	notice := ui.NoticeProps{Tone: ui.Wait, Title: locale.T(ctx, "A second plan was bought on %s.", locale.Date(ctx, s.FoundAt))}
	switch s.Status {
	case billing.DuplicateCanceling:
		notice.Body = locale.T(ctx, "One is enough: it is being ended, and what was paid for it goes back.")
	case billing.DuplicateCanceled:
		notice.Tone, notice.Body = ui.Note, locale.T(ctx, "One is enough, so it was ended. Nothing was paid for it.")
		if s.Refunded.Minor > 0 {
			notice.Body = locale.T(ctx, "One is enough, so it was ended, and the %s paid for it go back to the card.", locale.Money(ctx, s.Refunded))
		}
	case billing.DuplicateFailed:
		notice.Tone, notice.Body = ui.Bad, locale.T(ctx, "It could not be ended automatically. The people who run this site have been notified.")
	default:
		return notice, false
	}
	return notice, true
}
