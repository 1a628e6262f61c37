package catalog

// StripePrice is a price as Stripe has it.
type StripePrice struct {
	ID          string   `db:"id"`
	ProductID   string   `db:"product_id"`
	ProductName string   `db:"product_name"`
	LookupKey   string   `db:"lookup_key"`
	Amount      Money    `db:"amount,joined"`
	Interval    Interval `db:"interval"` // empty for one-time prices
	Active      bool     `db:"active"`
}
