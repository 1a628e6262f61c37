package stripelocal

import (
	"regexp"
	"strings"
)

// PromotionCode is a word that customers type to redeem a coupon.
type PromotionCode struct {
	Base
	Inactive      bool
	Code          string
	Coupon        string
	Customer      string // the only one who may; empty is everybody
	ExpiresAt     int64
	FirstTime     bool // only for customers who have paid nothing yet
	MaxRedeemed   int64
	Metadata      map[string]string
	Minimum       int64 // minor units
	MinimumIn     string
	TimesRedeemed int64
}

var promotionWord = regexp.MustCompile(`^[A-Za-z0-9-]{1,500}$`)

func promotionCodeResource() resource {
	return resource{
		kind: "promotion_code",
		render: finder(func(s *state) *table[*PromotionCode] { return s.PromotionCodes },
			func(a *act, x *PromotionCode) object { return a.renderPromotionCode(x) }),
		routes: []route{
			{"POST /v1/promotion_codes", "coupon! code:500 active:bool customer expires_at:time max_redemptions:int metadata:map restrictions{first_time_transaction:bool minimum_amount:int minimum_amount_currency}", (*act).createPromotionCode},
			{"GET /v1/promotion_codes", listParams + "active:bool code coupon customer", (*act).listPromotionCodes},
			{"GET /v1/promotion_codes/{id}", "", (*act).getPromotionCode},
			{"POST /v1/promotion_codes/{id}", "active:bool metadata:map?", (*act).updatePromotionCode},
		},
	}
}

func (a *act) createPromotionCode(in *input) (any, error) {
	if err := a.checkPromotionCode(in.params); err != nil {
		return nil, err
	}
	limits := in.at("restrictions")
	x := &PromotionCode{
		Base: Base{ID: a.ids.long("promo_1"), Created: a.at}, Inactive: !in.flagOr("active", true),
		Code: in.strOr("code", strings.ToUpper(a.ids.token(8))), Coupon: in.str("coupon"), Customer: in.str("customer"),
		ExpiresAt: in.num("expires_at"), FirstTime: limits.flag("first_time_transaction"), MaxRedeemed: in.num("max_redemptions"),
		Metadata: in.metadata(), Minimum: limits.num("minimum_amount"), MinimumIn: limits.str("minimum_amount_currency"),
	}
	a.state.PromotionCodes.insert(x)
	a.emit("promotion_code.created", a.renderPromotionCode(x))
	return a.renderPromotionCode(x), nil
}

func (a *act) checkPromotionCode(p params) error {
	if c, ok := a.state.Coupons.get(p.str("coupon")); !ok || c.Deleted {
		return noSuch("coupon", p.str("coupon"), "coupon")
	}
	if p.has("customer") {
		if _, err := a.customerOf(p, "customer"); err != nil {
			return err
		}
	}
	code := p.str("code")
	switch {
	case p.has("code") && !promotionWord.MatchString(code):
		return invalid("", "code", "Invalid promotion code: only letters, digits and dashes.")
	case p.has("code") && a.promotionByWord(code, p.str("customer")) != nil:
		return invalid("", "code", "An active promotion code with `code: "+code+"` already exists.")
	case p.has("expires_at") && p.num("expires_at") <= a.at:
		return invalid("", "expires_at", "The expires_at timestamp must be in the future.")
	case p.at("restrictions").has("minimum_amount") != p.at("restrictions").has("minimum_amount_currency"):
		return invalid("", "restrictions", "`minimum_amount` and `minimum_amount_currency` must be passed together.")
	}
	return nil
}

// promotionByWord finds the active code that a customer would mean by a word,
// in whatever case; nil where there is none.
func (a *act) promotionByWord(word, customer string) *PromotionCode {
	var found *PromotionCode
	for _, x := range a.state.PromotionCodes.all {
		if !x.Inactive && strings.EqualFold(x.Code, word) && (x.Customer == "" || x.Customer == customer) {
			found = x
		}
	}
	return found
}

func (a *act) promotionAt(in *input) (*PromotionCode, error) {
	x, ok := a.state.PromotionCodes.get(in.path("id"))
	if !ok {
		return nil, notFound("promotion code", in.path("id"), "promotion_code")
	}
	return x, nil
}

func (a *act) getPromotionCode(in *input) (any, error) {
	x, err := a.promotionAt(in)
	if err != nil {
		return nil, err
	}
	return a.renderPromotionCode(x), nil
}

func (a *act) updatePromotionCode(in *input) (any, error) {
	x, err := a.promotionAt(in)
	if err != nil {
		return nil, err
	}
	if c, ok := a.state.Coupons.get(x.Coupon); in.flag("active") && (!ok || !c.valid(a.at)) {
		return nil, invalid("", "active", "This promotion code cannot be active: its coupon can no longer be redeemed.")
	}
	before := a.renderPromotionCode(x)
	if in.has("active") {
		x.Inactive = !in.flag("active")
	}
	in.setMetadata(&x.Metadata)
	a.emitUpdate("promotion_code.updated", before, a.renderPromotionCode(x))
	return a.renderPromotionCode(x), nil
}

func (a *act) listPromotionCodes(in *input) (any, error) {
	return listing[*PromotionCode]{
		what: "promotion code", table: a.state.PromotionCodes, rows: a.state.PromotionCodes.all,
		keep: func(x *PromotionCode) bool {
			return (!in.has("active") || a.redeemable(x) == in.flag("active")) && (!in.has("code") || strings.EqualFold(x.Code, in.str("code"))) &&
				(!in.has("coupon") || x.Coupon == in.str("coupon")) && (!in.has("customer") || x.Customer == in.str("customer"))
		},
		render: func(x *PromotionCode) object { return a.renderPromotionCode(x) },
	}.page(in)
}

// redeemable is what the API shows as active.
func (a *act) redeemable(x *PromotionCode) bool {
	c, ok := a.state.Coupons.get(x.Coupon)
	return ok && !x.Inactive && c.valid(a.at) && (x.ExpiresAt == 0 || a.at < x.ExpiresAt) &&
		(x.MaxRedeemed == 0 || x.TimesRedeemed < x.MaxRedeemed)
}

// whyNot says why a customer cannot use a code for an amount; "" is no reason.
func (a *act) whyNot(x *PromotionCode, customer, currency string, amount int64) string {
	switch {
	case x == nil, !a.redeemable(x), x.Customer != "" && x.Customer != customer:
		return "This code is invalid."
	case x.FirstTime && a.hasPaid(customer):
		return "This code is for first purchases only."
	case x.Minimum > 0 && (x.MinimumIn != currency || amount < x.Minimum):
		return "This code needs an order of at least " + formatAmount(x.Minimum, x.MinimumIn) + "."
	}
	if c, ok := a.state.Coupons.get(x.Coupon); ok && c.AmountOff > 0 && c.Currency != currency {
		return "This code is invalid."
	}
	return ""
}

func (a *act) hasPaid(customer string) bool {
	for _, ch := range a.state.Charges.by("customer", customer) {
		if ch.Failure == nil {
			return true
		}
	}
	return false
}

func (a *act) renderPromotionCode(x *PromotionCode) object {
	o := object{
		"id": x.ID, "object": "promotion_code", "active": a.redeemable(x), "code": x.Code, "coupon": nil, "created": x.Created,
		"customer": ref{"customer", x.Customer}, "expires_at": timeOrNull(x.ExpiresAt), "livemode": false,
		"max_redemptions": timeOrNull(x.MaxRedeemed), "metadata": x.Metadata, "times_redeemed": x.TimesRedeemed,
		"restrictions": object{
			"first_time_transaction": x.FirstTime, "minimum_amount": timeOrNull(x.Minimum), "minimum_amount_currency": orNull(x.MinimumIn),
		},
	}
	if c, ok := a.state.Coupons.get(x.Coupon); ok {
		o["coupon"] = a.renderCoupon(c)
	}
	return o
}
