package stripelocal

import (
	"fmt"

	"usher/stripelocal/wire"
)

func (h prices) productName(p *Price) string {
	if product, ok := h.store.Products.get(p.Product); ok {
		return product.Name
	}
	return p.ID
}

// describeLine describes an invoice line: 5 user × Pro (at $10.00 / month), with the product's
// unit_label (recorded by pay-rails/pay), or 5 × Pro (at $10.00 / every 3 months).
func (h prices) describeLine(p *Price, quantity int64) string {
	unit := wire.DescribeAmount(p.UnitAmount, p.Currency)
	if len(p.Tiers) > 0 {
		unit = p.Tiers[p.tierAmounts(quantity)[0].tier].describe(p.Currency)
	}
	if p.DivideBy > 0 {
		unit += fmt.Sprintf(" per %d", p.DivideBy)
	}
	return fmt.Sprintf("%s %s (at %s / %s)", h.countUnits(p, quantity), h.productName(p), unit, everyText(p))
}

func everyText(p *Price) string {
	if p.IntervalCount > 1 {
		return "every " + intervalText(p)
	}
	return p.Interval
}

// countUnits is a quantity with the product's unit_label: 5 user ×.
func (h prices) countUnits(p *Price, quantity int64) string {
	if label := h.unitLabel(p); label != "" {
		return fmt.Sprintf("%d %s ×", quantity, label)
	}
	return fmt.Sprintf("%d ×", quantity)
}

func (h prices) unitLabel(p *Price) string {
	product, ok := h.store.Products.get(p.Product)
	if !ok {
		return ""
	}
	return product.UnitLabel
}

// describeTrial describes the line of a trial (recorded by pay-rails/pay).
func (h prices) describeTrial(p *Price) string {
	if label := h.unitLabel(p); label != "" {
		return fmt.Sprintf("Trial period for %s (per %s)", h.productName(p), label)
	}
	return "Trial period for " + h.productName(p)
}

// describeQuantity describes a quantity of a price: 5 × Pro.
func (h prices) describeQuantity(p *Price, quantity int64) string {
	if quantity == 1 {
		return h.productName(p)
	}
	return h.countUnits(p, quantity) + " " + h.productName(p)
}

func intervalText(p *Price) string {
	if p.IntervalCount == 1 {
		return p.Interval
	}
	return fmt.Sprintf("%d %ss", p.IntervalCount, p.Interval)
}
