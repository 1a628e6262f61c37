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

type accountRow struct {
	Account  string `db:"account"`
	Livemode bool   `db:"livemode"`
}

const selectAccount = `select account, livemode from stripe_accounts where fingerprint = $1`

// RememberedAccount implements [billing.StripeQueries].
func (q queries) RememberedAccount(ctx context.Context, fingerprint string) (billing.StripeAccount, error) {
	row, err := get[accountRow](ctx, q, "read remembered account", selectAccount, fingerprint)
	return billing.StripeAccount{ID: row.Account, Livemode: row.Livemode}, err
}

const priceColumns = `id, product_id, product_name, lookup_key, amount_minor, currency, "interval", active`

type priceRow struct {
	ID          string `db:"id"`
	ProductID   string `db:"product_id"`
	ProductName string `db:"product_name"`
	LookupKey   string `db:"lookup_key"`
	AmountMinor int64  `db:"amount_minor"`
	Currency    string `db:"currency"`
	Interval    string `db:"interval"`
	Active      bool   `db:"active"`
}

func (r priceRow) price() billing.StripePrice {
	return billing.StripePrice{ID: r.ID, ProductID: r.ProductID, ProductName: r.ProductName, LookupKey: r.LookupKey,
		Amount:   billing.Money{Minor: r.AmountMinor, Currency: r.Currency},
		Interval: billing.Interval(r.Interval), Active: r.Active}
}

const rememberPrice = `insert into stripe_prices (account, livemode, ` + priceColumns + `)
	values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
	on conflict (account, livemode, id) do update set
		product_id = excluded.product_id, product_name = excluded.product_name, lookup_key = excluded.lookup_key,
		amount_minor = excluded.amount_minor, currency = excluded.currency, "interval" = excluded."interval",
		active = excluded.active`

// RememberPrices implements [billing.StripeQueries]. A price may be named twice (by lookup key and by id), which one statement for all
// of them would refuse.
func (q queries) RememberPrices(ctx context.Context, account billing.StripeAccount, prices []billing.StripePrice) error {
	for _, p := range prices {
		err := q.exec(ctx, "remember price", rememberPrice, account.ID, account.Livemode,
			p.ID, p.ProductID, p.ProductName, p.LookupKey, p.Amount.Minor, p.Amount.Currency, p.Interval, p.Active)
		if err != nil {
			return err
		}
	}
	return nil
}

const selectPrices = `select ` + priceColumns + ` from stripe_prices where account = $1 and livemode = $2 order by seq`

// RememberedPrices implements [billing.StripeQueries]; oldest means first remembered.
func (q queries) RememberedPrices(ctx context.Context, account billing.StripeAccount) ([]billing.StripePrice, error) {
	rows, err := list[priceRow](ctx, q, "list remembered prices", selectPrices, account.ID, account.Livemode)
	return collect(rows, priceRow.price), err
}
