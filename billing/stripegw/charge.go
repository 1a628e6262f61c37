package stripegw

import (
	"context"
	"fmt"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
)

// Charge reads a charge with what of it was refunded and lost in disputes. Its Moment is the earlier answer's Date less the time the try
// took.
func (g *Gateway) Charge(ctx context.Context, id string) (billing.Payment, error) {
	found, x, err := call(ctx, "read charge", func(ctx context.Context) (*stripe.Charge, error) {
		params := &stripe.ChargeParams{}
		params.Context = ctx
		return g.charges.Get(id, params)
	})
	if err != nil {
		return billing.Payment{}, err
	}
	if found == nil || found.ID == "" {
		return billing.Payment{}, invalidResponse(x, "the answer is no charge")
	}
	moment, err := x.snapshotTime()
	if err != nil {
		return billing.Payment{}, fmt.Errorf("read charge %s: %w", id, err)
	}
	acct, err := g.Account(ctx)
	if err != nil {
		return billing.Payment{}, err
	}
	payment := billing.Payment{
		ID: found.ID, CustomerID: customerID(found.Customer), Account: acct.ID, Livemode: found.Livemode, Currency: string(found.Currency),
		Amount: found.Amount, Refunded: found.AmountRefunded, AsOf: moment,
	}
	if found.Invoice != nil {
		payment.InvoiceID = found.Invoice.ID
	}
	if found.Disputed {
		payment.Lost, err = g.lostDisputeAmount(ctx, found.ID)
	}
	return payment, err
}

// lostDisputeAmount adds up the disputes of a charge that were lost (https://docs.stripe.com/api/disputes/object#dispute_object-status).
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
