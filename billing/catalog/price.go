package catalog

import "time"

// Interval is the billing interval of a price, recurring.interval at Stripe.
type Interval string

// The billing intervals of plans.
const (
	Monthly Interval = "month"
	Yearly  Interval = "year"
)

// Valid reports whether plans can have the interval.
func (i Interval) Valid() bool { return i == Monthly || i == Yearly }

// Months returns how long the interval is; 1 for an unknown one.
func (i Interval) Months() int {
	if i == Yearly {
		return 12
	}
	return 1
}

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
	// FormerIDs are prices that were sold under this one before. Others are found at Stripe, see
	// [Catalog.WithFormer].
	FormerIDs []string `toml:"former_prices"`
	// ProrationOnIncrease and ProrationOnDecrease say how changes of seats within a period are
	// charged at this price. Empty: as the plan says.
	ProrationOnIncrease Proration `toml:"proration_on_increase" oneof:"create_prorations monthly always_invoice none"`
	ProrationOnDecrease Proration `toml:"proration_on_decrease" oneof:"create_prorations monthly always_invoice none at_renewal"`
	// TaxBehavior is what the plan file says, see [TaxBehavior].
	TaxBehavior TaxBehavior `toml:"tax_behavior" oneof:"exclusive inclusive unspecified"`
}

// TaxBehavior is whether a price contains tax, tax_behavior at Stripe. It can be set once
// (https://docs.stripe.com/api/prices/update#update_price-tax_behavior). In a plan file,
// unspecified leaves it to Stripe: the account's default applies, and the customer portal offers no
// change between prices that have none.
type TaxBehavior string

// The tax behaviors.
const (
	TaxExclusive   TaxBehavior = "exclusive"
	TaxInclusive   TaxBehavior = "inclusive"
	TaxUnspecified TaxBehavior = "unspecified"
)

// Accepts reports whether a price at Stripe may have another behavior than the plan file says.
func (b TaxBehavior) Accepts(stripe TaxBehavior) bool {
	return b == "" || b == TaxUnspecified || b == stripe
}

// PriceModel is how the amount of a price at Stripe comes about; empty if it is a whole number of
// minor units for each unit of the quantity, the only model that plans and packs can have.
type PriceModel string

// The other models (https://docs.stripe.com/products-prices/pricing-models).
const (
	ModelMetered    PriceModel = "metered"    // by reported usage
	ModelTiered     PriceModel = "tiered"     // the amount depends on the quantity
	ModelPackages   PriceModel = "packages"   // for each group of units (transform_quantity)
	ModelCustom     PriceModel = "custom"     // the customer chooses the amount
	ModelFractional PriceModel = "fractional" // the amount has fractions of a minor unit
)

// StripePrice is a price read from Stripe, with what was decided about it here.
type StripePrice struct {
	ID          string      `db:"id"`
	ProductID   string      `db:"product_id"`
	ProductName string      `db:"product_name"`
	LookupKey   string      `db:"lookup_key"` // at Stripe now
	Amount      Money       `db:"amount,joined"`
	Interval    Interval    `db:"interval"` // empty for one-time prices
	Active      bool        `db:"active"`
	Model       PriceModel  `db:"model"`
	TaxBehavior TaxBehavior `db:"tax_behavior"` // at Stripe; empty: not recorded
	// UsherPlan and ProductPlan are the metadata usher_plan of the price and of its product: the id
	// of a plan, or pack_<id>.
	UsherPlan   string `db:"usher_plan"`
	ProductPlan string `db:"product_usher_plan"`

	// FormerLookupKey is a lookup key that the price had here before; the store keeps it.
	FormerLookupKey string `db:"former_lookup_key,readonly"`
	// Configured means that the plan file of some time named the price, by lookup key or id.
	Configured bool `db:"configured"`
	// PlanID is the plan, or pack_<id>, that the price was found to belong to when it was stored;
	// empty: none, or not recorded.
	PlanID    string    `db:"plan_id"`
	CheckedAt time.Time `db:"checked_at"` // when it was read from Stripe
}
