package stripegw

import (
	"context"
	"fmt"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
)

// creditedUnrefunded returns how much of an invoice's credit notes issued after its payment was not
// refunded to the payment method. A note's refund is expanded, since a note has no refunded amount
// at this version (https://docs.stripe.com/api/credit_notes/object#credit_note_object-refund).
func (g *Gateway) creditedUnrefunded(ctx context.Context, invoiceID string) (int64, error) {
	credited, _, err := call(ctx, "list credit notes", func(ctx context.Context) (int64, error) {
		params := &stripe.CreditNoteListParams{Invoice: stripe.String(invoiceID), Expand: stripe.StringSlice([]string{"data.refund"})}
		params.Context, params.Limit = ctx, stripe.Int64(pageSize)
		var credited int64
		list := g.creditNotes.List(params)
		for list.Next() {
			credited += unrefunded(list.CreditNote())
		}
		return credited, list.Err()
	})
	return credited, err
}

func unrefunded(note *stripe.CreditNote) int64 {
	switch {
	case note.Type != stripe.CreditNoteTypePostPayment || note.Status == stripe.CreditNoteStatusVoid:
		return 0
	case note.Refund == nil:
		return note.Amount
	}
	return max(0, note.Amount-note.Refund.Amount)
}

// CreateCreditNote credits a paid invoice. Stripe makes the refund, and rejects more than was paid.
// The caller has read what is left of the invoice.
func (g *Gateway) CreateCreditNote(ctx context.Context, creditNote billing.CreditNote) error {
	_, _, err := callKeyed(ctx, "create credit note", creditKey(creditNote), func(ctx context.Context, key string) (*stripe.CreditNote, error) {
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
		params.SetIdempotencyKey(key)
		return g.creditNotes.New(params)
	})
	return err
}

// creditKey includes the amounts: what is left of an invoice changes when support refunds a part of
// it, and Stripe rejects a key with other parameters.
func creditKey(n billing.CreditNote) string {
	return hashedKey("credit", n.InvoiceID, fmt.Sprint(n.Refund), fmt.Sprint(n.Credit))
}
