package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// The records of Stripe that the money check reads, as the API returns them. Amounts are in the
// currency's minor unit, times in Unix seconds.
type (
	recordedPrice struct {
		ID         string
		UnitAmount int64 `json:"unit_amount"`
		Metadata   map[string]string
		Recurring  struct{ Interval string }
	}

	recordedSubscription struct {
		ID, Customer, Status string
		Created              int64
		Metadata             map[string]string
		Currency             string
		Items                struct{ Data []recordedItem }
		TrialStart           int64 `json:"trial_start"`
		TrialEnd             int64 `json:"trial_end"`
		PeriodStart          int64 `json:"current_period_start"`
		PeriodEnd            int64 `json:"current_period_end"`
		Anchor               int64 `json:"billing_cycle_anchor"`
		Schedule             string
		CancelAtPeriodEnd    bool                      `json:"cancel_at_period_end"`
		PendingUpdate        *struct{}                 `json:"pending_update"`
		CancelAt             int64                     `json:"cancel_at"`
		Cancellation         struct{ Reason string }   `json:"cancellation_details"`
		PendingInterval      struct{ Interval string } `json:"pending_invoice_item_interval"`
		Discount             *recordedDiscount
	}

	recordedDiscount struct {
		ID            string
		Coupon        recordedCoupon
		PromotionCode string `json:"promotion_code"`
		End           int64
	}

	recordedCoupon struct {
		ID, Duration string
		AmountOff    int64       `json:"amount_off"`
		PercentOff   json.Number `json:"percent_off"`
	}

	// amountOff is what a discount takes off an invoice or a line.
	amountOff struct{ Amount int64 }

	recordedItem struct {
		ID       string
		Price    recordedPrice
		Quantity int64
	}

	recordedInvoice struct {
		ID, Customer, Subscription, Status, Currency string
		Created, Total                               int64
		AmountPaid                                   int64  `json:"amount_paid"`
		Reason                                       string `json:"billing_reason"`
		Discount                                     *recordedDiscount
		AmountsOff                                   []amountOff `json:"total_discount_amounts"`
		Transitions                                  struct {
			PaidAt int64 `json:"paid_at"`
		} `json:"status_transitions"`
		Lines struct {
			HasMore bool `json:"has_more"`
			Data    []recordedLine
		}
	}

	// recordedLine is a line of an invoice or a pending invoice item.
	recordedLine struct {
		ID, Type, Description, Currency, Subscription, Invoice string
		Amount, Quantity                                       int64
		AmountsOff                                             []amountOff `json:"discount_amounts"`
		Proration                                              bool
		Price                                                  recordedPrice
		Period                                                 struct{ Start, End int64 }
	}

	recordedCharge struct {
		ID, Customer, Invoice, Currency, Status string
		PaymentIntent                           string `json:"payment_intent"`
		Amount                                  int64
		AmountRefunded                          int64 `json:"amount_refunded"`
	}

	recordedRefund struct {
		ID, Charge, Currency, Status string
		Amount                       int64
	}

	recordedCreditNote struct {
		ID, Invoice, Refund, Status, Currency string
		Amount                                int64
	}

	recordedSession struct {
		ID, Customer, Mode, Subscription string
		PaymentIntent                    string `json:"payment_intent"`
		PaymentStatus                    string `json:"payment_status"`
		Reference                        string `json:"client_reference_id"` // set by Usher
	}
)

// stripeRecords is everything at Stripe that concerns money.
type stripeRecords struct {
	subscriptions []recordedSubscription
	invoices      []recordedInvoice
	pending       []recordedLine
	charges       []recordedCharge
	refunds       []recordedRefund
	creditNotes   []recordedCreditNote
	sessions      []recordedSession
}

// readRecords reads the records over HTTP. No errors are injected any more.
func (e *environment) readRecords(ctx context.Context) (*stripeRecords, error) {
	var r stripeRecords
	for _, read := range []func() error{
		func() error { return readAll(ctx, e, "/v1/subscriptions?status=all", &r.subscriptions) },
		func() error { return readAll(ctx, e, "/v1/invoices?", &r.invoices) },
		func() error { return readAll(ctx, e, "/v1/invoiceitems?pending=true", &r.pending) },
		func() error { return readAll(ctx, e, "/v1/charges?", &r.charges) },
		func() error { return readAll(ctx, e, "/v1/refunds?", &r.refunds) },
		func() error { return readAll(ctx, e, "/v1/credit_notes?", &r.creditNotes) },
		func() error { return readAll(ctx, e, "/v1/checkout/sessions?", &r.sessions) },
	} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	return &r, r.readAllLines(ctx, e)
}

// readAllLines reads the lines of invoices that have more than the invoice itself shows.
func (r *stripeRecords) readAllLines(ctx context.Context, e *environment) error {
	for i := range r.invoices {
		invoice := &r.invoices[i]
		if !invoice.Lines.HasMore {
			continue
		}
		invoice.Lines.Data = nil
		if err := readAll(ctx, e, "/v1/invoices/"+invoice.ID+"/lines?", &invoice.Lines.Data); err != nil {
			return err
		}
	}
	return nil
}

// readAll reads all pages of a list. The path ends where parameters can be added.
func readAll[T any](ctx context.Context, e *environment, path string, all *[]T) error {
	after := ""
	for {
		var page struct {
			Data    []json.RawMessage
			HasMore bool `json:"has_more"`
		}
		if err := e.readStripe(ctx, path+"&limit=100"+after, &page); err != nil {
			return err
		}
		for _, raw := range page.Data {
			var record T
			if err := json.Unmarshal(raw, &record); err != nil {
				return fmt.Errorf("decode a record of %s: %w", path, err)
			}
			*all = append(*all, record)
		}
		if !page.HasMore {
			return nil
		}
		var last struct{ ID string }
		if err := json.Unmarshal(page.Data[len(page.Data)-1], &last); err != nil {
			return err
		}
		after = "&starting_after=" + last.ID
	}
}

func (e *environment) readStripe(ctx context.Context, path string, result any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.stripeOrigin+strings.Replace(path, "?&", "?", 1), nil)
	if err != nil {
		return err
	}
	request.SetBasicAuth(stripeKey, "")
	response, err := e.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s: %s", path, response.Status, body)
	}
	return json.Unmarshal(body, result)
}
