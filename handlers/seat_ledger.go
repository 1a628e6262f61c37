package handlers

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"usher/billing"
)

// ledgerSearch reads what the ledger is narrowed to.
func ledgerSearch(r *http.Request) billing.LedgerSearch {
	query := r.URL.Query()
	return billing.LedgerSearch{Text: query.Get("q"), Direction: billing.SeatDirection(query.Get("seats"))}
}

// ledgerCSVPath leads to the same lines as a file.
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

// sendSeatLedger sends the seat ledger as CSV (RFC 4180), the newest line first.
func (s *server) sendSeatLedger(w http.ResponseWriter, r *http.Request) error {
	search := ledgerSearch(r)
	search.Limit = billing.SeatLedgerLimit
	changes, _, err := s.billing.SeatLedger.Search(r.Context(), accessOf(r), search)
	if err != nil {
		return err
	}
	header := w.Header()
	header.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	header.Set("Content-Disposition", `attachment; filename="seats-`+s.now().UTC().Format(time.DateOnly)+`.csv"`)
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

// escapeFormula keeps a spreadsheet from running a name as a formula: what could begin one gets an apostrophe before it
// (https://owasp.org/www-community/attacks/CSV_Injection). Spreadsheets skip white space before it, and read the wide forms too.
func escapeFormula(text string) string {
	if strings.IndexAny(strings.TrimSpace(text), "=+-@|%＝＋－＠") == 0 || strings.ContainsAny(text, "\t\r\n") {
		return "'" + text
	}
	return text
}
