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

// describeLine describes an invoice line: 5 × Pro (at $10.00 / month).
func (h prices) describeLine(p *Price, quantity int64) string {
	return fmt.Sprintf("%d × %s (at %s / %s)", quantity, h.productName(p), wire.FormatAmount(p.UnitAmount, p.Currency), p.Interval)
}

// describeQuantity describes a quantity of a price: 5 × Pro.
func (h prices) describeQuantity(p *Price, quantity int64) string {
	if quantity == 1 {
		return h.productName(p)
	}
	return fmt.Sprintf("%d × %s", quantity, h.productName(p))
}

func intervalText(p *Price) string {
	if p.IntervalCount == 1 {
		return p.Interval
	}
	return fmt.Sprintf("%d %ss", p.IntervalCount, p.Interval)
}
