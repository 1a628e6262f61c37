package handlers

import (
	"context"
	"encoding/csv"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"unicode"
	"unicode/utf8"

	"usher/billing"
	"usher/views/layout"
	"usher/views/locale"
	organizationviews "usher/views/organization"
	"usher/views/ui"
)

// ledgerSearch reads the filter from the query.
func ledgerSearch(r *http.Request) billing.LedgerSearch {
	query := r.URL.Query()
	return billing.LedgerSearch{Text: query.Get("q"), Direction: billing.SeatDirection(query.Get("seats"))}
}

// ledgerCSVPath returns the path of the filtered ledger as a CSV file.
func ledgerCSVPath(search billing.LedgerSearch) string {
	query := url.Values{}
	if search.Text != "" {
		query.Set("q", search.Text)
	}
	if search.Direction != "" {
		query.Set("seats", string(search.Direction))
	}
	return strings.TrimSuffix("/billing/seats.csv?"+query.Encode(), "?")
}

// exportLedger sends the seat ledger as CSV (RFC 4180), newest entry first.
func (p *seatPages) exportLedger(w http.ResponseWriter, r *http.Request) error {
	search := ledgerSearch(r)
	search.Limit = billing.SeatLedgerLimit
	changes, _, err := p.reads().SeatLedger.Search(r.Context(), accessOf(r), search)
	if err != nil {
		return err
	}
	header := w.Header()
	header.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	header.Set("Content-Disposition", `attachment; filename="seats-`+p.now().UTC().Format(time.DateOnly)+`.csv"`)
	out := csv.NewWriter(w)
	out.UseCRLF = true
	_ = out.Write([]string{"time", "person", "what happened", "by", "from seats", "to seats", "version", "Stripe request", "invoice", "amount", "currency"})
	for _, change := range changes {
		_ = out.Write(ledgerRecord(change))
	}
	out.Flush()
	return out.Error()
}

func ledgerRecord(c billing.SeatChange) []string {
	amount := ""
	if c.InvoiceNumber != "" {
		amount = c.Invoiced.Decimal()
	}
	return []string{
		c.At.UTC().Format(time.RFC3339), escapeFormula(c.SubjectName), escapeFormula(c.Reason), escapeFormula(c.ActorName),
		strconv.Itoa(c.From), strconv.Itoa(c.To), strconv.FormatInt(c.Version, 10), c.RequestID, c.InvoiceNumber, amount, c.Invoiced.Currency,
	}
}

// escapeFormula prevents CSV injection (https://owasp.org/www-community/attacks/CSV_Injection):
// text that a spreadsheet could run as a formula gets an apostrophe prefix. Spreadsheets skip
// leading white space and accept full-width characters too.
func escapeFormula(text string) string {
	if strings.IndexAny(strings.TrimSpace(text), "=+-@|%＝＋－＠") == 0 || strings.ContainsAny(text, "\t\r\n") {
		return "'" + text
	}
	return text
}

// ledgerPerPage is the page size of the seat ledger.
const ledgerPerPage = 100

func (p *seatPages) showActivity(w http.ResponseWriter, r *http.Request) error {
	search := ledgerSearch(r)
	search.Offset, search.Limit = (pageNumber(r)-1)*ledgerPerPage, ledgerPerPage
	changes, total, err := p.seatLedger.Search(r.Context(), accessOf(r), search)
	if err != nil {
		return err
	}
	from, _, pager := paginate(r, total, ledgerPerPage)
	if from != search.Offset { // beyond the last page: show that one
		search.Offset = from
		if changes, _, err = p.seatLedger.Search(r.Context(), accessOf(r), search); err != nil {
			return err
		}
	}
	props := organizationviews.ActivityPageProps{
		Layout: p.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabActivity), Pager: pager,
		Filter: organizationviews.ActivityFilter(r.Context(), search), CSVHref: ledgerCSVPath(search),
	}
	props.Changes = seatChangeRows(r.Context(), changes, accessOf(r).CanManageBilling())
	return render(w, r, http.StatusOK, organizationviews.ActivityPage(props))
}

func seatChangeRows(ctx context.Context, changes []billing.SeatChange, readsInvoices bool) []ui.SeatChangeRow {
	rows := make([]ui.SeatChangeRow, 0, len(changes))
	for _, change := range changes {
		row := ui.SeatChangeRow{
			At: change.At, Subject: change.SubjectName, What: seatChangeText(ctx, change), By: change.ActorName, From: change.From, To: change.To, RequestID: change.RequestID,
		}
		if change.InvoiceNumber != "" {
			row.Invoiced, row.Invoice = locale.Money(ctx, change.Invoiced), change.InvoiceNumber
			if readsInvoices {
				row.InvoiceHref = "/billing/invoices/" + change.InvoiceID
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// seatChangeText describes a ledger entry. It continues the name of the person, if there is one.
func seatChangeText(ctx context.Context, c billing.SeatChange) string {
	reason := locale.Phrase(ctx, billing.ReasonPhrase(c.Reason))
	switch {
	case c.SubjectName != "":
		return reason
	case reason == "":
		return locale.T(ctx, "The number of seats changed")
	}
	first, size := utf8.DecodeRuneInString(reason)
	return string(unicode.ToUpper(first)) + reason[size:]
}
