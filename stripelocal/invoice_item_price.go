package stripelocal

import "usher/stripelocal/wire"

// priceOfAmount returns the price that Stripe makes for an invoice item with an amount: an inactive
// one-time price of a product with the item's description (recorded by pay-rails/pay, where items
// with one description and amount share it). That it and its product send no events is inferred.
func (h invoiceItems) priceOfAmount(description, currency string, unit int64) *Price {
	for _, p := range h.store.Prices.all {
		if p.OfInvoiceItem && p.UnitAmount == unit && p.Currency == currency && h.prices.productName(p) == description {
			return p
		}
	}
	product := &Product{Base: Base{ID: h.ids.shortID("prod_"), Created: h.now}, Updated: h.now, Name: description, Metadata: map[string]string{}}
	h.store.Products.insert(product)
	p := &Price{
		Base: Base{ID: h.ids.longID("price_1"), Created: h.now}, Product: product.ID, Currency: currency, TaxBehavior: "unspecified",
		UnitAmount: unit, Metadata: map[string]string{}, OfInvoiceItem: true,
	}
	h.store.Prices.insert(p)
	return p
}

// setAmount sets the amount of an item without a price: amount, or unit_amount times the quantity.
// Credits have no price (inferred).
func (h invoiceItems) setAmount(i *InvoiceItem, p wire.Params) {
	unit := p.Int("unit_amount")
	if !p.Has("unit_amount") {
		unit = p.Int("amount")
		i.Quantity = 1
	}
	i.Amount, i.Price = unit*i.Quantity, ""
	if unit >= 0 && i.Currency != "" {
		i.Price = h.priceOfAmount(i.Description, i.Currency, unit).ID
	}
}
