package catalog

// Interval is the billing interval of a price, recurring.interval at Stripe.
type Interval string

// The billing intervals of plans.
const (
	Monthly Interval = "month"
	Yearly  Interval = "year"
)

// Valid reports whether plans can have the interval.
func (i Interval) Valid() bool { return i == Monthly || i == Yearly }

// Price is the amount per interval, per seat or flat, and its reference at Stripe. The tags are its
// keys in a plan file.
type Price struct {
	Interval Interval `toml:"interval" required:"true" oneof:"month year"`
	Amount   Money
	// LookupKey finds the price at Stripe, empty if ID is configured. The maximum is Stripe's
	// (https://docs.stripe.com/api/prices/create, lookup_key).
	LookupKey string `toml:"lookup_key" max:"200"`
	ID        string `toml:"price_id"` // price_…; with a lookup key empty until resolved
	ProductID string // prod_…; empty until resolved
	FormerIDs []string
}

// StripePrice is a price read from Stripe.
type StripePrice struct {
	ID          string   `db:"id"`
	ProductID   string   `db:"product_id"`
	ProductName string   `db:"product_name"`
	LookupKey   string   `db:"lookup_key"`
	Amount      Money    `db:"amount,joined"`
	Interval    Interval `db:"interval"` // empty for one-time prices
	Active      bool     `db:"active"`
}
