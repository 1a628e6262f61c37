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
		payment.Lost, err = g.lostDisputeAmount(ctx, found.ID)
	}
	return payment, err
}

// lostDisputeAmount returns the sum of a charge's lost disputes in minor units
// (https://docs.stripe.com/api/disputes/object#dispute_object-status).
func (g *Gateway) lostDisputeAmount(ctx context.Context, chargeID string) (int64, error) {
	lost, _, err := call(ctx, "list disputes", func(ctx context.Context) (int64, error) {
		params := &stripe.DisputeListParams{Charge: stripe.String(chargeID)}
		params.Context, params.Limit = ctx, stripe.Int64(pageSize)
		var lost int64
		list := g.disputes.List(params)
		for list.Next() {
			if dispute := list.Dispute(); dispute.Status == stripe.DisputeStatusLost {
				lost += dispute.Amount
			}
		}
		return lost, list.Err()
	})
	return lost, err
}
