package db

import (
	"testing"

	"usher/billing"
)

func TestInvoiceDetails(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	full := billing.InvoiceDetails{
		InvoiceID: "in_1", OrganizationID: "org_1", Account: "acct_test", Livemode: true,
		InvoiceTotals: billing.InvoiceTotals{Discount: 1, Tax: 2, TaxIncluded: 3, Total: 4, Balance: -5, AmountDue: 6},
		Lines:         []billing.InvoiceLine{{ID: "il_1", Quantity: 2, Description: "Unused time", PeriodStart: at(1), PeriodEnd: at(2)}},
		FailureCode:   "card_declined", AsOf: at(3),
	}
	wantFilled(t, full)
	must(t, store.InvoiceDetails().Put(ctx, full))
	event := full
	event.FailureCode, event.Total, event.AsOf = "", 40, at(4)
	must(t, store.InvoiceDetails().Put(ctx, event))
	event.FailureCode = "card_declined"
	got, err := store.InvoiceDetails().List(ctx, "org_1", []string{"in_1", "in_2"})
	must(t, err)
	wantEqual(t, got, []billing.InvoiceDetails{event})
	got, err = store.InvoiceDetails().List(ctx, "org_2", []string{"in_1"})
	must(t, err)
	if len(got) != 0 {
		t.Errorf("another organization reads %+v", got)
	}
}

func TestInvoiceSearch(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	acct := billing.StripeAccount{ID: "acct_test"}
	for i, id := range []string{"in_1", "in_2", "in_3"} {
		created := at(0).AddDate(i, 0, 0)
		must(t, store.Invoices().Put(ctx, billing.Invoice{ID: id, OrganizationID: "org_1", Account: acct.ID, Status: "paid", CreatedAt: created, AsOf: at(1)}))
	}
	must(t, store.Invoices().Put(ctx, billing.Invoice{ID: "in_4", OrganizationID: "org_1", Account: acct.ID, Status: "draft", CreatedAt: at(0), AsOf: at(1)}))
	year := at(0).UTC().Year()
	for _, c := range []struct {
		search billing.InvoiceSearch
		total  int
		first  string
	}{
		{billing.InvoiceSearch{Limit: 2}, 3, "in_3"},
		{billing.InvoiceSearch{Limit: 2, Offset: 2}, 3, "in_1"},
		{billing.InvoiceSearch{Limit: 2, Year: year + 1}, 1, "in_2"},
	} {
		found, total, err := store.Invoices().Search(ctx, "org_1", acct, c.search)
		must(t, err)
		if total != c.total || len(found) == 0 || found[0].ID != c.first {
			t.Errorf("%+v: %d, %+v", c.search, total, found)
		}
	}
	years, err := store.Invoices().Years(ctx, "org_1", acct)
	must(t, err)
	wantEqual(t, years, []int{year + 2, year + 1, year})
	_, err = store.Invoices().Read(ctx, "org_1", acct, "in_1")
	must(t, err)
	_, err = store.Invoices().Read(ctx, "org_2", acct, "in_1")
	wantNotFound(t, err)
	_, err = store.Invoices().Read(ctx, "org_1", billing.StripeAccount{ID: "acct_test", Livemode: true}, "in_1")
	wantNotFound(t, err)
}
