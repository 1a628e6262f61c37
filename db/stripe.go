package db

import (
	"context"

	"usher/billing"
)

const rememberAccount = `insert into stripe_accounts (fingerprint, account, livemode) values ($1, $2, $3)
	on conflict (fingerprint) do update set account = excluded.account, livemode = excluded.livemode`

// RememberAccount implements [billing.StripeQueries].
func (q queries) RememberAccount(ctx context.Context, fingerprint string, account billing.StripeAccount) error {
	return q.exec(ctx, "remember account", rememberAccount, fingerprint, account.ID, account.Livemode)
}

const selectAccount = `select account, livemode from stripe_accounts where fingerprint = $1`

// RememberedAccount implements [billing.StripeQueries].
func (q queries) RememberedAccount(ctx context.Context, fingerprint string) (billing.StripeAccount, error) {
	return get[billing.StripeAccount](ctx, q, "read remembered account", selectAccount, fingerprint)
}

// storedPrice is a row of stripe_prices.
type storedPrice struct {
	billing.StripePrice
	Account  string `db:"account"`
	Livemode bool   `db:"livemode"`
}

// An amount is stored in two columns.
var (
	priceTable = tableOf[storedPrice]("stripe_prices").
			computed("amount_minor", func(p storedPrice) any { return p.Amount.Minor }).
			computed("currency", func(p storedPrice) any { return p.Amount.Currency })
	rememberPrice = priceTable.upsert("account", "livemode", "id")
)

// RememberPrices implements [billing.StripeQueries]. prices may contain a price twice (found by
// lookup key and by id), which a single insert would reject.
func (q queries) RememberPrices(ctx context.Context, account billing.StripeAccount, prices []billing.StripePrice) error {
	for _, p := range prices {
		row := storedPrice{StripePrice: p, Account: account.ID, Livemode: account.Livemode}
		if err := q.exec(ctx, "remember price", rememberPrice, priceTable.values(row)...); err != nil {
			return err
		}
	}
	return nil
}

var selectPrices = `select ` + priceTable.without("account", "livemode").list("") + `,
		amount_minor as "amount.minor", currency as "amount.currency"
	from stripe_prices where account = $1 and livemode = $2 order by seq`

// RememberedPrices implements [billing.StripeQueries]; the order is that of the first insert.
func (q queries) RememberedPrices(ctx context.Context, account billing.StripeAccount) ([]billing.StripePrice, error) {
	return list[billing.StripePrice](ctx, q, "list remembered prices", selectPrices, account.ID, account.Livemode)
}
