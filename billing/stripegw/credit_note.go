package stripegw

import (
	"context"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
)

// CreateCreditNote credits a paid invoice. Stripe makes the refund, and rejects more than was paid.
func (g *Gateway) CreateCreditNote(ctx context.Context, creditNote billing.CreditNote) error {
	_, _, err := call(ctx, "create credit note", func(ctx context.Context) (*stripe.CreditNote, error) {
		params := &stripe.CreditNoteParams{
			Invoice: stripe.String(creditNote.InvoiceID), Amount: stripe.Int64(creditNote.Refund + creditNote.Credit), Reason: stripe.String("duplicate"),
		}
		if creditNote.Refund > 0 {
			params.RefundAmount = stripe.Int64(creditNote.Refund)
		}
		if creditNote.Credit > 0 {
			params.CreditAmount = stripe.Int64(creditNote.Credit)
		}
		params.Context = ctx
		params.SetIdempotencyKey(hashedKey("credit", creditNote.InvoiceID))
		return g.creditNotes.New(params)
	})
	return err
}
