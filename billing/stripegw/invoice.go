package stripegw

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
)

// Invoice reads an invoice with all its lines. Its Moment is the answer's Date less the time the try took.
func (g *Gateway) Invoice(ctx context.Context, id string) (billing.Invoice, error) {
	found, x, err := call(ctx, "read invoice", func(ctx context.Context) (*stripe.Invoice, error) {
		params := &stripe.InvoiceParams{}
		params.Context = ctx
		return g.invoices.Get(id, params)
	})
	if err != nil {
		return billing.Invoice{}, err
	}
	if found == nil || found.ID == "" {
		return billing.Invoice{}, invalidResponse(x, "the answer is no invoice")
	}
	moment, err := x.snapshotTime()
	if err != nil {
		return billing.Invoice{}, fmt.Errorf("read invoice %s: %w", id, err)
	}
	acct, err := g.Account(ctx)
	if err != nil {
		return billing.Invoice{}, err
	}
	if err := g.fetchAllLines(ctx, found); err != nil {
		return billing.Invoice{}, err
	}
	return mapInvoice(found, acct.ID, moment), nil
}

// fetchAllLines reads all lines where the invoice came with the first page of them only.
func (g *Gateway) fetchAllLines(ctx context.Context, i *stripe.Invoice) error {
	if i.Lines == nil || !i.Lines.HasMore {
		return nil
	}
	lines, _, err := call(ctx, "list invoice lines", func(ctx context.Context) ([]*stripe.InvoiceLineItem, error) {
		params := &stripe.InvoiceListLinesParams{Invoice: stripe.String(i.ID)}
		params.Context, params.Limit = ctx, stripe.Int64(pageSize)
		var all []*stripe.InvoiceLineItem
		list := g.invoices.ListLines(params)
		for list.Next() {
			all = append(all, list.InvoiceLineItem())
		}
		return all, list.Err()
	})
	if err != nil {
		return err
	}
	i.Lines.Data, i.Lines.HasMore = lines, false
	return nil
}

// readInvoice takes an invoice that came along in an event. One that did not bring all its lines is read like a foreign shape: by its ids.
func (g *Gateway) readInvoice(event *billing.Event, object []byte) bool {
	var i stripe.Invoice
	if json.Unmarshal(object, &i) != nil || i.Object != "invoice" || validID(i.ID) == "" {
		return false
	}
	if i.Lines == nil || i.Lines.HasMore {
		return false
	}
	invoice := mapInvoice(&i, cmp.Or(event.Account, g.cachedAccountID()), event.Created)
	event.ObjectID, event.ObjectType = i.ID, i.Object
	event.SubscriptionID = validID(invoice.SubscriptionID)
	event.CustomerID = validID(invoice.CustomerID)
	event.OrgID = validID(invoice.OrgID)
	event.TestClock = invoice.TestClock
	event.Invoice = &invoice
	return true
}

func mapInvoice(i *stripe.Invoice, account string, moment time.Time) billing.Invoice {
	invoice := billing.Invoice{
		ID: i.ID, CustomerID: customerID(i.Customer), Account: account, Livemode: i.Livemode, TestClock: i.TestClock != nil,
		Number: i.Number, Status: string(i.Status), Reason: string(i.BillingReason), Currency: string(i.Currency),
		Total: i.Total, AmountPaid: i.AmountPaid, AmountDue: i.AmountRemaining, Credited: i.PostPaymentCreditNotesAmount, Attempts: int(i.AttemptCount),
		NextAttemptAt: optionalTime(i.NextPaymentAttempt), HostedURL: i.HostedInvoiceURL,
		CreatedAt: time.Unix(i.Created, 0).UTC(), AsOf: moment,
	}
	if i.Subscription != nil {
		invoice.SubscriptionID = i.Subscription.ID
	}
	if i.StatusTransitions != nil {
		invoice.FinalizedAt = optionalTime(i.StatusTransitions.FinalizedAt)
		invoice.PaidAt = optionalTime(i.StatusTransitions.PaidAt)
	}
	if i.SubscriptionDetails != nil {
		invoice.OrgID = i.SubscriptionDetails.Metadata["orgId"]
	}
	invoice.Lines = mapLines(i.Lines)
	return invoice
}

func mapLines(list *stripe.InvoiceLineItemList) []billing.InvoiceLine {
	if list == nil {
		return nil
	}
	var lines []billing.InvoiceLine
	for _, l := range list.Data {
		if l == nil || l.Price == nil || l.Period == nil {
			continue
		}
		lines = append(lines, billing.InvoiceLine{
			ID: l.ID, Subscription: l.Type == stripe.InvoiceLineItemTypeSubscription, Proration: l.Proration, PriceID: l.Price.ID, Amount: l.Amount,
			PeriodStart: time.Unix(l.Period.Start, 0).UTC(), PeriodEnd: time.Unix(l.Period.End, 0).UTC(),
		})
	}
	return lines
}
