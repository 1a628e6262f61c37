package stripegw

import (
	"context"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
)

// VoidInvoice takes an open invoice back.
func (g *Gateway) VoidInvoice(ctx context.Context, id string) error {
	_, _, err := call(ctx, "void invoice", func(ctx context.Context) (*stripe.Invoice, error) {
		params := &stripe.InvoiceVoidInvoiceParams{}
		params.Context = ctx
		params.SetIdempotencyKey(hashedKey("void", id))
		return g.invoices.VoidInvoice(id, params)
	})
	return err
}

// CreateCreditNote takes a paid invoice back with a credit note: Stripe then makes the refund, and never more of it than was paid.
func (g *Gateway) CreateCreditNote(ctx context.Context, note billing.CreditNote) error {
	_, _, err := call(ctx, "credit invoice", func(ctx context.Context) (*stripe.CreditNote, error) {
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
