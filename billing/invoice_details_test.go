package billing

import (
	"testing"
	"time"
)

// The details of a finalized invoice are recognized although their date is the start of a request,
// and those of its draft are not.
func TestDetailsAreOfTheFinalizedInvoice(t *testing.T) {
	finalized := time.Date(2027, 1, 31, 10, 20, 30, 0, time.UTC)
	invoice := Invoice{Total: 35400, FinalizedAt: &finalized}
	for _, c := range []struct {
		total   int64
		age     time.Duration
		current bool
	}{
		{35400, 0, true},
		{35400, 800 * time.Millisecond, true}, // read in the second of the finalization, by a slow request
		{35400, time.Hour, false},             // read as a draft
		{23600, 0, false},
	} {
		d := InvoiceDetails{InvoiceTotals: InvoiceTotals{Total: c.total}, AsOf: finalized.Add(-c.age)}
		if got := d.current(invoice); got != c.current {
			t.Errorf("total %d, %v before: %t, want %t", c.total, c.age, got, c.current)
		}
	}
}
