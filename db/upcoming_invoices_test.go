package db

import (
	"testing"

	"usher/billing"
	"usher/billing/catalog"
)

// One answer is kept for each subscription, the later one.
func TestUpcomingInvoices(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	answer := billing.UpcomingInvoice{
		SubscriptionID: "sub_1", OrganizationID: "org_1", Account: "acct_1", FetchedAt: at(2), SubscriptionRevision: 3, RenewsAt: ptr(at(59)),
		InvoicePreview: billing.InvoicePreview{
			AmountDue: catalog.Money{Minor: 29000, Currency: "usd"}, At: at(30), Lines: []billing.PreviewLine{{Description: "9 × Pro", Quantity: 9, PeriodEnd: at(40)}},
		},
		Renewal: []billing.PreviewLine{{Description: "renewal"}},
	}
	must(t, store.UpcomingInvoices().Put(ctx, answer))
	earlier := answer
	earlier.FetchedAt, earlier.AmountDue.Minor = at(1), 1
	must(t, store.UpcomingInvoices().Put(ctx, earlier))
	got, err := store.UpcomingInvoices().Get(ctx, "org_1", "sub_1")
	must(t, err)
	wantEqual(t, got, answer)
	_, err = store.UpcomingInvoices().Get(ctx, "org_2", "sub_1")
	wantNotFound(t, err)
	later := answer
	later.FetchedAt, later.None, later.RenewsAt = at(3), true, nil
	must(t, store.UpcomingInvoices().Put(ctx, later))
	got, err = store.UpcomingInvoices().Get(ctx, "org_1", "sub_1")
	must(t, err)
	wantEqual(t, got, later)
}
