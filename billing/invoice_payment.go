package billing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// InvoicePayments pays open invoices at Stripe: when a person asks for it, and once with each card
// that replaces one that failed. Stripe itself retries only at the dates of its schedule when the
// default payment method changes, whether in the portal or by the API
// (https://docs.stripe.com/api/customers/update: only the legacy parameter source retries the
// latest invoice at once).
type InvoicePayments struct {
	*core
	invoices      *Invoices
	subscriptions *Subscriptions
}

// PaymentOrigin says who asked for a payment.
type PaymentOrigin string

// The origins of payments.
const (
	PaymentByPerson PaymentOrigin = "person"
	PaymentByCard   PaymentOrigin = "card" // the card was replaced
)

// PaymentStatus is the status of a payment that was asked for.
type PaymentStatus string

// The statuses. Only an open payment is worked on.
const (
	PaymentOpen            PaymentStatus = "open"
	PaymentPaid            PaymentStatus = "paid"
	PaymentDeclined        PaymentStatus = "declined"
	PaymentActionRequired  PaymentStatus = "action_required"
	PaymentNoPaymentMethod PaymentStatus = "no_payment_method"
	PaymentFailed          PaymentStatus = "failed"   // Stripe refused it, or gave no answer for too long
	PaymentObsolete        PaymentStatus = "obsolete" // there was nothing to pay any more
)

// InvoicePayment is a payment of an open invoice that was asked for. Amount is what was shown, in
// the minor unit of Currency.
type InvoicePayment struct {
	ID             string        `db:"id"` // pay_…
	OrganizationID string        `db:"organization_id"`
	Account        string        `db:"account"`
	Livemode       bool          `db:"livemode"`
	InvoiceID      string        `db:"invoice_id"`
	SubscriptionID string        `db:"subscription_id"` // empty: none
	Origin         PaymentOrigin `db:"origin"`
	// PaymentMethodID is the replaced card's successor; empty for a person: Stripe's order of
	// payment methods decides.
	PaymentMethodID string        `db:"payment_method_id"`
	Amount          int64         `db:"amount"`
	Currency        string        `db:"currency"`
	RequestedBy     string        `db:"requested_by,null"` // empty: no person
	RequestedAt     time.Time     `db:"requested_at"`
	Status          PaymentStatus `db:"status"`
	DeclineCode     string        `db:"decline_code"`
	DoneAt          *time.Time    `db:"done_at"`
	// KeyNumber is part of the idempotency key. It is raised after a definite failure of Stripe's,
	// which is stored under the key (https://docs.stripe.com/api/idempotent_requests).
	KeyNumber     int        `db:"key_number"`
	Attempts      int        `db:"attempts"`
	Error         string     `db:"error"`
	RequestID     string     `db:"request_id"`
	NextAttemptAt *time.Time `db:"next_attempt_at"` // while open
}

// Money returns the amount.
func (p InvoicePayment) Money() catalog.Money {
	return catalog.Money{Minor: p.Amount, Currency: p.Currency}
}

func (p InvoicePayment) idempotencyKey() string { return fmt.Sprintf("%s:%d", p.ID, p.KeyNumber) }

// AmountMovedError is a CodeConflict error: the invoice is not open for the amount that was shown.
type AmountMovedError struct {
	Invoice Invoice // as of now
	cause   *apperr.Error
}

// Error returns the message for people.
func (e *AmountMovedError) Error() string { return e.cause.Error() }

// Unwrap returns the CodeConflict error.
func (e *AmountMovedError) Unwrap() error { return e.cause }

// PaymentGateway pays invoices at Stripe.
type PaymentGateway interface {
	// PayInvoice pays an open invoice (https://docs.stripe.com/api/invoices/pay). For a declined
	// payment it returns a StripeError with status 402.
	PayInvoice(ctx context.Context, request PayRequest) (PaidInvoice, error)
	// FailedCharge reads a charge as an attempt to pay its invoice. DeclineCode is empty if the
	// charge has not failed.
	FailedCharge(ctx context.Context, id string) (PaymentAttempt, error)
	// ResumePaused resumes a subscription that is paused because its trial ended without a payment
	// method: Stripe begins a period and charges it. If the payment fails, the subscription stays
	// paused with an open invoice, which Stripe voids after 23 hours
	// (https://docs.stripe.com/api/subscriptions/resume).
	ResumePaused(ctx context.Context, paused Subscription) error
}

// PayRequest are the parameters of a payment.
type PayRequest struct {
	InvoiceID       string
	PaymentMethodID string // empty: the invoice's, subscription's or customer's default, in this order
	// OffSession means that no person is present to confirm the payment with the bank.
	OffSession     bool
	IdempotencyKey string
}

// PaidInvoice is Stripe's answer to a payment.
type PaidInvoice struct {
	Invoice   Invoice // as of the answer, with all its lines
	Replayed  bool    // the answer to an earlier request: no current snapshot
	RequestID string
}

const (
	// payTimeout bounds a payment that a person waits for, with the reads before and after it.
	// After that the worker continues.
	payTimeout = 2500 * time.Millisecond
	// paymentLease keeps the worker from a payment that is being made.
	paymentLease = 30 * time.Second
	// paymentLifetime is how long a payment without an answer is repeated. It is shorter than
	// Stripe keeps idempotency keys.
	paymentLifetime = time.Hour
)

// Pay pays an open invoice of the organization's plan or packs, for the amount that was shown. It
// returns within payTimeout; the payment is open if Stripe has not answered by then, and the worker
// finds out what came of it. A repeated call while it is open pays nothing twice. Errors:
// CodeForbidden; [apperr.ErrNotFound]; CodeConflict for a first payment, which is completed on its
// Checkout page; an [AmountMovedError]; CodeStripe, and nothing was charged.
func (ip *InvoicePayments) Pay(ctx context.Context, a account.Access, invoiceID string, shown catalog.Money) (InvoicePayment, error) {
	if err := a.RequireBilling(); err != nil {
		return InvoicePayment{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, payTimeout)
	defer cancel()
	if err := ip.invoices.requireOwn(ctx, a, invoiceID); err != nil {
		return InvoicePayment{}, err
	}
	if err := ip.invoices.refetch(ctx, invoiceID); err != nil && apperr.CodeOf(err) != apperr.CodeNotFound {
		var price *unknownPriceError
		if !errors.As(err, &price) {
			return InvoicePayment{}, apperr.StripeFailed("read invoice before payment", err)
		}
	}
	payment, send, err := ip.open(ctx, a, invoiceID, shown)
	if err != nil || !send {
		return payment, err
	}
	return ip.send(ctx, payment)
}

// open stores the payment before Stripe is called. send is false if there is nothing to send: the
// invoice is paid, or another request is paying it.
func (ip *InvoicePayments) open(ctx context.Context, a account.Access, invoiceID string, shown catalog.Money) (payment InvoicePayment, send bool, err error) {
	err = ip.store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.Organizations().Lock(ctx, a.Organization.ID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		invoice, err := ip.payable(ctx, tx, a.Organization.ID, invoiceID)
		if err != nil {
			return err
		}
		running, known, err := apperr.Found(tx.InvoicePayments().Open(ctx, invoiceID))
		if err != nil {
			return fmt.Errorf("look up open payment: %w", err)
		}
		payment, send = running, false
		switch now := ip.Now(); {
		case invoice.Status == InvoicePaid:
			payment = InvoicePayment{InvoiceID: invoice.ID, Status: PaymentPaid, Amount: invoice.AmountPaid, Currency: invoice.Currency}
			return nil
		case known && running.NextAttemptAt != nil && running.NextAttemptAt.After(now):
			return nil
		case invoice.Status != InvoiceOpen || invoice.DueMoney() != shown:
			return &AmountMovedError{invoice, apperr.Errorf(apperr.CodeConflict, "The amount has changed since you saw it. Nothing was charged.")}
		case !known:
			payment = ip.newPayment(invoice, PaymentByPerson)
			payment.RequestedBy = a.Member.UserID
		}
		send = true
		requested := a.Did(account.ActInvoicePaymentRequested).To(invoice.ID, invoice.Number).Changed(nil, account.AuditValues{"amount": shown.Format()})
		return errors.Join(ip.lease(ctx, tx, &payment, invoice, known), ip.audit(ctx, tx, requested))
	})
	return payment, send, err
}

// lease stores a payment that is about to be sent, so that no other process sends it meanwhile.
func (ip *InvoicePayments) lease(ctx context.Context, tx Tx, payment *InvoicePayment, invoice Invoice, known bool) error {
	leased := ip.Now().Add(paymentLease)
	payment.NextAttemptAt, payment.Amount, payment.Currency = &leased, invoice.AmountDue, invoice.Currency
	if known {
		return tx.InvoicePayments().Put(ctx, *payment)
	}
	return tx.InvoicePayments().Insert(ctx, *payment)
}

func (c *core) newPayment(invoice Invoice, origin PaymentOrigin) InvoicePayment {
	return InvoicePayment{
		ID: c.NewID("pay"), OrganizationID: invoice.OrganizationID, Account: invoice.Account, Livemode: invoice.Livemode,
		InvoiceID: invoice.ID, SubscriptionID: invoice.SubscriptionID, Origin: origin,
		Amount: invoice.AmountDue, Currency: invoice.Currency, RequestedAt: c.Now(), Status: PaymentOpen, KeyNumber: 1,
	}
}

// payable locks an invoice and checks that the organization may pay it here: it is of a
// subscription of ours, or has a pack on it.
func (ip *InvoicePayments) payable(ctx context.Context, tx Tx, organizationID, invoiceID string) (Invoice, error) {
	acct := ip.knownAccount()
	invoice, err := tx.Invoices().Lock(ctx, invoiceID)
	if err != nil {
		return invoice, err
	}
	if invoice.OrganizationID != organizationID || invoice.Account != acct.ID || invoice.Livemode != acct.Livemode {
		return invoice, apperr.ErrNotFound
	}
	if invoice.SubscriptionID == "" {
		isPack := func(l InvoiceLine) bool { return ip.Catalog().Recognize(l.PriceID) == catalog.PriceOfPack }
		if !slices.ContainsFunc(invoice.CreditLines, isPack) {
			return invoice, apperr.ErrNotFound
		}
		return invoice, nil
	}
	subscription, err := tx.Subscriptions().Get(ctx, invoice.SubscriptionID)
	switch {
	case err != nil:
		return invoice, err
	case subscription.Foreign:
		return invoice, apperr.ErrNotFound
	case subscription.Status == StatusIncomplete:
		return invoice, apperr.Errorf(apperr.CodeConflict, "The first payment is finished on the page where it was begun. The billing page links to it.")
	}
	return invoice, nil
}

// send calls Stripe and stores the result. Without an answer the payment stays open and is due.
func (ip *InvoicePayments) send(ctx context.Context, payment InvoicePayment) (InvoicePayment, error) {
	answer, err := ip.gateway.PayInvoice(ctx, PayRequest{
		InvoiceID: payment.InvoiceID, PaymentMethodID: payment.PaymentMethodID, OffSession: payment.Origin == PaymentByCard,
		IdempotencyKey: payment.idempotencyKey(),
	})
	payment.record(answer, err, ip.Now(), ip.Backoff)
	if payment.Status != PaymentOpen {
		// Before the row ends: until then another request does not pay.
		ip.refresh(ctx, payment)
	}
	if payment.Status == PaymentFailed && ip.isPaid(ctx, payment) {
		payment.Status = PaymentPaid // Stripe refused it because it was paid meanwhile
	}
	return payment, ip.finish(context.WithoutCancel(ctx), payment)
}

// isPaid reports whether the stored invoice is paid.
func (ip *InvoicePayments) isPaid(ctx context.Context, payment InvoicePayment) bool {
	invoice, err := ip.store.Invoices().Get(context.WithoutCancel(ctx), payment.InvoiceID)
	return err == nil && invoice.Status == InvoicePaid
}

// record sets the fields that follow from Stripe's answer.
func (p *InvoicePayment) record(answer PaidInvoice, err error, now time.Time, backoff func(int) time.Duration) {
	p.RequestID, p.DeclineCode = answer.RequestID, ""
	if err == nil {
		p.Attempts, p.Error = p.Attempts+1, ""
		p.end(PaymentPaid, now)
		return
	}
	p.postpone(err, now, backoff)
	var refused *apperr.StripeError
	switch {
	case !errors.As(err, &refused) || refused.OutcomeUnknown || refused.Status == 0:
	case refused.Status == 402:
		p.DeclineCode = cmp.Or(refused.DeclineCode, refused.Code)
		p.end(PaymentDeclined, now)
		if refused.RequiresAction {
			p.DeclineCode = declineActionRequired
			p.Status = PaymentActionRequired
		}
	case apperr.IsMissing(err) && refused.Status == 400:
		p.DeclineCode = declineNoPaymentMethod
		p.end(PaymentNoPaymentMethod, now)
	case refused.ShouldRetry:
		p.KeyNumber++
	default:
		p.end(PaymentFailed, now)
	}
	if refused != nil {
		p.RequestID = refused.RequestID
	}
}

// postpone stores a failure after which the payment stays open.
func (p *InvoicePayment) postpone(err error, now time.Time, backoff func(int) time.Duration) {
	p.Attempts++
	next := now.Add(backoff(p.Attempts))
	p.Error, p.NextAttemptAt = err.Error(), &next
}

func (p *InvoicePayment) end(status PaymentStatus, now time.Time) {
	p.Status, p.DoneAt, p.NextAttemptAt = status, &now, nil
}

func (ip *InvoicePayments) finish(ctx context.Context, payment InvoicePayment) error {
	return ip.store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.Organizations().Lock(ctx, payment.OrganizationID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		if err := tx.InvoicePayments().Put(ctx, payment); err != nil {
			return fmt.Errorf("write payment of invoice %s: %w", payment.InvoiceID, err)
		}
		return nil
	})
}

// refresh reads the state after a payment. A failure is only logged: the events bring the state
// too.
func (ip *InvoicePayments) refresh(ctx context.Context, payment InvoicePayment) {
	err := ip.invoices.refetch(ctx, payment.InvoiceID)
	if payment.SubscriptionID != "" {
		_, failed := ip.subscriptions.refetch(ctx, payment.SubscriptionID)
		err = errors.Join(err, failed)
	}
	if err != nil {
		ip.Log.WarnContext(ctx, "state not fetched after a payment", "organization_id", payment.OrganizationID, "invoice", payment.InvoiceID, "err", err)
	}
}

// processAllDue works on open payments until none is due, for one sweep interval at most.
func (ip *InvoicePayments) processAllDue(ctx context.Context) error {
	if ip.account.Load() == nil {
		return nil
	}
	until := time.Now().Add(sweepInterval)
	for ctx.Err() == nil && time.Now().Before(until) {
		now := ip.Now()
		payment, claimed, err := apperr.Found(ip.store.InvoicePayments().ClaimDue(ctx, ip.knownAccount(), now, now.Add(paymentLease)))
		if err != nil || !claimed {
			return err
		}
		if err := ip.process(ctx, payment); err != nil {
			ip.Log.WarnContext(ctx, "payment of an invoice not finished", "organization_id", payment.OrganizationID, "invoice", payment.InvoiceID, "err", err)
		}
	}
	return nil
}

// process reads the state, ends a payment that is not needed any more, and makes the others.
func (ip *InvoicePayments) process(ctx context.Context, payment InvoicePayment) error {
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	status, err := ip.check(ctx, payment)
	switch {
	case err != nil:
		payment.postpone(err, ip.Now(), ip.Backoff)
		return errors.Join(err, ip.finish(context.WithoutCancel(ctx), payment))
	case status != PaymentOpen:
		payment.end(status, ip.Now())
		return ip.finish(ctx, payment)
	}
	_, err = ip.send(ctx, payment)
	return err
}

// check refetches invoice and subscription, and returns the status of a payment that must not be
// sent; PaymentOpen: it is to be sent.
func (ip *InvoicePayments) check(ctx context.Context, payment InvoicePayment) (PaymentStatus, error) {
	var price *unknownPriceError
	if err := ip.invoices.refetch(ctx, payment.InvoiceID); err != nil && !errors.Is(err, apperr.ErrNotFound) && !errors.As(err, &price) {
		return "", err
	}
	var current Subscription
	if payment.SubscriptionID != "" {
		fetched, err := ip.subscriptions.refetch(ctx, payment.SubscriptionID)
		if err != nil && !errors.Is(err, apperr.ErrNotFound) {
			return "", err
		}
		current = fetched
	}
	invoice, err := ip.store.Invoices().Get(ctx, payment.InvoiceID)
	if err != nil {
		return "", err
	}
	attempts, err := ip.store.PaymentAttempts().List(ctx, payment.OrganizationID, payment.InvoiceID)
	if err != nil {
		return "", err
	}
	return payment.next(invoice, current, attempts, ip.Now()), nil
}

// next is the rule of check.
func (p InvoicePayment) next(invoice Invoice, current Subscription, attempts []PaymentAttempt, now time.Time) PaymentStatus {
	switch {
	case invoice.Status == InvoicePaid:
		return PaymentPaid
	case invoice.Status != InvoiceOpen || invoice.AmountDue != p.Amount || invoice.Currency != p.Currency:
		return PaymentObsolete
	case p.Origin == PaymentByCard && !current.paysWith(p.PaymentMethodID, attempts):
		return PaymentObsolete
	case now.Sub(p.RequestedAt) > paymentLifetime:
		return PaymentFailed
	}
	return PaymentOpen
}

// paysWith reports whether a payment method is the one that an invoice of the subscription would be
// charged to, and none of the attempts to collect the invoice was made with it.
func (s Subscription) paysWith(paymentMethodID string, attempts []PaymentAttempt) bool {
	return !s.Foreign && !s.SendsInvoices && s.Status.retriesWithCard() &&
		paymentMethodID != "" && s.PaymentMethodID == paymentMethodID &&
		len(attempts) > 0 && lastWith(attempts, paymentMethodID) == nil
}

// lastWith returns the newest attempt with a payment method; nil: there is none. Attempts are
// newest first.
func lastWith(attempts []PaymentAttempt, paymentMethodID string) *PaymentAttempt {
	for i := range attempts {
		if attempts[i].PaymentMethodID == paymentMethodID {
			return &attempts[i]
		}
	}
	return nil
}

// retriesWithCard reports whether a replaced card pays the open invoices of a subscription. A first
// payment is finished on its Checkout page; a paused subscription has an open invoice after a
// resume that was not paid.
func (s SubscriptionStatus) retriesWithCard() bool {
	return s == StatusPastDue || s == StatusUnpaid || s == StatusPaused
}

// attemptedBeforeCreation reports whether the newest attempt was made before the organization was
// created. Such an organization was imported: when its card was replaced is not known, and an
// import charges nobody. Stripe's own next attempt uses the present card.
func (c *core) attemptedBeforeCreation(ctx context.Context, tx Tx, newest PaymentAttempt) (bool, error) {
	organization, err := tx.Organizations().Get(ctx, newest.OrganizationID)
	if err != nil {
		return false, fmt.Errorf("read organization: %w", err)
	}
	return newest.At.Before(organization.CreatedAt), nil
}

// requestCardPayments makes a payment due for each open invoice of a subscription
// that was attempted, but not with the present default payment method. An invoice is paid once with
// each payment method. The organization is locked.
func (c *core) requestCardPayments(ctx context.Context, tx Tx, s Subscription) error {
	if s.Foreign || s.SendsInvoices || s.PaymentMethodID == "" || !s.Status.retriesWithCard() {
		return nil
	}
	open, err := tx.Invoices().OpenOf(ctx, s.OrganizationID, s.ID)
	if err != nil {
		return fmt.Errorf("list open invoices: %w", err)
	}
	for _, invoice := range open {
		attempts, err := tx.PaymentAttempts().List(ctx, s.OrganizationID, invoice.ID)
		if err != nil {
			return fmt.Errorf("list payment attempts: %w", err)
		}
		if !s.paysWith(s.PaymentMethodID, attempts) {
			continue
		}
		before, err := c.attemptedBeforeCreation(ctx, tx, attempts[0])
		if err != nil {
			return err
		}
		if before {
			continue
		}
		payment, now := c.newPayment(invoice, PaymentByCard), c.Now()
		payment.PaymentMethodID, payment.NextAttemptAt = s.PaymentMethodID, &now
		fresh, err := tx.InvoicePayments().InsertForCard(ctx, payment)
		if err != nil {
			return fmt.Errorf("write payment: %w", err)
		}
		if fresh {
			tx.Record("invoice %s: to be paid with the new card", invoice.ID)
		}
	}
	return nil
}
