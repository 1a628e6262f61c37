package stripelocal

import (
	"math/big"
	"regexp"
	"slices"

	"usher/stripelocal/wire"
)

// Coupon is a percentage or a fixed amount off. Amounts are minor units.
type Coupon struct {
	Base
	AmountOff         int64
	Currency          string
	PercentOff        string // decimal; empty if AmountOff is set
	Duration          string // once, repeating or forever
	DurationInMonths  int64  // if Duration is repeating
	MaxRedemptions    int64  // 0 is no limit
	Metadata          map[string]string
	Name              string
	AppliesToProducts []string // empty is all products
	RedeemBy          int64
	TimesRedeemed     int64
	Deleted           bool // kept, because promotion codes and discounts still show it
}

var couponIDPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,200}$`)

// coupons serves /v1/coupons.
type coupons struct{ *request }

func couponResource() resource {
	return resource{
		objectType: "coupon",
		render: renderFrom(func(s *store) *table[*Coupon] { return s.Coupons },
			bind(coupons.render)),
		routes: []route{
			on("POST /v1/coupons", "id amount_off:int percent_off:decimal currency:currency duration:once|forever|repeating duration_in_months:int max_redemptions:int metadata:map? name:40 redeem_by:time applies_to{products[]}", coupons.create),
			on("GET /v1/coupons", listParams, coupons.list),
			on("GET /v1/coupons/{id}", "", coupons.get),
			on("POST /v1/coupons/{id}", "metadata:map? name:40?", coupons.update),
			on("DELETE /v1/coupons/{id}", "", coupons.delete),
		},
	}
}

func (h coupons) create(in *input) (any, error) {
	if err := h.validate(in.Params); err != nil {
		return nil, err
	}
	c := &Coupon{
		Base: Base{ID: in.StringOr("id", h.ids.token(8)), Created: h.now}, AmountOff: in.Int("amount_off"), PercentOff: in.String("percent_off"),
		Duration: in.StringOr("duration", "once"), DurationInMonths: in.Int("duration_in_months"), MaxRedemptions: in.Int("max_redemptions"),
		Metadata: in.Metadata(), Name: in.String("name"), AppliesToProducts: in.At("applies_to").Strings("products"), RedeemBy: in.Int("redeem_by"),
	}
	if c.AmountOff > 0 {
		c.Currency = in.String("currency")
	}
	h.store.Coupons.insert(c)
	h.emit("coupon.created", h.render(c))
	return h.render(c), nil
}

func (h coupons) validate(p wire.Params) error {
	if id := p.String("id"); id != "" {
		if !couponIDPattern.MatchString(id) {
			return wire.Invalid("", "id", "Invalid coupon id: only letters, digits, `-` and `_`.")
		}
		if _, taken := h.store.Coupons.get(id); taken {
			return wire.Invalid("resource_already_exists", "", "Coupon already exists.")
		}
	}
	repeating := p.String("duration") == "repeating"
	switch {
	case p.Has("amount_off") == p.Has("percent_off"):
		return wire.Invalid("", "", "Must pass exactly one of `amount_off` or `percent_off`.")
	case p.Has("amount_off") && p.Int("amount_off") < 1:
		return wire.Invalid("parameter_invalid_integer", "amount_off", "This value must be greater than or equal to 1.")
	case p.Has("amount_off") && !p.Has("currency"):
		return wire.Invalid("parameter_missing", "currency", "You must pass currency when passing amount_off.")
	case p.Has("percent_off") && !isPercentage(p.String("percent_off")):
		return wire.Invalid("", "percent_off", "Invalid percent_off: it must be greater than 0 and at most 100.")
	case repeating && p.Int("duration_in_months") < 1:
		return wire.Invalid("", "duration_in_months", "You must pass duration_in_months when duration is repeating.")
	case !repeating && p.Has("duration_in_months"):
		return wire.Invalid("", "duration_in_months", "You may only pass duration_in_months when duration is repeating.")
	case p.Has("max_redemptions") && p.Int("max_redemptions") < 1:
		return wire.Invalid("parameter_invalid_integer", "max_redemptions", "This value must be greater than or equal to 1.")
	case p.Has("redeem_by") && p.Int("redeem_by") <= h.now:
		return wire.Invalid("", "redeem_by", "The redeem_by timestamp must be in the future.")
	}
	return h.validateProducts(p.At("applies_to"))
}

func (h coupons) validateProducts(p wire.Params) error {
	for _, id := range p.Strings("products") {
		if _, ok := h.store.Products.get(id); !ok {
			return wire.NoSuch("product", id, "applies_to[products]")
		}
	}
	return nil
}

func isPercentage(text string) bool {
	percent, ok := new(big.Rat).SetString(text)
	return ok && percent.Sign() > 0 && percent.Cmp(big.NewRat(100, 1)) <= 0
}

func (h coupons) find(in *input) (*Coupon, error) {
	c, ok := h.store.Coupons.get(in.pathValue("id"))
	if !ok || c.Deleted {
		return nil, wire.NotFound("coupon", in.pathValue("id"), "coupon")
	}
	return c, nil
}

func (h coupons) get(in *input) (any, error) {
	c, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return h.render(c), nil
}

func (h coupons) update(in *input) (any, error) {
	c, err := h.find(in)
	if err != nil {
		return nil, err
	}
	before := h.render(c)
	in.SetString("name", &c.Name)
	in.SetMetadata(&c.Metadata)
	h.emitUpdate("coupon.updated", before, h.render(c))
	return h.render(c), nil
}

// delete prevents further redemptions. Existing discounts stay.
func (h coupons) delete(in *input) (any, error) {
	c, err := h.find(in)
	if err != nil {
		return nil, err
	}
	rendered := h.render(c)
	c.Deleted = true
	h.emit("coupon.deleted", rendered)
	return wire.Object{"id": c.ID, "object": "coupon", "deleted": true}, nil
}

func (h coupons) list(in *input) (any, error) {
	return listing[*Coupon]{
		resource: "coupon", table: h.store.Coupons, rows: h.store.Coupons.all,
		filter: func(c *Coupon) bool { return !c.Deleted },
		render: h.render,
	}.page(in)
}

// isValid reports whether the coupon can still be redeemed.
func (c *Coupon) isValid(at int64) bool {
	return !c.Deleted && (c.MaxRedemptions == 0 || c.TimesRedeemed < c.MaxRedemptions) && (c.RedeemBy == 0 || at < c.RedeemBy)
}

// appliesTo reports whether the coupon covers a product.
func (c *Coupon) appliesTo(product string) bool {
	return len(c.AppliesToProducts) == 0 || slices.Contains(c.AppliesToProducts, product)
}

// percentOfAmount is the discount of a percentage coupon on an amount, rounded half away from zero.
func (c *Coupon) percentOfAmount(amount int64) int64 {
	percent, ok := new(big.Rat).SetString(c.PercentOff)
	if !ok {
		return 0
	}
	percent.Mul(percent, new(big.Rat).SetFrac64(amount, 100))
	return wire.Round(percent)
}

func (c *Coupon) renderPercentOff() any {
	percent, ok := new(big.Rat).SetString(c.PercentOff)
	if !ok {
		return nil
	}
	f, _ := percent.Float64()
	return f
}

func (h coupons) render(c *Coupon) wire.Object {
	o := wire.Object{
		"id": c.ID, "object": "coupon", "amount_off": wire.IntOrNull(c.AmountOff), "created": c.Created,
		"currency": wire.StringOrNull(c.Currency), "duration": c.Duration, "duration_in_months": wire.IntOrNull(c.DurationInMonths), "livemode": false,
		"max_redemptions": wire.IntOrNull(c.MaxRedemptions), "metadata": c.Metadata, "name": wire.StringOrNull(c.Name),
		"percent_off": c.renderPercentOff(), "redeem_by": wire.IntOrNull(c.RedeemBy), "times_redeemed": c.TimesRedeemed,
		"valid":            c.isValid(h.now),
		"currency_options": wire.Expandable(func() any { return wire.Object{} }),
		"applies_to":       wire.Expandable(func() any { return wire.Object{"products": c.AppliesToProducts} }),
	}
	if len(c.AppliesToProducts) == 0 {
		delete(o, "applies_to")
	}
	return o
}

// findRedeemable returns a coupon that can be redeemed for amounts in a currency.
func (h coupons) findRedeemable(id, currency, param string) (*Coupon, error) {
	c, err := h.findValid(id, param)
	if err == nil && c.AmountOff > 0 && c.Currency != currency {
		err = wire.Invalid("", param, "The coupon's currency (`"+c.Currency+"`) is not that of the subscription (`"+currency+"`).")
	}
	return c, err
}

// findValid returns a coupon that can be redeemed.
func (h coupons) findValid(id, param string) (*Coupon, error) {
	c, ok := h.store.Coupons.get(id)
	switch {
	case !ok || c.Deleted:
		return nil, wire.NoSuch("coupon", id, param)
	case !c.isValid(h.now):
		return nil, wire.Invalid("coupon_expired", param, "Coupon "+id+" is used up or expired and cannot be applied.")
	}
	return c, nil
}
