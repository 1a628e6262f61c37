package stripegw

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
)

// Events reads the events made at since or later, the newest first, page by page (https://docs.stripe.com/api/events/list). Stripe gives
// them in the account's API version, whatever this one asks for, so each is read as a webhook's body is.
func (g *Gateway) Events(ctx context.Context, since time.Time, f func(billing.Event) error) error {
	after := ""
	for {
		page, err := g.eventPage(ctx, since, after)
		if err != nil {
			return err
		}
		for _, raw := range page.Data {
			event, err := g.ParseEvent(raw)
			if err != nil {
				return fmt.Errorf("list events: %w", err)
			}
			after = event.ID
			if err := f(event); err != nil {
				return err
			}
		}
		if !page.HasMore || len(page.Data) == 0 {
			return nil
		}
	}
}

type rawPage struct {
	HasMore bool              `json:"has_more"`
	Data    []json.RawMessage `json:"data"`
}

func (g *Gateway) eventPage(ctx context.Context, since time.Time, after string) (rawPage, error) {
	page, x, err := call(ctx, "list events", func(ctx context.Context) (*stripe.EventList, error) {
		params := &stripe.EventListParams{CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: since.Unix()}}
		params.Context, params.Limit, params.Single = ctx, stripe.Int64(pageSize), true
		if after != "" {
			params.StartingAfter = stripe.String(after)
		}
		list := g.events.List(params)
		return list.EventList(), list.Err()
	})
	if err != nil {
		return rawPage{}, err
	}
	var raw rawPage
	if page == nil || page.LastResponse == nil || json.Unmarshal(page.LastResponse.RawJSON, &raw) != nil {
		return rawPage{}, invalidResponse(x, "the answer is no list of events")
	}
	return raw, nil
}

// Invoices lists invoices made at since or later of a customer, or (empty) of the account, without their lines.
func (g *Gateway) Invoices(ctx context.Context, customerID string, since time.Time) ([]billing.Invoice, error) {
	found, x, err := call(ctx, "list invoices", func(ctx context.Context) ([]*stripe.Invoice, error) {
		params := &stripe.InvoiceListParams{CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: since.Unix()}}
		params.Context, params.Limit = ctx, stripe.Int64(pageSize)
		if customerID != "" {
			params.Customer = stripe.String(customerID)
		}
		var all []*stripe.Invoice
		list := g.invoices.List(params)
		for list.Next() {
			all = append(all, list.Invoice())
		}
		return all, list.Err()
	})
	if err != nil {
		return nil, err
	}
	moment, err := x.snapshotTime()
	if err != nil {
		return nil, fmt.Errorf("list invoices: %w", err)
	}
	acct, err := g.Account(ctx)
	if err != nil {
		return nil, err
	}
	invoices := make([]billing.Invoice, 0, len(found))
	for _, i := range found {
		invoice := mapInvoice(i, acct.ID, moment)
		invoice.Lines = nil // the first page of them only
		invoices = append(invoices, invoice)
	}
	return invoices, nil
}

// Customers lists the ids of the account's customers, those on test clocks left out.
func (g *Gateway) Customers(ctx context.Context) ([]string, error) {
	ids, _, err := call(ctx, "list customers", func(ctx context.Context) ([]string, error) {
		params := &stripe.CustomerListParams{}
		params.Context, params.Limit = ctx, stripe.Int64(pageSize)
		var all []string
		list := g.customers.List(params)
		for list.Next() {
			all = append(all, list.Customer().ID)
		}
		return all, list.Err()
	})
	return ids, err
}
