package handlers

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"usher/billing"
	"usher/billing/catalog"
	billingviews "usher/views/billing"
	"usher/views/layout"
	"usher/views/locale"
	"usher/views/ui"
)

// invoicePath is the page of an invoice.
func invoicePath(i billing.Invoice) string { return "/billing/invoices/" + i.ID }

// payInvoicePath redirects to the invoice's page at Stripe, where it can be paid or confirmed.
func payInvoicePath(id string) string { return "/billing/invoices/" + id + "/stripe" }

// showInvoice shows an invoice with the cause of each line.
func (p *billingPages) showInvoice(w http.ResponseWriter, r *http.Request) error {
	invoice, err := p.invoices.Explained(r.Context(), accessOf(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	props := invoicePageProps(r.Context(), invoice)
	props.Layout, props.Organization = p.layout(r, layout.SectionOrganization), organizationHeader(r, layout.TabBilling)
	return render(w, r, http.StatusOK, billingviews.InvoicePage(props))
}

// openInvoice redirects to the invoice's hosted page at Stripe, whose address expires.
func (p *billingPages) openInvoice(w http.ResponseWriter, r *http.Request) error {
	return p.openInvoiceDocument(w, r, billing.HostedPage)
}

// openInvoicePDF redirects to the invoice's PDF at Stripe, whose address expires.
func (p *billingPages) openInvoicePDF(w http.ResponseWriter, r *http.Request) error {
	return p.openInvoiceDocument(w, r, billing.PDF)
}

func (p *billingPages) openInvoiceDocument(w http.ResponseWriter, r *http.Request, document billing.InvoiceDocument) error {
	to, err := p.invoices.URL(r.Context(), accessOf(r), r.PathValue("id"), document)
	if err != nil {
		return err
	}
	return p.redirectToStripe(w, r, to)
}

func invoicePageProps(ctx context.Context, i billing.ExplainedInvoice) billingviews.InvoicePageProps {
	e := i.Explanation
	props := billingviews.InvoicePageProps{
		Row: explainedRow(ctx, i), State: invoiceState(ctx, i.Invoice), Totals: invoiceTotals(ctx, i), Known: i.Known, Stale: i.Stale, AsOf: i.AsOf,
		Percent: e.Percent(), Groups: invoiceGroups(ctx, e),
	}
	for _, line := range e.Remainder() {
		props.Remainder = append(props.Remainder, locale.Money(ctx, line.Amount)+" "+locale.Phrase(ctx, line.Text))
	}
	if i.Number != "" {
		props.PDFHref, props.StripeHref = invoicePath(i.Invoice)+"/pdf", payInvoicePath(i.ID)
	}
	if i.Status == billing.InvoiceOpen && i.AmountDue > 0 {
		props.PayLabel = locale.T(ctx, "Pay %s", locale.Money(ctx, catalog.Money{Minor: i.AmountDue, Currency: i.Currency}))
		if i.ActionRequired {
			props.PayLabel = locale.T(ctx, "Confirm payment")
		}
	}
	return props
}

// invoiceGroupTitles are the headings of the lines of a reason. Discount and tax are below them.
var invoiceGroupTitles = []struct {
	title   string
	reasons []billing.LineReason
}{
	{locale.Mark("Plan"), []billing.LineReason{billing.LinePlanBegan, billing.LineRenewal}},
	{locale.Mark("Plan changes"), []billing.LineReason{billing.LinePlanChanged, billing.LinePlanEnded}},
	{locale.Mark("Seats"), []billing.LineReason{billing.LineSeatsAdded, billing.LineSeatsRemoved}},
	{locale.Mark("Credits"), []billing.LineReason{billing.LinePack}},
	{locale.Mark("Usage"), []billing.LineReason{billing.LineUsage}},
	{locale.Mark("Other"), []billing.LineReason{billing.LineOther}},
}

func invoiceGroups(ctx context.Context, e billing.Explanation) []billingviews.InvoiceGroup {
	var groups []billingviews.InvoiceGroup
	for _, kind := range invoiceGroupTitles {
		group := billingviews.InvoiceGroup{Title: locale.Lookup(ctx, kind.title)}
		for _, line := range e.Lines {
			for _, reason := range kind.reasons {
				if line.Reason == reason {
					group.Lines = append(group.Lines, invoiceLine(ctx, line))
				}
			}
		}
		if len(group.Lines) > 0 {
			groups = append(groups, group)
		}
	}
	return groups
}

// linePeopleShown bounds the people that a line lists.
const linePeopleShown = 100

func invoiceLine(ctx context.Context, line billing.ExplainedLine) billingviews.InvoiceLine {
	shown := billingviews.InvoiceLine{Text: locale.Phrase(ctx, line.Text), Amount: line.Amount, Explained: line.Explained, RequestID: line.RequestID}
	whole := line.Reason == billing.LineRenewal || line.Reason == billing.LinePlanBegan
	for i, person := range line.People {
		if i == linePeopleShown {
			shown.MorePeople = len(line.People) - i
			break
		}
		who := billingviews.InvoicePerson{Name: person.Name}
		if !whole {
			who.What, who.By, who.At = locale.Phrase(ctx, billing.ReasonPhrase(person.Reason)), person.By, person.At
		}
		shown.People = append(shown.People, who)
	}
	for _, l := range line.Lines {
		shown.StripeLines = append(shown.StripeLines, billingviews.ChangeLine{Text: l.Description, Amount: catalog.Money{Minor: l.Amount, Currency: line.Amount.Currency}})
	}
	return shown
}

// invoiceTotals lists the amounts below the lines, in the order in which they add up.
func invoiceTotals(ctx context.Context, i billing.ExplainedInvoice) []billingviews.InvoiceTotal {
	money := func(minor int64) catalog.Money { return catalog.Money{Minor: minor, Currency: i.Currency} }
	var totals []billingviews.InvoiceTotal
	add := func(label string, minor int64, strong bool) {
		if minor != 0 || strong {
			totals = append(totals, billingviews.InvoiceTotal{Label: label, Amount: money(minor), Strong: strong})
		}
	}
	add(locale.T(ctx, "Discount"), -i.Totals.Discount, false)
	add(locale.T(ctx, "Tax"), i.Totals.Tax, false)
	add(locale.T(ctx, "Total"), i.Total, true)
	if i.Totals.TaxIncluded != 0 {
		totals = append(totals, billingviews.InvoiceTotal{Label: locale.T(ctx, "Including tax of %s", locale.Money(ctx, money(i.Totals.TaxIncluded)))})
	}
	if i.Totals.Balance < 0 {
		add(locale.T(ctx, "Paid from your balance"), i.Totals.Balance, false)
	} else {
		add(locale.T(ctx, "Added to your balance"), i.Totals.Balance, false)
	}
	add(locale.T(ctx, "Credited before payment"), -i.CreditedBeforePayment, false)
	add(locale.T(ctx, "Paid"), -i.AmountPaid, false)
	if i.Status == billing.InvoiceOpen {
		add(locale.T(ctx, "To be paid"), i.AmountDue, true)
	}
	add(locale.T(ctx, "Refunded"), i.Refunded, false)
	add(locale.T(ctx, "Credited"), i.CreditedUnrefunded, false)
	add(locale.T(ctx, "Lost in a dispute"), i.Lost, false)
	add(locale.T(ctx, "Disputed"), i.Disputed, false)
	return totals
}

// invoiceState says in a sentence what became of an invoice.
func invoiceState(ctx context.Context, i billing.Invoice) string {
	switch {
	case i.Status == billing.InvoicePaid && i.PaidAt != nil && i.AmountPaid > 0:
		return locale.T(ctx, "Paid on %s.", locale.Date(ctx, i.PaidAt.UTC()))
	case i.Status == billing.InvoicePaid && i.Total > 0:
		return locale.T(ctx, "Paid from your balance.")
	case i.Status == billing.InvoicePaid && i.Total < 0:
		return locale.T(ctx, "The credit was added to your balance and pays for your next invoices.")
	case i.Status == billing.InvoicePaid:
		return locale.T(ctx, "There was nothing to pay.")
	case i.Status == billing.InvoiceVoid:
		return locale.T(ctx, "This invoice was canceled. Nothing is owed.")
	case i.Status == billing.InvoiceUncollectible:
		return locale.T(ctx, "We stopped trying to collect this invoice. It can still be paid.")
	case i.Status == billing.InvoiceDraft:
		return locale.T(ctx, "This invoice is still being prepared, so its amounts may change.")
	case i.ActionRequired:
		return locale.T(ctx, "Your bank needs you to confirm this payment.")
	case i.Attempts == 0:
		return locale.T(ctx, "Not paid yet.")
	}
	state := locale.T(ctx, "The payment failed.")
	if i.FailureCode != "" {
		state = locale.T(ctx, "The payment failed: %s.", locale.Lookup(ctx, billing.DeclineOf(i.FailureCode).Reason))
	}
	if i.NextAttemptAt != nil {
		state += " " + locale.T(ctx, "We'll retry on %s.", locale.Date(ctx, i.NextAttemptAt.UTC()))
	}
	return state
}

// explainedRow is invoiceRow with the reason in people's names.
func explainedRow(ctx context.Context, i billing.ExplainedInvoice) billingviews.InvoiceRow {
	row := invoiceRow(ctx, i.Invoice)
	if why := causesInWords(ctx, i.Explanation.Causes()); i.Known && why != "" {
		row.Why = why
	}
	row.PDFHref = ""
	if i.Number != "" {
		row.PDFHref = invoicePath(i.Invoice) + "/pdf"
	}
	return row
}

// yearFilter returns the links of the list's filter; none if all invoices are of one year.
func yearFilter(ctx context.Context, years []int, current int) []billingviews.YearLink {
	if len(years) < 2 && current == 0 {
		return nil
	}
	links := []billingviews.YearLink{{Label: locale.T(ctx, "All"), Href: "/billing/invoices", Current: current == 0}}
	for _, year := range years {
		label := yearText(year)
		links = append(links, billingviews.YearLink{Label: label, Href: "/billing/invoices?year=" + label, Current: year == current})
	}
	return links
}

// invoicesCSVPath returns the path of the filtered list as a CSV file.
func invoicesCSVPath(year int) string {
	return strings.TrimSuffix("/billing/invoices.csv?year="+yearText(year), "?year=")
}

// causesInWords says in a few words why an invoice was made: "Renewal; Bo added by Ana".
func causesInWords(ctx context.Context, causes []billing.InvoiceCause) string {
	var parts []string
	for _, cause := range causes {
		if part := causeInWords(ctx, cause); !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "; ")
}

func causeInWords(ctx context.Context, cause billing.InvoiceCause) string {
	switch cause.Kind {
	case billing.LinePlanBegan:
		return locale.T(ctx, "Plan started")
	case billing.LineRenewal:
		return locale.T(ctx, "Renewal")
	case billing.LinePlanChanged:
		return locale.T(ctx, "Plan changed")
	case billing.LinePlanEnded:
		return locale.T(ctx, "Plan ended")
	case billing.LineSeatsAdded, billing.LineSeatsRemoved:
		return seatCauseInWords(ctx, cause)
	}
	return cmp.Or(cause.Name, locale.T(ctx, "Another item"))
}

func seatCauseInWords(ctx context.Context, cause billing.InvoiceCause) string {
	who := ui.Names(ctx, cause.People...)
	if len(cause.People) > 2 {
		who = ui.Seats(ctx, len(cause.People))
	}
	removed := cause.Kind == billing.LineSeatsRemoved
	switch {
	case cause.People == nil:
		return locale.T(ctx, "Seats adjusted")
	case removed && cause.By != "":
		return locale.T(ctx, "%s removed by %s", who, cause.By)
	case removed:
		return locale.T(ctx, "%s removed", who)
	case cause.By != "":
		return locale.T(ctx, "%s added by %s", who, cause.By)
	}
	return locale.T(ctx, "%s added", who)
}
