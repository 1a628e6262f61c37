package stripegw

import (
	"context"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
)

// RefundedCharges reads a page of the account's refunds created at since or later, newest first,
// and returns their charges (https://docs.stripe.com/api/refunds/list).
func (g *Gateway) RefundedCharges(ctx context.Context, since time.Time, after string) (billing.Page[billing.ListedCharge], error) {
	found, _, err := call(ctx, "list refunds", func(ctx context.Context) (*stripe.RefundList, error) {
		params := &stripe.RefundListParams{
			CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: since.Unix()}, Expand: stripe.StringSlice([]string{"data.charge"}),
		}
		setPage(&params.ListParams, ctx, after)
		list := g.refunds.List(params)
		return list.RefundList(), list.Err()
	})
	if err != nil {
		return billing.Page[billing.ListedCharge]{}, err
	}
	return pageOf(found.Data, &found.ListMeta, func(r *stripe.Refund) string { return r.ID },
		func(r *stripe.Refund) (billing.ListedCharge, error) { return mapListedCharge(r.Charge), nil })
}

// DisputedCharges reads a page of the account's disputes created at since or later, newest first,
// and returns their charges (https://docs.stripe.com/api/disputes/list).
func (g *Gateway) DisputedCharges(ctx context.Context, since time.Time, after string) (billing.Page[billing.ListedCharge], error) {
	found, _, err := call(ctx, "list disputes", func(ctx context.Context) (*stripe.DisputeList, error) {
		params := &stripe.DisputeListParams{
			CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: since.Unix()}, Expand: stripe.StringSlice([]string{"data.charge"}),
		}
		setPage(&params.ListParams, ctx, after)
		list := g.disputes.List(params)
		return list.DisputeList(), list.Err()
	})
	if err != nil {
		return billing.Page[billing.ListedCharge]{}, err
	}
	return pageOf(found.Data, &found.ListMeta, func(d *stripe.Dispute) string { return d.ID },
		func(d *stripe.Dispute) (billing.ListedCharge, error) {
			charge := mapListedCharge(d.Charge)
			charge.HasDispute = true
			charge.Lost, charge.Disputed = sumDisputes([]*stripe.Dispute{d})
			return charge, nil
		})
}

// Charges lists the charges of a customer created at since or later, newest first
// (https://docs.stripe.com/api/charges/list).
func (g *Gateway) Charges(ctx context.Context, customerID string, since time.Time) ([]billing.ListedCharge, error) {
	found, _, err := call(ctx, "list charges", func(ctx context.Context) ([]*stripe.Charge, error) {
		params := &stripe.ChargeListParams{
			Customer: stripe.String(customerID), CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: since.Unix()},
		}
		params.Context, params.Limit = ctx, stripe.Int64(pageSize)
		var all []*stripe.Charge
		list := g.charges.List(params)
		for list.Next() {
			all = append(all, list.Charge())
		}
		return all, list.Err()
	})
	if err != nil {
		return nil, err
	}
	charges := make([]billing.ListedCharge, 0, len(found))
	for _, c := range found {
		charge := mapListedCharge(c)
		if c.Disputed {
			charge.HasDispute = true
			if charge.Lost, charge.Disputed, err = g.disputeAmounts(ctx, c.ID); err != nil {
				return nil, err
			}
		}
		charges = append(charges, charge)
	}
	return charges, nil
}

// mapListedCharge maps a charge of a list. A refund or dispute without a charge, of another
// payment method, belongs to no customer.
func mapListedCharge(c *stripe.Charge) billing.ListedCharge {
	if c == nil {
		return billing.ListedCharge{}
	}
	return billing.ListedCharge{
		ID: c.ID, CustomerID: customerID(c.Customer), Currency: string(c.Currency), Refunded: c.AmountRefunded,
	}
}
