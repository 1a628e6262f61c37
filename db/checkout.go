package db

import (
	"context"
	"database/sql"
	"time"

	"usher/billing"
)

const (
	customerLinkColumns = `organization_id, generation, stripe_customer_id, account, livemode, email, name, created_at, updated_at,
		deleted_at`
	checkoutColumns = `id, organization_id, user_id, stripe_session_id, customer_id, account, livemode, mode, price_id, quantity,
		trial_days, success_url, cancel_url, url, status, created_at, expires_at, completed_at`
)

type customerLinkRow struct {
	OrganizationID   string         `db:"organization_id"`
	Generation       int            `db:"generation"`
	StripeCustomerID sql.NullString `db:"stripe_customer_id"`
	Account          string         `db:"account"`
	Livemode         bool           `db:"livemode"`
	Email            string         `db:"email"`
	Name             string         `db:"name"`
	CreatedAt        time.Time      `db:"created_at"`
	UpdatedAt        time.Time      `db:"updated_at"`
	DeletedAt        *time.Time     `db:"deleted_at"`
}

func (r customerLinkRow) link() billing.CustomerLink {
	return billing.CustomerLink{
		OrganizationID: r.OrganizationID, Generation: r.Generation, StripeCustomerID: r.StripeCustomerID.String,
		Account: r.Account, Livemode: r.Livemode, Email: r.Email, Name: r.Name,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(), DeletedAt: utc(r.DeletedAt),
	}
}

type checkoutRow struct {
	ID              string         `db:"id"`
	OrganizationID  string         `db:"organization_id"`
	UserID          sql.NullString `db:"user_id"`
	StripeSessionID sql.NullString `db:"stripe_session_id"`
	CustomerID      string         `db:"customer_id"`
	Account         string         `db:"account"`
	Livemode        bool           `db:"livemode"`
	Mode            string         `db:"mode"`
	PriceID         string         `db:"price_id"`
	Quantity        int            `db:"quantity"`
	TrialDays       int            `db:"trial_days"`
	SuccessURL      string         `db:"success_url"`
	CancelURL       string         `db:"cancel_url"`
	URL             string         `db:"url"`
	Status          string         `db:"status"`
	CreatedAt       time.Time      `db:"created_at"`
	ExpiresAt       *time.Time     `db:"expires_at"`
	CompletedAt     *time.Time     `db:"completed_at"`
}

func (r checkoutRow) session() billing.CheckoutSession {
	return billing.CheckoutSession{
		ID: r.ID, OrganizationID: r.OrganizationID, UserID: r.UserID.String, StripeSessionID: r.StripeSessionID.String,
		CustomerID: r.CustomerID, Account: r.Account, Livemode: r.Livemode, Mode: billing.CheckoutMode(r.Mode),
		PriceID: r.PriceID, Quantity: r.Quantity, TrialDays: r.TrialDays, SuccessURL: r.SuccessURL, CancelURL: r.CancelURL,
		URL: r.URL, Status: billing.CheckoutStatus(r.Status), CreatedAt: r.CreatedAt.UTC(),
		ExpiresAt: utc(r.ExpiresAt), CompletedAt: utc(r.CompletedAt),
	}
}

const selectCustomerLink = `select ` + customerLinkColumns + ` from billing_customers
	where organization_id = $1 and account = $2 and livemode = $3 order by generation desc limit 1`

// CustomerLink implements [billing.CheckoutQueries].
func (q queries) CustomerLink(
	ctx context.Context, organizationID string, account billing.StripeAccount,
) (billing.CustomerLink, error) {
	row, err := get[customerLinkRow](ctx, q, "read customer link", selectCustomerLink, organizationID, account.ID, account.Livemode)
	return row.link(), err
}

const selectLastGeneration = `select coalesce(max(generation), 0) from billing_customers where organization_id = $1`

// LastGeneration implements [billing.CheckoutQueries].
func (q queries) LastGeneration(ctx context.Context, organizationID string) (int, error) {
	return get[int](ctx, q, "read last customer generation", selectLastGeneration, organizationID)
}

const putCustomerLink = `insert into billing_customers (` + customerLinkColumns + `)
	values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
	on conflict (organization_id, generation) do update set
		stripe_customer_id = excluded.stripe_customer_id, account = excluded.account, livemode = excluded.livemode,
		email = excluded.email, name = excluded.name, created_at = excluded.created_at, updated_at = excluded.updated_at,
		deleted_at = excluded.deleted_at`

// PutCustomerLink implements [billing.CheckoutQueries]. A customer that another link has already is a conflict.
func (q queries) PutCustomerLink(ctx context.Context, l billing.CustomerLink) error {
	return q.exec(ctx, "put customer link", putCustomerLink,
		l.OrganizationID, l.Generation, textOrNull(l.StripeCustomerID), l.Account, l.Livemode, l.Email, l.Name,
		l.CreatedAt, l.UpdatedAt, l.DeletedAt)
}

const selectCustomerOwner = `select ` + customerLinkColumns + ` from billing_customers
	where stripe_customer_id = $1 and account = $2 and livemode = $3`

// CustomerOwner implements [billing.CheckoutQueries].
func (q queries) CustomerOwner(
	ctx context.Context, customerID string, account billing.StripeAccount,
) (billing.CustomerLink, error) {
	row, err := get[customerLinkRow](ctx, q, "read customer owner", selectCustomerOwner, customerID, account.ID, account.Livemode)
	return row.link(), err
}

const lockOwner = `select o.id from billing_customers c join organizations o on o.id = c.organization_id
	where c.stripe_customer_id = $1 and c.account = $2 and c.livemode = $3 for no key update of o`

// LockOwner implements [billing.CheckoutQueries].
func (q queries) LockOwner(ctx context.Context, customerID string, account billing.StripeAccount) (string, error) {
	return get[string](ctx, q, "lock the customer's organization", lockOwner, customerID, account.ID, account.Livemode)
}

// The condition is checkout_sessions_one_open_key's, so there is one row at most.
const selectOpenCheckout = `select ` + checkoutColumns + ` from checkout_sessions
	where organization_id = $1 and account = $2 and livemode = $3 and mode = 'subscription' and status in ('reserved', 'open')`

// OpenCheckout implements [billing.CheckoutQueries].
func (q queries) OpenCheckout(
	ctx context.Context, organizationID string, account billing.StripeAccount,
) (billing.CheckoutSession, error) {
	row, err := get[checkoutRow](ctx, q, "read open checkout", selectOpenCheckout, organizationID, account.ID, account.Livemode)
	return row.session(), err
}

// Whose session it is never changes, and what has ended stays as it ended, whatever a slower writer still believes.
const putCheckout = `insert into checkout_sessions (` + checkoutColumns + `)
	values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
	on conflict (id) do update set
		user_id = excluded.user_id, stripe_session_id = excluded.stripe_session_id, customer_id = excluded.customer_id,
		account = excluded.account, livemode = excluded.livemode, mode = excluded.mode, price_id = excluded.price_id,
		quantity = excluded.quantity, trial_days = excluded.trial_days, success_url = excluded.success_url,
		cancel_url = excluded.cancel_url, url = excluded.url, status = excluded.status, created_at = excluded.created_at,
		expires_at = excluded.expires_at, completed_at = excluded.completed_at
	where checkout_sessions.organization_id = excluded.organization_id and checkout_sessions.status in ('reserved', 'open')`

// PutCheckout implements [billing.CheckoutQueries]. A second reserved or open subscription checkout is a conflict. Besides final
// sessions, one of another organization is left as it is.
func (q queries) PutCheckout(ctx context.Context, s billing.CheckoutSession) error {
	return q.exec(ctx, "put checkout", putCheckout,
		s.ID, s.OrganizationID, textOrNull(s.UserID), textOrNull(s.StripeSessionID), s.CustomerID, s.Account, s.Livemode,
		s.Mode, s.PriceID, s.Quantity, s.TrialDays, s.SuccessURL, s.CancelURL, s.URL, s.Status,
		s.CreatedAt, s.ExpiresAt, s.CompletedAt)
}

const selectCheckoutByStripeID = `select ` + checkoutColumns + ` from checkout_sessions
	where stripe_session_id = $2 and organization_id = $1`

// CheckoutByStripeID implements [billing.CheckoutQueries].
func (q queries) CheckoutByStripeID(ctx context.Context, organizationID, sessionID string) (billing.CheckoutSession, error) {
	row, err := get[checkoutRow](ctx, q, "read checkout", selectCheckoutByStripeID, organizationID, sessionID)
	return row.session(), err
}
