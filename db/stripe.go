package db

import (
	"context"
	"time"

	"usher/billing"
	"usher/billing/catalog"
)

// stripeStore implements [billing.StripeStore].
type stripeStore struct{ queries }

// Stripe implements [billing.Tx].
func (q queries) Stripe() billing.StripeStore { return stripeStore{q} }

const putAccount = `insert into stripe_accounts (fingerprint, account, livemode) values ($1, $2, $3)
	on conflict (fingerprint) do update set account = excluded.account, livemode = excluded.livemode`

// PutAccount implements [billing.StripeStore].
func (q stripeStore) PutAccount(ctx context.Context, fingerprint string, acct billing.StripeAccount) error {
	return q.exec(ctx, "put account", putAccount, fingerprint, acct.ID, acct.Livemode)
}

const selectAccount = `select account, livemode from stripe_accounts where fingerprint = $1`

// Account implements [billing.StripeStore].
func (q stripeStore) Account(ctx context.Context, fingerprint string) (billing.StripeAccount, error) {
	return get[billing.StripeAccount](ctx, q.queries, "read account", selectAccount, fingerprint)
}

const putPortalProblem = `insert into portal_problems (account, livemode, problem) values ($1, $2, $3)
	on conflict (account, livemode) do update set problem = excluded.problem`

// PutPortalProblem implements [billing.StripeStore].
func (q stripeStore) PutPortalProblem(ctx context.Context, acct billing.StripeAccount, problem string) error {
	return q.exec(ctx, "put portal problem", putPortalProblem, acct.ID, acct.Livemode, problem)
}

const selectPortalProblem = `select coalesce((select problem from portal_problems where account = $1 and livemode = $2), '')`

// PortalProblem implements [billing.StripeStore].
func (q stripeStore) PortalProblem(ctx context.Context, acct billing.StripeAccount) (string, error) {
	return get[string](ctx, q.queries, "read portal problem", selectPortalProblem, acct.ID, acct.Livemode)
}

const putCheckoutProblem = `insert into checkout_problems (account, livemode, problem) values ($1, $2, $3)
	on conflict (account, livemode) do update set problem = excluded.problem`

// PutCheckoutProblem implements [billing.StripeStore].
func (q stripeStore) PutCheckoutProblem(ctx context.Context, acct billing.StripeAccount, problem string) error {
	return q.exec(ctx, "put checkout problem", putCheckoutProblem, acct.ID, acct.Livemode, problem)
}

const selectCheckoutProblem = `select coalesce((select problem from checkout_problems where account = $1 and livemode = $2), '')`

// CheckoutProblem implements [billing.StripeStore].
func (q stripeStore) CheckoutProblem(ctx context.Context, acct billing.StripeAccount) (string, error) {
	return get[string](ctx, q.queries, "read checkout problem", selectCheckoutProblem, acct.ID, acct.Livemode)
}

// storedPrice is a row of stripe_prices.
type storedPrice struct {
	catalog.StripePrice
	Account  string `db:"account"`
	Livemode bool   `db:"livemode"`
}

// An amount is stored in two columns.
var priceTable = tableOf[storedPrice]("stripe_prices").
	computed("amount_minor", func(p storedPrice) any { return p.Amount.Minor }).
	computed("currency", func(p storedPrice) any { return p.Amount.Currency })

// What a price was here before stays true when it is read again: that the plan file named it, the
// plan it was sold under, and a lookup key that it no longer has.
var putPrice = priceTable.insert() + ` on conflict (account, livemode, id) do update set ` +
	priceTable.without("account", "livemode", "id", "configured", "plan_id").excluded() + `,
	configured = stripe_prices.configured or excluded.configured,
	plan_id = coalesce(nullif(excluded.plan_id, ''), stripe_prices.plan_id),
	former_lookup_key = case when stripe_prices.lookup_key in ('', excluded.lookup_key)
		then stripe_prices.former_lookup_key else stripe_prices.lookup_key end`

// A lookup key belongs to one price at a time
// (https://docs.stripe.com/products-prices/manage-prices#lookup-keys).
const moveLookupKey = `update stripe_prices set former_lookup_key = lookup_key, lookup_key = ''
	where account = $1 and livemode = $2 and lookup_key = $3 and id <> $4`

// PutPrices implements [billing.StripeStore]. prices may contain a price twice (found by
// lookup key and by id), which a single insert would reject.
func (q stripeStore) PutPrices(ctx context.Context, acct billing.StripeAccount, prices []catalog.StripePrice) error {
	for _, p := range prices {
		row := storedPrice{StripePrice: p, Account: acct.ID, Livemode: acct.Livemode}
		if err := q.exec(ctx, "put price", putPrice, priceTable.values(row)...); err != nil {
			return err
		}
		if p.LookupKey == "" {
			continue
		}
		if err := q.exec(ctx, "move lookup key", moveLookupKey, acct.ID, acct.Livemode, p.LookupKey, p.ID); err != nil {
			return err
		}
	}
	return nil
}

var selectPrices = `select ` + priceTable.without("account", "livemode").list("") + `,
		amount_minor as "amount.minor", currency as "amount.currency"
	from stripe_prices where account = $1 and livemode = $2 order by seq`

// Prices implements [billing.StripeStore]; the order is that of the first insert.
func (q stripeStore) Prices(ctx context.Context, acct billing.StripeAccount) ([]catalog.StripePrice, error) {
	return list[catalog.StripePrice](ctx, q.queries, "list prices", selectPrices, acct.ID, acct.Livemode)
}

const prunePrices = `delete from stripe_prices
	where account = $1 and livemode = $2 and not configured and plan_id = '' and checked_at < $3`

// PrunePrices implements [billing.StripeStore].
func (q stripeStore) PrunePrices(ctx context.Context, acct billing.StripeAccount, before time.Time) error {
	return q.exec(ctx, "prune prices", prunePrices, acct.ID, acct.Livemode, before)
}
