package stripelocal

import (
	"regexp"
	"strings"

	"usher/stripelocal/wire"
)

// PromotionCode is a code that customers enter to redeem a coupon.
type PromotionCode struct {
	Base
	Inactive              bool
	Code                  string
	Coupon                string
	Customer              string // the only customer who can redeem it; empty is any
	ExpiresAt             int64
	FirstTimeTransaction  bool // only for customers without a successful payment
	MaxRedemptions        int64
	Metadata              map[string]string
	MinimumAmount         int64 // minor units
	MinimumAmountCurrency string
	TimesRedeemed         int64
}

var promotionCodePattern = regexp.MustCompile(`^[A-Za-z0-9-]{1,500}$`)

// promotionCodes serves /v1/promotion_codes.
type promotionCodes struct{ *request }

func promotionCodeResource() resource {
	return resource{
		objectType: "promotion_code",
		render: renderFrom(func(s *store) *table[*PromotionCode] { return s.PromotionCodes },
			bind(promotionCodes.render)),
		routes: []route{
			on("POST /v1/promotion_codes", "coupon! code:500 active:bool customer expires_at:time max_redemptions:int metadata:map restrictions{first_time_transaction:bool minimum_amount:int minimum_amount_currency}", promotionCodes.create),
			on("GET /v1/promotion_codes", listParams+"active:bool code coupon customer", promotionCodes.list),
			on("GET /v1/promotion_codes/{id}", "", promotionCodes.get),
			on("POST /v1/promotion_codes/{id}", "active:bool metadata:map?", promotionCodes.update),
		},
	}
}

func (h promotionCodes) create(in *input) (any, error) {
	if err := h.validate(in.Params); err != nil {
		return nil, err
	}
	limits := in.At("restrictions")
	x := &PromotionCode{
		Base: Base{ID: h.ids.longID("promo_1"), Created: h.now}, Inactive: !in.BoolOr("active", true),
		Code: in.StringOr("code", strings.ToUpper(h.ids.token(8))), Coupon: in.String("coupon"), Customer: in.String("customer"),
		ExpiresAt: in.Int("expires_at"), FirstTimeTransaction: limits.Bool("first_time_transaction"), MaxRedemptions: in.Int("max_redemptions"),
		Metadata: in.Metadata(), MinimumAmount: limits.Int("minimum_amount"), MinimumAmountCurrency: limits.String("minimum_amount_currency"),
	}
	h.store.PromotionCodes.insert(x)
	h.emit("promotion_code.created", h.render(x))
	return h.render(x), nil
}

func (h promotionCodes) validate(p wire.Params) error {
	if c, ok := h.store.Coupons.get(p.String("coupon")); !ok || c.Deleted {
		return wire.NoSuch("coupon", p.String("coupon"), "coupon")
	}
	if p.Has("customer") {
		if _, err := h.customers.fromParam(p, "customer"); err != nil {
			return err
		}
	}
	code := p.String("code")
	switch {
	case p.Has("code") && !promotionCodePattern.MatchString(code):
		return wire.Invalid("", "code", "Invalid promotion code: only letters, digits and dashes.")
	case p.Has("code") && h.byCode(code, p.String("customer")) != nil:
		return wire.Invalid("", "code", "An active promotion code with `code: "+code+"` already exists.")
	case p.Has("expires_at") && p.Int("expires_at") <= h.now:
		return wire.Invalid("", "expires_at", "The expires_at timestamp must be in the future.")
	case p.At("restrictions").Has("minimum_amount") != p.At("restrictions").Has("minimum_amount_currency"):
		return wire.Invalid("", "restrictions", "`minimum_amount` and `minimum_amount_currency` must be passed together.")
	}
	return nil
}

// byCode returns the active code that a customer can redeem, ignoring case; nil if there is none.
func (h promotionCodes) byCode(word, customer string) *PromotionCode {
	var found *PromotionCode
	for _, x := range h.store.PromotionCodes.all {
		if !x.Inactive && strings.EqualFold(x.Code, word) && (x.Customer == "" || x.Customer == customer) {
			found = x
		}
	}
	return found
}

func (h promotionCodes) find(in *input) (*PromotionCode, error) {
	x, ok := h.store.PromotionCodes.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("promotion code", in.pathValue("id"), "promotion_code")
	}
	return x, nil
}

func (h promotionCodes) get(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return h.render(x), nil
}

func (h promotionCodes) update(in *input) (any, error) {
	x, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if c, ok := h.store.Coupons.get(x.Coupon); in.Bool("active") && (!ok || !c.isValid(h.now)) {
		return nil, wire.Invalid("", "active", "This promotion code cannot be active: its coupon can no longer be redeemed.")
	}
	before := h.render(x)
	if in.Has("active") {
		x.Inactive = !in.Bool("active")
	}
	in.SetMetadata(&x.Metadata)
	h.emitUpdate("promotion_code.updated", before, h.render(x))
	return h.render(x), nil
}

func (h promotionCodes) list(in *input) (any, error) {
	return listing[*PromotionCode]{
		resource: "promotion code", table: h.store.PromotionCodes, rows: h.store.PromotionCodes.all,
		filter: func(x *PromotionCode) bool {
			return (!in.Has("active") || h.isRedeemable(x) == in.Bool("active")) && (!in.Has("code") || strings.EqualFold(x.Code, in.String("code"))) &&
				(!in.Has("coupon") || x.Coupon == in.String("coupon")) && (!in.Has("customer") || x.Customer == in.String("customer"))
		},
		render: h.render,
	}.page(in)
}

// isRedeemable is the value of active in the API.
func (h promotionCodes) isRedeemable(x *PromotionCode) bool {
	c, ok := h.store.Coupons.get(x.Coupon)
	return ok && !x.Inactive && c.isValid(h.now) && (x.ExpiresAt == 0 || h.now < x.ExpiresAt) &&
		(x.MaxRedemptions == 0 || x.TimesRedeemed < x.MaxRedemptions)
}

// redemptionError is why a customer cannot redeem a code for an amount, or "".
func (h promotionCodes) redemptionError(x *PromotionCode, customer, currency string, amount int64) string {
	if reason := h.customerError(x, customer); reason != "" {
		return reason
	}
	if x.MinimumAmount > 0 && (x.MinimumAmountCurrency != currency || amount < x.MinimumAmount) {
		return "This code needs an order of at least " + wire.FormatAmount(x.MinimumAmount, x.MinimumAmountCurrency) + "."
	}
	if c, ok := h.store.Coupons.get(x.Coupon); ok && c.AmountOff > 0 && c.Currency != currency {
		return "This code is invalid."
	}
	return ""
}

// customerError is why a customer cannot redeem a code for any amount, or "".
func (h promotionCodes) customerError(x *PromotionCode, customer string) string {
	switch {
	case x == nil, !h.isRedeemable(x), x.Customer != "" && x.Customer != customer:
		return "This code is invalid."
	case x.FirstTimeTransaction && h.hasPaid(customer):
		return firstPurchasesOnly
	}
	return ""
}

// refusedPromotionCode is the API's error for a code that cannot be redeemed. The sentence about
// prior transactions is Stripe's (stripe-node issues 1318 and 2349); the others, and the parameter,
// are inferred.
func refusedPromotionCode(param, reason string) error {
	if reason == firstPurchasesOnly {
		return wire.Invalid("", param, "This promotion code cannot be redeemed because the associated customer has prior transactions.")
	}
	return wire.Invalid("", param, "This promotion code cannot be redeemed: "+reason)
}

const firstPurchasesOnly = "This code is for first purchases only."

// hasPaid reports whether a customer has prior transactions: a payment, or an invoice that is open,
// paid or uncollectible. So a paid invoice over 0 of a trial counts too (docs: any successful
// payments or invoices; that an open invoice counts: stripe-node issue 2349).
func (h promotionCodes) hasPaid(customer string) bool {
	for _, inv := range h.store.Invoices.by("customer", customer) {
		if inv.Status == "open" || inv.Status == "paid" || inv.Status == "uncollectible" {
			return true
		}
	}
	for _, ch := range h.store.Charges.by("customer", customer) {
		if ch.Failure == nil {
			return true
		}
	}
	return false
}

func (h promotionCodes) render(x *PromotionCode) wire.Object {
	o := wire.Object{
		"id": x.ID, "object": "promotion_code", "active": h.isRedeemable(x), "code": x.Code, "coupon": nil, "created": x.Created,
		"customer": wire.Ref("customer", x.Customer), "expires_at": wire.IntOrNull(x.ExpiresAt), "livemode": false,
		"max_redemptions": wire.IntOrNull(x.MaxRedemptions), "metadata": x.Metadata, "times_redeemed": x.TimesRedeemed,
		"restrictions": wire.Object{
			"first_time_transaction": x.FirstTimeTransaction, "minimum_amount": wire.IntOrNull(x.MinimumAmount), "minimum_amount_currency": wire.StringOrNull(x.MinimumAmountCurrency),
		},
	}
	if c, ok := h.store.Coupons.get(x.Coupon); ok {
		o["coupon"] = h.coupons.render(c)
	}
	return o
}
