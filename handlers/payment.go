package handlers

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
	billingviews "usher/views/billing"
	"usher/views/layout"
	"usher/views/locale"
)

// pay pays an open invoice for the amount that the form shows. If the amount moved, the response is
// the billing page with the new one.
func (p *billingPages) pay(w http.ResponseWriter, r *http.Request) error {
	minor, err := strconv.ParseInt(r.PostFormValue("amount"), 10, 64)
	if err != nil {
		return &apperr.Error{Code: apperr.CodeInvalid, Message: "The form names no amount. Open the billing page and try again.", Err: errors.Unwrap(err)} // without what was typed
	}
	shown := catalog.Money{Minor: minor, Currency: r.PostFormValue("currency")}
	payment, err := p.payments.Pay(r.Context(), accessOf(r), r.PostFormValue("invoice"), shown)
	var moved *billing.AmountMovedError
	if errors.As(err, &moved) {
		return p.showMoved(w, r, shown, refusalStatus(err))
	}
	if err != nil {
		return err
	}
	to := billingPath
	if notice := paymentNotices[payment.Status]; notice != "" {
		to += "&notice=" + notice
	}
	redirect(w, r, to)
	return nil
}

// paymentNotices are the notices after a payment. The banner says the rest.
var paymentNotices = map[billing.PaymentStatus]string{
	billing.PaymentPaid:            noticePaid,
	billing.PaymentDeclined:        noticePayDeclined,
	billing.PaymentNoPaymentMethod: noticePayNoCard,
	billing.PaymentActionRequired:  noticePayConfirm,
	billing.PaymentFailed:          noticePayFailed,
}

// showMoved shows the billing page after a payment of another amount than the invoice's was
// refused.
func (p *billingPages) showMoved(w http.ResponseWriter, r *http.Request, shown catalog.Money, status int) error {
	overview, err := p.overviews.Get(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	panel, err := p.panel(r, overview, checkoutReturn{})
	if err != nil {
		return err
	}
	if panel.Trouble != nil && panel.Trouble.Amount.Currency != "" {
		panel.Trouble.Moved = shown
	}
	return render(w, r, status, billingviews.Page(billingviews.PageProps{
		Layout: p.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabBilling), Panel: panel,
	}))
}

// trouble returns what is wrong with the payment; nil: nothing.
func (p *billingPages) trouble(ctx context.Context, o billing.Overview, a account.Access) *billingviews.PaymentTroubleProps {
	t := o.Trouble
	if t == nil {
		return nil
	}
	props := &billingviews.PaymentTroubleProps{
		OrganizationID: o.Organization.ID, CanManageBilling: a.CanManageBilling(), Kind: t.Kind, Amount: t.Amount(),
		FailedAt: t.FailedAt, Reason: locale.Lookup(ctx, t.Decline.Reason), Step: locale.Lookup(ctx, t.Decline.Step), AccessUntil: t.AccessUntil, HasAccess: t.HasAccess,
		Stopped: t.Stopped, NextTry: t.NextTry, Tried: t.Tried, CanPay: t.CanPay, At: t.At, NextCharge: t.NextCharge, Now: p.now(),
		Card: card(*o.Subscription), HasCard: t.HasCard, NewCard: t.Payment != nil && t.Payment.Origin == billing.PaymentByCard,
	}
	if t.Payment != nil && t.Payment.Status == billing.PaymentPaid { // the invoice is not read since
		props.Amount = catalog.Money{}
	}
	if t.Invoice != nil {
		props.InvoiceID, props.ConfirmHref = t.Invoice.ID, payInvoicePath(t.Invoice.ID)
	}
	if t.Kind == billing.TroubleIncomplete {
		// The first payment is completed on the page of its Checkout session, or of its invoice
		// (https://docs.stripe.com/billing/subscriptions/overview#subscription-statuses).
		if props.FinishHref = props.ConfirmHref; o.OpenCheckout != nil {
			props.FinishHref = o.OpenCheckout.URL
		}
	}
	if t.Kind != billing.TroubleIncomplete {
		props.Attempts, props.EarlierAttempts = attemptRows(ctx, t.Attempts), max(0, len(t.Attempts)-attemptsShown)
	}
	return props
}

// attemptsShown are named one by one; of the earlier ones the page has the number.
const attemptsShown = 3

func attemptRows(ctx context.Context, attempts []billing.PaymentAttempt) []billingviews.AttemptRow {
	var rows []billingviews.AttemptRow
	for _, attempt := range attempts[:min(len(attempts), attemptsShown)] {
		rows = append(rows, billingviews.AttemptRow{At: attempt.At, Result: locale.Lookup(ctx, attempt.Decline().Reason)})
	}
	return rows
}
