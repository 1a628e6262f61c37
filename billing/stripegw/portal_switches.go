package stripegw

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
	"usher/billing/catalog"
)

const (
	// refusedSwitchesKept is how long refused plan switches are not tried again.
	refusedSwitchesKept = time.Hour
	// taxBehaviorKept is how long the tax behavior of a price is not read again. It can be set
	// once (https://docs.stripe.com/tax/products-prices-tax-codes-tax-behavior).
	taxBehaviorKept = 10 * time.Minute
)

// refusedSwitches are plan switches that Stripe refused.
type refusedSwitches struct {
	until   time.Time
	problem string
}

// taxBehavior is the tax behavior of a price.
type taxBehavior struct {
	value  string
	readAt time.Time
}

// candidate is a price that the portal might offer.
type candidate struct {
	plan  catalog.Plan
	price catalog.Price
	tax   string // unspecified or empty: not set
}

// planSwitches returns the products that the portal offers in this request, and why plans of the
// catalog are left out. An error while the prices are read only leaves the switches out: the
// portal opens all the same.
func (c *portalCalls) planSwitches(ctx context.Context, request billing.PortalRequest) (products []switchProduct, problem string) {
	if request.Switch == nil {
		return nil, ""
	}
	candidates := switchCandidates(request.Catalog, *request.Switch)
	behaviors, err := c.readTaxBehaviors(ctx, candidates, request.Switch.PriceID)
	if err != nil {
		return nil, "the prices could not be read: " + err.Error()
	}
	for i := range candidates {
		candidates[i].tax = behaviors[candidates[i].price.ID]
	}
	products, problems := portalSwitches(candidates, request.Switch.PriceID, behaviors[request.Switch.PriceID])
	problem = strings.Join(problems, "; ")
	if refused := c.refusedProblem(products); refused != "" {
		return nil, refused
	}
	return products, problem
}

// switchCandidates lists the resolved prices of plans of the same kind and currency, in the
// catalog's order. The portal does not change the quantity, so a switch between a plan per seat
// and a flat one would keep the wrong one.
func switchCandidates(plans catalog.Catalog, from billing.PortalSwitch) []candidate {
	var candidates []candidate
	for _, plan := range plans.Plans {
		for _, price := range plan.Prices {
			if price.ID != "" && price.ProductID != "" && plan.PerSeat == from.PerSeat && strings.EqualFold(price.Amount.Currency, from.Currency) {
				candidates = append(candidates, candidate{plan: plan, price: price})
			}
		}
	}
	return candidates
}

// portalSwitches applies the portal's documented limits
// (https://docs.stripe.com/customer-management, "Limitations"): a price can be switched only to
// one of the same tax behavior, and not while it is unspecified; no two prices of a product with
// the same interval; at most ten products. It is a pure function. Fewer than two prices are no
// switch.
func portalSwitches(candidates []candidate, currentID, currentTax string) (products []switchProduct, problems []string) {
	if !isSpecified(currentTax) {
		return nil, []string{fmt.Sprintf("the tax_behavior of price %s is unspecified, so the portal can't switch from it", currentID)}
	}
	byProduct := map[string]switchProduct{}
	taken := map[string]string{} // price ids by product and interval
	count := 0
	for _, c := range candidates {
		slot := c.price.ProductID + " " + string(c.price.Interval)
		if problem := switchProblem(c, currentTax, taken[slot]); problem != "" {
			problems = append(problems, problem)
			continue
		}
		if byProduct[c.price.ProductID] == nil && len(products) == maxPortalProducts {
			continue
		}
		taken[slot] = c.price.ID
		if byProduct[c.price.ProductID] == nil {
			byProduct[c.price.ProductID] = &stripe.BillingPortalConfigurationFeaturesSubscriptionUpdateProductParams{Product: stripe.String(c.price.ProductID)}
			products = append(products, byProduct[c.price.ProductID])
		}
		byProduct[c.price.ProductID].Prices = append(byProduct[c.price.ProductID].Prices, stripe.String(c.price.ID))
		count++
	}
	if count < 2 {
		return nil, problems
	}
	return products, problems
}

// switchProblem returns why the portal can't offer a price; empty: it can.
func switchProblem(c candidate, currentTax, sameSlot string) string {
	name := fmt.Sprintf("%s (%s)", c.plan.ID, c.price.Interval)
	switch {
	case !isSpecified(c.tax):
		return name + " is left out: the tax_behavior of its price is unspecified"
	case c.tax != currentTax:
		return fmt.Sprintf("%s is left out: the tax_behavior of its price is %s, that of the present one %s", name, c.tax, currentTax)
	case sameSlot != "":
		return fmt.Sprintf("%s is left out: its price has the same product and interval as %s", name, sameSlot)
	}
	return ""
}

func isSpecified(tax string) bool {
	return tax != "" && tax != string(stripe.PriceTaxBehaviorUnspecified)
}

// readTaxBehaviors returns the tax behavior of the candidates' prices and of the present one.
func (c *portalCalls) readTaxBehaviors(ctx context.Context, candidates []candidate, currentID string) (map[string]string, error) {
	behaviors := map[string]string{}
	ids := []string{currentID}
	for _, offered := range candidates {
		ids = append(ids, offered.price.ID)
	}
	for _, id := range distinct(ids) {
		value, err := c.taxBehaviorOf(ctx, id)
		if err != nil && !isMissing(err) {
			return nil, err
		}
		behaviors[id] = value
	}
	return behaviors, nil
}

func (c *portalCalls) taxBehaviorOf(ctx context.Context, id string) (string, error) {
	c.mutex.Lock()
	known, ok := c.taxBehaviors[id]
	c.mutex.Unlock()
	if ok && time.Since(known.readAt) < taxBehaviorKept {
		return known.value, nil
	}
	price, err := c.priceCalls.priceByID(ctx, id)
	if err != nil {
		return "", err
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.taxBehaviors[id] = taxBehavior{string(price.TaxBehavior), time.Now()}
	return string(price.TaxBehavior), nil
}

// rememberRefusedSwitches keeps plan switches from being tried again at every opening.
func (c *portalCalls) rememberRefusedSwitches(products []switchProduct, problem string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.refusedSwitches[portalHash(portalParams(products))] = refusedSwitches{time.Now().Add(refusedSwitchesKept), problem}
}

// refusedProblem returns why Stripe refused the same plan switches lately; empty: it did not.
func (c *portalCalls) refusedProblem(products []switchProduct) string {
	if len(products) == 0 {
		return ""
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	refused, ok := c.refusedSwitches[portalHash(portalParams(products))]
	if !ok || time.Now().After(refused.until) {
		return ""
	}
	return refused.problem
}
