package stripegw

import (
	"context"
	"strconv"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
	"usher/billing/catalog"
)

// PromotionCodes lists the active promotion codes with these characters. Stripe compares them
// without regard to case, and calls a code active only while it and its coupon can be redeemed
// (https://docs.stripe.com/api/promotion_codes/object).
func (g *Gateway) PromotionCodes(ctx context.Context, code string) ([]billing.PromotionCode, error) {
	found, _, err := call(ctx, "list promotion codes", func(ctx context.Context) ([]billing.PromotionCode, error) {
		params := &stripe.PromotionCodeListParams{Code: stripe.String(code), Active: stripe.Bool(true)}
		params.Context, params.Limit = ctx, stripe.Int64(pageSize)
		var codes []billing.PromotionCode
		list := g.promotionCodes.List(params)
		for list.Next() {
			if promotion := list.PromotionCode(); promotion.Coupon != nil {
				codes = append(codes, mapPromotionCode(promotion))
			}
		}
		return codes, list.Err()
	})
	return found, err
}

func mapPromotionCode(p *stripe.PromotionCode) billing.PromotionCode {
	code := billing.PromotionCode{
		ID: p.ID, Code: p.Code, CustomerID: customerID(p.Customer), Duration: string(p.Coupon.Duration), Months: int(p.Coupon.DurationInMonths),
	}
	if p.Coupon.AmountOff > 0 {
		code.AmountOff = catalog.Money{Minor: p.Coupon.AmountOff, Currency: string(p.Coupon.Currency)}
	} else {
		code.PercentOff = strconv.FormatFloat(p.Coupon.PercentOff, 'f', -1, 64)
	}
	if limits := p.Restrictions; limits != nil {
		code.FirstTime = limits.FirstTimeTransaction
		code.Minimum = catalog.Money{Minor: limits.MinimumAmount, Currency: string(limits.MinimumAmountCurrency)}
	}
	return code
}
