package stripegw

import (
	"context"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
)

// CreateCreditNote credits a paid invoice. Stripe makes the refund, and rejects more than was paid.
func (g *Gateway) CreateCreditNote(ctx context.Context, note billing.CreditNote) error {
	_, _, err := call(ctx, "create credit note", func(ctx context.Context) (*stripe.CreditNote, error) {
		params := &stripe.CreditNoteParams{
			Invoice: stripe.String(note.InvoiceID), Amount: stripe.Int64(note.Refund + note.Credit), Reason: stripe.String("duplicate"),
		}
		if note.Refund > 0 {
			params.RefundAmount = stripe.Int64(note.Refund)
		}
		if note.Credit > 0 {
			params.CreditAmount = stripe.Int64(note.Credit)
		}
		params.Context = ctx
		params.SetIdempotencyKey(hashedKey("credit", note.InvoiceID))
		return g.creditNotes.New(params)
	})
	return err
}
