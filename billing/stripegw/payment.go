package stripegw

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
)

// PayInvoice pays an open invoice. off_session is always sent, since its default is true: a person
// who is present can confirm the payment with the bank
// (https://docs.stripe.com/api/invoices/pay#pay_invoice-off_session).
func (g *Gateway) PayInvoice(ctx context.Context, request billing.PayRequest) (billing.PaidInvoice, error) {
	// Read before the payment: an error afterwards would report a payment as failed.
	acct, err := g.Account(ctx)
	if err != nil {
		return billing.PaidInvoice{}, err
	}
	paid, info, err := call(ctx, "pay invoice", func(ctx context.Context) (*stripe.Invoice, error) {
		params := &stripe.InvoicePayParams{OffSession: stripe.Bool(request.OffSession), PaymentMethod: stringOrNil(request.PaymentMethodID)}
		params.Context = ctx
		params.SetIdempotencyKey(request.IdempotencyKey)
		return g.invoices.Pay(request.InvoiceID, params)
	})
	answer := billing.PaidInvoice{Replayed: info.replayed, RequestID: info.requestID}
	if err != nil {
		return answer, err
	}
	if paid == nil || paid.ID == "" || paid.Status != stripe.InvoiceStatusPaid {
		return answer, invalidResponse(info, "the response is no paid invoice")
	}
	asOf, err := info.snapshotTime()
	answer.Invoice = mapInvoice(paid, acct.ID, asOf)
	return answer, err
}

// FailedCharge reads a charge as an attempt to pay its invoice. The reason of the outcome is the
// decline code (https://docs.stripe.com/api/charges/object#charge_object-outcome-reason).
func (g *Gateway) FailedCharge(ctx context.Context, id string) (billing.PaymentAttempt, error) {
	found, info, err := call(ctx, "read charge", func(ctx context.Context) (*stripe.Charge, error) {
		params := &stripe.ChargeParams{}
		params.Context = ctx
		return g.charges.Get(id, params)
	})
	if err != nil {
		return billing.PaymentAttempt{}, err
	}
	if found == nil || found.ID == "" {
		return billing.PaymentAttempt{}, invalidResponse(info, "the response is no charge")
	}
	acct, err := g.Account(ctx)
	if err != nil {
		return billing.PaymentAttempt{}, fmt.Errorf("read charge %s: %w", id, err)
	}
	attempt := billing.PaymentAttempt{
		Account: acct.ID, Livemode: found.Livemode, ID: found.ID, At: time.Unix(found.Created, 0).UTC(), Amount: found.Amount,
		Currency: string(found.Currency), Outcome: billing.AttemptDeclined, PaymentMethodID: found.PaymentMethod,
	}
	if found.Invoice != nil {
		attempt.InvoiceID = found.Invoice.ID
	}
	if found.Status == stripe.ChargeStatusFailed {
		attempt.DeclineCode = found.FailureCode
		if found.Outcome != nil {
			attempt.DeclineCode = cmp.Or(found.Outcome.Reason, found.FailureCode)
		}
	}
	return attempt, nil
}

// ResumePaused resumes a paused subscription. A period begins now. Each state of the subscription
// has its own key: after a failed payment it has another invoice.
func (g *Gateway) ResumePaused(ctx context.Context, paused billing.Subscription) error {
	_, _, err := call(ctx, "resume paused subscription", func(ctx context.Context) (*stripe.Subscription, error) {
		params := &stripe.SubscriptionResumeParams{BillingCycleAnchor: stripe.String("now")}
		params.Context = ctx
		params.SetIdempotencyKey(hashedKey("resume", paused.ID, paused.LatestInvoiceID, paused.PaymentMethodID))
		return g.subscriptions.Resume(paused.ID, params)
	})
	return err
}

// lastAttempt returns what the expanded payment intent of an open invoice says about its last
// unsuccessful attempt; nil if it was not attempted, or the intent is not expanded.
func lastAttempt(i *stripe.Invoice) *billing.PaymentAttempt {
	p := i.PaymentIntent
	if i.Status != stripe.InvoiceStatusOpen || p == nil || p.Object == "" || !i.Attempted {
		return nil
	}
	attempt := &billing.PaymentAttempt{Outcome: billing.AttemptDeclined}
	switch failure := p.LastPaymentError; {
	case p.Status == stripe.PaymentIntentStatusRequiresAction:
		attempt.Outcome, attempt.DeclineCode = billing.AttemptActionRequired, string(stripe.DeclineCodeAuthenticationRequired)
		attempt.PaymentMethodID = methodID(p.PaymentMethod)
	case p.Status != stripe.PaymentIntentStatusRequiresPaymentMethod:
		return nil // it is being processed
	case failure == nil:
		attempt.Outcome, attempt.DeclineCode = billing.AttemptNoPaymentMethod, "no_payment_method"
	default:
		attempt.ID, attempt.DeclineCode = failure.ChargeID, cmp.Or(string(failure.DeclineCode), string(failure.Code))
		attempt.PaymentMethodID = methodID(failure.PaymentMethod)
		if c := p.LatestCharge; c != nil && c.ID == failure.ChargeID && c.Created > 0 {
			attempt.At = time.Unix(c.Created, 0).UTC()
		}
		if actionRequired(p) {
			attempt.Outcome = billing.AttemptActionRequired
		}
	}
	return attempt
}

func methodID(method *stripe.PaymentMethod) string {
	if method == nil {
		return ""
	}
	return method.ID
}
