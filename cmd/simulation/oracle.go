package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/job"
	"usher/db"
)

// oracle is a replica without faults, on its own database. It receives every event once, in
// Stripe's order, and processes it before the next.
type oracle struct {
	env     *environment
	store   *db.Store
	service *billing.Service
}

func (e *environment) openOracle(ctx context.Context) (*oracle, error) {
	dsn, err := e.shard.createDatabase(ctx, e.oracleDatabaseName())
	if err != nil {
		return nil, err
	}
	store, err := db.Open(ctx, dsn)
	if err != nil {
		return nil, err
	}
	options := serviceOptions(store, e.gateway, e.stripe.Now)
	options.Log = slog.New(slog.DiscardHandler)
	o := &oracle{env: e, store: store, service: billing.New(options)}
	return o, o.service.Prices.Start(ctx)
}

// balance processes a history's events and returns the credits that result.
func (o *oracle) balance(ctx context.Context, h *history) (int, error) {
	customers, err := o.insertOrganization(ctx, h)
	if err != nil {
		return 0, err
	}
	for _, received := range o.env.webhookProxy.received() {
		if !concerns(received, customers) {
			continue
		}
		if err := o.process(ctx, received.payload); err != nil {
			return 0, err
		}
	}
	return creditBalance(ctx, o.store, h)
}

// concerns reports whether an event is about one of the customers. An event about a charge that
// names no customer, such as a dispute, may be about any of them: the oracle receives it for each
// history.
func concerns(received receivedEvent, customers map[string]bool) bool {
	if received.customerID == "" {
		return strings.HasPrefix(parseEvent(received.payload).Type, "charge.")
	}
	return customers[received.customerID]
}

// insertOrganization inserts the organization with its customers and returns their ids.
func (o *oracle) insertOrganization(ctx context.Context, h *history) (map[string]bool, error) {
	var ids []string
	err := o.env.store.DB().SelectContext(ctx, &ids, `
		select stripe_customer_id from billing_customers
		where organization_id = $1 and stripe_customer_id is not null order by generation`, h.organizationID)
	if err != nil {
		return nil, err
	}
	customers, now := map[string]bool{}, time.Now()
	return customers, o.store.InTx(ctx, func(tx billing.Tx) error {
		err := tx.Organizations().Insert(ctx, account.Organization{ID: h.organizationID, Name: "Simulation", CreatedAt: now})
		for n, id := range ids {
			if err != nil {
				return err
			}
			customers[id] = true
			err = tx.Customers().PutLink(ctx, billing.CustomerLink{
				OrganizationID: h.organizationID, Generation: n + 1, StripeCustomerID: id, Account: o.env.account.ID,
				Livemode: o.env.account.Livemode, Email: "p@example.com", Name: "Simulation", CreatedAt: now, UpdatedAt: now,
			})
		}
		return err
	})
}

// process receives an event and runs the job for pending events until none is left.
func (o *oracle) process(ctx context.Context, payload []byte) error {
	if err := o.service.Inbox.Receive(ctx, payload, o.env.sign(payload)); err != nil {
		return err
	}
	for range 20 {
		if _, err := o.service.Worker.RunJob(ctx, job.Job{Kind: job.KindEvent}); err != nil {
			return err
		}
		var pending int
		err := o.store.DB().GetContext(ctx, &pending, `select count(*) from stripe_events where outcome = 'pending'`)
		if err != nil || pending == 0 {
			return err
		}
	}
	return nil
}

func creditBalance(ctx context.Context, store *db.Store, h *history) (balance int, err error) {
	err = store.DB().GetContext(ctx, &balance, `
		select coalesce(max(balance), 0) from credit_accounts where organization_id = $1`, h.organizationID)
	return balance, err
}
