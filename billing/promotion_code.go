package billing

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// PromotionCode is a promotion code that can be redeemed now, with the discount of its coupon.
type PromotionCode struct {
	ID         string // promo_…
	Code       string
	CustomerID string        // the only customer who can redeem it; empty: anybody
	PercentOff string        // a decimal number such as 12.5; empty if AmountOff is set
	AmountOff  catalog.Money // zero if PercentOff is set
	Duration   string        // once, repeating or forever
	Months     int           // if Duration is repeating
	FirstTime  bool          // only for customers who have paid nothing yet
	Minimum    catalog.Money // of the order; zero: none
}

// ErrPromotionCodeRefused means that Stripe refused the promotion code of a Checkout session.
// Nothing was opened: a page with the full price would not be what the person was shown.
var ErrPromotionCodeRefused = apperr.Errorf(apperr.CodeUnprocessable, "That code can't be used for this order.")

// PromotionCodes looks promotion codes up at Stripe.
type PromotionCodes struct {
	*core
	mutex sync.Mutex
	found map[string]promotionLookup // by upper-case code
}

// promotionLookup is the remembered result of a lookup.
type promotionLookup struct {
	codes []PromotionCode // of one code: each customer can have one
	at    time.Time
}

// Limits of the remembered lookups, which spare Stripe's rate limit: a link can be shared widely.
const (
	promotionLookupLifetime = time.Minute
	promotionLookups        = 500
)

// The characters of a code (https://docs.stripe.com/api/promotion_codes/create).
var promotionCodePattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

// Find returns the active promotion code with these characters, in any case, that the organization
// can redeem; a is zero for visitors. A code of one customer is no other's. False if there is none.
// Errors: CodeStripe.
func (pc *PromotionCodes) Find(ctx context.Context, a account.Access, code string) (PromotionCode, bool, error) {
	code = strings.ToUpper(strings.TrimSpace(code))
	if !promotionCodePattern.MatchString(code) {
		return PromotionCode{}, false, nil
	}
	codes, err := withinLimit(ctx, pc.core, func(ctx context.Context) ([]PromotionCode, error) { return pc.lookUp(ctx, code) })
	if err != nil {
		return PromotionCode{}, false, err
	}
	customer, err := pc.customerOf(ctx, a)
	if err != nil {
		return PromotionCode{}, false, err
	}
	for _, found := range codes {
		if found.CustomerID == "" || found.CustomerID == customer {
			return found, true, nil
		}
	}
	return PromotionCode{}, false, nil
}

// customerOf returns the organization's customer; empty if it has none.
func (pc *PromotionCodes) customerOf(ctx context.Context, a account.Access) (string, error) {
	if a.Organization.ID == "" {
		return "", nil
	}
	link, err := pc.store.Customers().Link(ctx, a.Organization.ID, pc.knownAccount())
	if errors.Is(err, apperr.ErrNotFound) {
		return "", nil
	}
	return link.StripeCustomerID, err
}

func (pc *PromotionCodes) lookUp(ctx context.Context, code string) ([]PromotionCode, error) {
	if codes, known := pc.remembered(code); known {
		return codes, nil
	}
	codes, err := pc.gateway.PromotionCodes(ctx, code)
	if err != nil {
		return nil, apperr.StripeFailed("find promotion code", err)
	}
	pc.mutex.Lock()
	defer pc.mutex.Unlock()
	if len(pc.found) >= promotionLookups || pc.found == nil {
		pc.found = map[string]promotionLookup{}
	}
	pc.found[code] = promotionLookup{codes, pc.Now()}
	return codes, nil
}

func (pc *PromotionCodes) remembered(code string) ([]PromotionCode, bool) {
	pc.mutex.Lock()
	defer pc.mutex.Unlock()
	found, known := pc.found[code]
	return found.codes, known && pc.Now().Sub(found.at) < promotionLookupLifetime
}
