package handlers

import (
	"context"
	"encoding/csv"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"usher/billing"
)

// exportInvoices sends the invoices as CSV (RFC 4180), newest first: one row for each explained
// line. The amounts of an invoice's rows add up to its total.
func (p *billingPages) exportInvoices(w http.ResponseWriter, r *http.Request) error {
	invoices, _, err := p.reads().Invoices.Search(r.Context(), accessOf(r), billing.InvoiceSearch{Year: queryYear(r), Limit: billing.InvoiceLimit})
	if err != nil {
		return err
	}
	header := w.Header()
	header.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	header.Set("Content-Disposition", `attachment; filename="invoices-`+p.now().UTC().Format(time.DateOnly)+`.csv"`)
	out := csv.NewWriter(w)
	out.UseCRLF = true
	_ = out.Write([]string{
		"invoice", "date", "status", "why", "reason", "line", "people", "by", "from", "until", "amount", "currency", "explained", "invoice total", "Stripe request",
	})
	for _, invoice := range invoices {
		for _, line := range invoice.Explanation.Lines {
			_ = out.Write(invoiceRecord(r.Context(), invoice, line))
		}
	}
	out.Flush()
	return out.Error()
}

func invoiceRecord(ctx context.Context, i billing.ExplainedInvoice, line billing.ExplainedLine) []string {
	row := explainedRow(ctx, i)
	var people, by []string
	for _, person := range line.People {
		people = append(people, person.Name)
		if person.By != "" && !slices.Contains(by, person.By) {
			by = append(by, person.By)
		}
	}
	return []string{
		row.Number, row.Date.UTC().Format(time.DateOnly), row.Status.Label, escapeFormula(row.Why), string(line.Reason), escapeFormula(line.Text.String()),
		escapeFormula(strings.Join(people, "; ")), escapeFormula(strings.Join(by, "; ")), dateOrEmpty(line.Start), dateOrEmpty(line.End),
		line.Amount.Decimal(), line.Amount.Currency, strconv.FormatBool(line.Explained), i.TotalMoney().Decimal(), line.RequestID,
	}
}

func dateOrEmpty(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

// queryYear reads the year of the query; 0: none.
func queryYear(r *http.Request) int {
	year, err := strconv.Atoi(r.URL.Query().Get("year"))
	if err != nil || year < 1000 || year > 9999 {
		return 0
	}
	return year
}

func yearText(year int) string {
	if year == 0 {
		return ""
	}
	return strconv.Itoa(year)
}
