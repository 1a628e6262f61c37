package stripegw

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/billing/apperr"
	"usher/billing/catalog"
)

// upcomingJSON is an upcoming invoice of 12 lines of $1, with 10 % discount, 5 % tax of which 0.20
// is included, and a balance that pays $2.
func upcomingJSON(from, upTo int, more bool) (invoice, list string) {
	var lines []string
	for n := from; n <= upTo; n++ {
		lines = append(lines, fmt.Sprintf(`{"id":"il_%d","type":"invoiceitem","proration":true,"amount":100,"quantity":1,"description":"Line %d",
			"period":{"start":1714608000,"end":1717200000},"price":{"id":"price_1"}}`, n, n))
	}
	list = fmt.Sprintf(`{"object":"list","url":"/v1/invoices/upcoming/lines","has_more":%t,"data":[%s]}`, more, strings.Join(lines, ","))
	return `{"object":"invoice","currency":"usd","subtotal":1200,"total":1115,"amount_due":915,"tax":55,"starting_balance":-200,"ending_balance":0,
		"created":1717200000,"period_end":1717200000,"next_payment_attempt":1717203600,
		"total_discount_amounts":[{"amount":120,"discount":"di_1"}],"total_tax_amounts":[{"amount":35,"inclusive":false},{"amount":20,"inclusive":true}],
		"subscription":{"id":"sub_1","object":"subscription","next_pending_invoice_item_invoice":1715000000},"lines":` + list + `}`, list
}

// An upcoming invoice has all its lines, from as many pages as there are.
func TestUpcomingInvoice(t *testing.T) {
	t.Parallel()
	f, gateway := newFake(t)
	first, _ := upcomingJSON(1, 10, true)
	_, all := upcomingJSON(1, 12, false)
	f.HandleFunc("GET /v1/invoices/upcoming", respond(first))
	f.HandleFunc("GET /v1/invoices/upcoming/lines", respond(all))
	next, err := gateway.UpcomingInvoice(t.Context(), "sub_1")
	if err != nil {
		t.Fatal(err)
	}
	usd := func(minor int64) catalog.Money { return catalog.Money{Minor: minor, Currency: "usd"} }
	if next.AmountDue != usd(915) || next.Total != usd(1115) || next.Tax != usd(55) || next.TaxIncluded != usd(20) || next.Discount != usd(120) || next.BalanceUsed != usd(-200) {
		t.Errorf("amounts %+v", next)
	}
	if at := time.Unix(1717200000, 0); !next.At.Equal(at) || !next.CollectedAt.Equal(at.Add(time.Hour)) || next.PendingItemsAt.Unix() != 1715000000 {
		t.Errorf("times %+v", next)
	}
	if len(next.Lines) != 12 || next.MoreLines || next.Lines[11].Description != "Line 12" {
		t.Errorf("%d lines, more %t", len(next.Lines), next.MoreLines)
	}
	wantForm(t, f.seen("GET", "/v1/invoices/upcoming")[0].form, url.Values{"subscription": {"sub_1"}, "expand[0]": {"subscription"}, "expand[1]": {"discounts"}})
	if _, err := gateway.PendingItemsInvoice(t.Context(), "sub_1"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/v1/invoices/upcoming", "/v1/invoices/upcoming/lines"} {
		if form := f.seen("GET", path)[1].form; form.Get("subscription_details[cancel_at_period_end]") != "true" {
			t.Errorf("%s: %v", path, form)
		}
	}
}

// Lines that do not add up to the subtotal are not shown as complete.
func TestUpcomingInvoiceWithChangedLines(t *testing.T) {
	t.Parallel()
	f, gateway := newFake(t)
	first, _ := upcomingJSON(1, 10, true)
	_, changed := upcomingJSON(1, 13, false)
	f.HandleFunc("GET /v1/invoices/upcoming", respond(first))
	f.HandleFunc("GET /v1/invoices/upcoming/lines", respond(changed))
	if next, err := gateway.UpcomingInvoice(t.Context(), "sub_1"); err != nil || !next.MoreLines {
		t.Errorf("more %t, %v", next.MoreLines, err)
	}
}

// A subscription without a next invoice is no failure of Stripe.
func TestNoUpcomingInvoice(t *testing.T) {
	t.Parallel()
	f, gateway := newFake(t)
	f.HandleFunc("GET /v1/invoices/upcoming", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"error":{"type":"invalid_request_error","code":"invoice_upcoming_none","message":"No upcoming invoices for customer: cus_1"}}`))
	})
	if _, err := gateway.UpcomingInvoice(t.Context(), "sub_1"); !errors.Is(err, apperr.ErrNotFound) {
		t.Error(err)
	}
}
