package stripegw

import (
	"context"
	"fmt"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
)

// Charge reads a charge with its refunds and lost disputes. AsOf is the Date header of the response
// minus the duration of the request.
func (g *Gateway) Charge(ctx context.Context, id string) (billing.Payment, error) {
	found, info, err := call(ctx, "read charge", func(ctx context.Context) (*stripe.Charge, error) {
		params := &stripe.ChargeParams{}
		params.Context = ctx
		return g.charges.Get(id, params)
	})
	if err != nil {
		return billing.Payment{}, err
	}
	if found == nil || found.ID == "" {
		return billing.Payment{}, invalidResponse(info, "the response is no charge")
	}
	asOf, err := info.snapshotTime()
	if err != nil {
		return billing.Payment{}, fmt.Errorf("read charge %s: %w", id, err)
	}
	acct, err := g.Account(ctx)
	if err != nil {
		return billing.Payment{}, err
	}
	payment := billing.Payment{
		ID: found.ID, CustomerID: customerID(found.Customer), Account: acct.ID, Livemode: found.Livemode, Currency: string(found.Currency),
		Amount: found.Amount, Refunded: found.AmountRefunded, AsOf: asOf,
	}
	if found.Invoice != nil {
		payment.InvoiceID = found.Invoice.ID
	}
	if found.Disputed {
		payment.Lost, payment.Disputed, err = g.disputeAmounts(ctx, found.ID)
	}
	return payment, err
}

// disputeAmounts returns the sums of a charge's lost and open disputes in minor units
// (https://docs.stripe.com/api/disputes/object#dispute_object-status).
func (g *Gateway) disputeAmounts(ctx context.Context, chargeID string) (lost, open int64, err error) {
	disputes, _, err := call(ctx, "list disputes", func(ctx context.Context) ([]*stripe.Dispute, error) {
		params := &stripe.DisputeListParams{Charge: stripe.String(chargeID)}
		params.Context, params.Limit = ctx, stripe.Int64(pageSize)
		var all []*stripe.Dispute
		list := g.disputes.List(params)
		for list.Next() {
			all = append(all, list.Dispute())
		}
		return all, list.Err()
	})
	lost, open = sumDisputes(disputes)
	return lost, open, err
}

func sumDisputes(disputes []*stripe.Dispute) (lost, open int64) {
	for _, d := range disputes {
		switch d.Status {
		case stripe.DisputeStatusLost:
			lost += d.Amount
		case stripe.DisputeStatusWon, stripe.DisputeStatusWarningClosed:
		default:
			open += d.Amount
		}
	}
	return lost, open
}
