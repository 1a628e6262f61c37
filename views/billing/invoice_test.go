package billing_test

import (
	"strings"
	"testing"

	billingviews "usher/views/billing"
	"usher/views/viewtest"
)

// TestInvoiceNamesAPersonOnce: who changed their own seat is not named again as the one who did.
func TestInvoiceNamesAPersonOnce(t *testing.T) {
	people := []billingviews.InvoicePerson{
		{Name: "Nora", What: "founded the organization", By: "Nora", At: december},
		{Name: "Mira", What: "accepted an invitation", By: "Nora", At: december},
	}
	text := viewtest.Text(viewtest.Render(t, billingviews.InvoicePage(billingviews.InvoicePageProps{
		Known: true, Groups: []billingviews.InvoiceGroup{{Title: "Seats", Lines: []billingviews.InvoiceLine{{Text: "2 people", Amount: usd(5800), People: people}}}},
	})).Selection)
	if !strings.Contains(text, "Nora founded the organization on 1 Dec 2026") || !strings.Contains(text, "Mira accepted an invitation (by Nora) on 1 Dec 2026") {
		t.Errorf("the reasons: %s", text)
	}
}
