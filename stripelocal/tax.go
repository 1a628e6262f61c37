package stripelocal

import (
	"math/big"

	"usher/stripelocal/wire"
)

// InvoiceTax is the tax of one rate on an invoice. It holds a copy of the rate, as the invoice
// keeps it. Amounts are minor units in the order of the invoice's lines; those of prorations and
// credits are negative where the line is.
type InvoiceTax struct {
	Rate    TaxRate
	Reason  string  // taxability_reason; empty for a rate that was set by hand
	Lines   []int64 // tax
	Taxable []int64 // what it is computed of, without the tax itself
}

// taxes computes the tax of invoices and Checkout sessions.
type taxes struct{ *request }

// applyToInvoice sets the taxes of an invoice for its lines and discounts. It stores nothing, so
// previews use it too.
func (h taxes) applyToInvoice(inv *Invoice) {
	inv.Taxes = nil
	address := inv.CustomerAddress
	if c, ok := h.store.Customers.get(inv.Customer); ok && inv.Status == "draft" && c.Address != nil {
		address = c.Address
	}
	inv.Taxes = h.compute(inv, address, h.hasVATNumber(inv.Customer))
}

// compute computes the tax of each line: of the line's own rates, else the invoice's, else those of
// Stripe Tax. Tax is computed of the amount less discounts, by line, and rounded half away from
// zero (docs: https://docs.stripe.com/billing/taxes/tax-rates; that a line is rounded on its own is
// inferred, Stripe has a setting for it). business is whether the customer has a European VAT
// number.
func (h taxes) compute(inv *Invoice, address *Address, business bool) []InvoiceTax {
	var out []InvoiceTax
	for i := range inv.Lines {
		rates, reason := h.ratesOf(inv, &inv.Lines[i], address, business)
		net := inv.Lines[i].Amount
		for _, d := range inv.Discounts {
			net -= d.Lines[i]
		}
		base := taxableAmount(net, rates)
		for _, rate := range rates {
			at := indexOfRate(out, rate)
			if at < 0 {
				at = len(out)
				out = append(out, InvoiceTax{Rate: rate, Reason: reason, Lines: make([]int64, len(inv.Lines)), Taxable: make([]int64, len(inv.Lines))})
			}
			out[at].Lines[i] = wire.Round(percentOf(base, rate.percent()))
			out[at].Taxable[i] = wire.Round(base)
			if rate.Inclusive && len(rates) == 1 { // tax and rest add up to what was billed
				out[at].Taxable[i] = net - out[at].Lines[i]
			}
		}
	}
	return out
}

func (h taxes) ratesOf(inv *Invoice, line *InvoiceLine, address *Address, business bool) ([]TaxRate, string) {
	ids := line.TaxRates
	if len(ids) == 0 {
		ids = inv.DefaultTaxRates
	}
	var out []TaxRate
	for _, id := range ids {
		if x, ok := h.store.TaxRates.get(id); ok {
			out = append(out, *x)
		}
	}
	if !inv.AutomaticTax || len(out) > 0 {
		return out, ""
	}
	price, ok := h.store.Prices.get(line.Price)
	if rate, reason, taxed := h.automaticRate(address, business, ok && h.isInclusive(price)); taxed {
		return []TaxRate{rate}, reason
	}
	return nil, ""
}

// isInclusive reports whether a price includes its automatic tax. The account's default decides for
// a price without a tax_behavior.
func (h taxes) isInclusive(p *Price) bool {
	return p.TaxBehavior == "inclusive" || p.TaxBehavior == "unspecified" && h.defaultBehavior(p.Currency) == "inclusive"
}

// taxableAmount is an amount without the taxes that it includes.
func taxableAmount(net int64, rates []TaxRate) *big.Rat {
	included := big.NewRat(100, 1)
	for i := range rates {
		if rates[i].Inclusive {
			included.Add(included, rates[i].percent())
		}
	}
	base := new(big.Rat).SetFrac64(net*100, 1)
	return base.Quo(base, included)
}

func percentOf(base, percent *big.Rat) *big.Rat {
	out := new(big.Rat).Mul(base, percent)
	return out.Quo(out, big.NewRat(100, 1))
}

func indexOfRate(list []InvoiceTax, rate TaxRate) int {
	for i, t := range list {
		if t.Rate.ID == rate.ID {
			return i
		}
	}
	return -1
}

func (t InvoiceTax) amount() int64  { return sumOf(t.Lines) }
func (t InvoiceTax) taxable() int64 { return sumOf(t.Taxable) }

func sumOf(list []int64) int64 {
	var sum int64
	for _, n := range list {
		sum += n
	}
	return sum
}

// taxAmount is the tax of an invoice: what it adds, and what the amounts include.
func (inv *Invoice) taxAmount() (exclusive, inclusive int64) {
	for _, t := range inv.Taxes {
		if t.Rate.Inclusive {
			inclusive += t.amount()
		} else {
			exclusive += t.amount()
		}
	}
	return exclusive, inclusive
}

// renderOnInvoice sets the tax fields and totals of an invoice.
func (h taxes) renderOnInvoice(o wire.Object, inv *Invoice) {
	o["default_tax_rates"] = h.taxRates.renderAll(inv.DefaultTaxRates)
	if len(inv.Taxes) == 0 {
		return
	}
	exclusive, inclusive := inv.taxAmount()
	amounts := []any{}
	for _, t := range inv.Taxes {
		amounts = append(amounts, t.render(t.amount(), t.taxable()))
	}
	o["tax"], o["total_tax_amounts"] = exclusive+inclusive, amounts
	o["total_excluding_tax"] = inv.total() - exclusive - inclusive
	o["subtotal_excluding_tax"] = inv.subtotal() - inv.subtotalTax()
}

// subtotalTax is the tax that the lines include before discounts.
func (inv *Invoice) subtotalTax() int64 {
	var sum int64
	for i, l := range inv.Lines {
		var rates []TaxRate
		for _, t := range inv.Taxes {
			if t.Rate.Inclusive && (t.Lines[i] != 0 || t.Taxable[i] != 0) {
				rates = append(rates, t.Rate)
			}
		}
		sum += l.Amount - wire.Round(taxableAmount(l.Amount, rates))
	}
	return sum
}

func (t InvoiceTax) render(amount, taxable int64) wire.Object {
	return wire.Object{
		"amount": amount, "inclusive": t.Rate.Inclusive, "tax_rate": wire.Ref("tax_rate", t.Rate.ID),
		"taxability_reason": wire.StringOrNull(t.Reason), "taxable_amount": taxable,
	}
}

// renderOnLine sets the tax fields of an invoice's line.
func (h taxes) renderOnLine(o wire.Object, inv *Invoice, at int) {
	amounts, rates := []any{}, []string{}
	line := inv.Lines[at]
	excluded := line.Amount
	for _, t := range inv.Taxes {
		if at >= len(t.Lines) || t.Lines[at] == 0 && t.Taxable[at] == 0 {
			continue
		}
		amounts = append(amounts, t.render(t.Lines[at], t.Taxable[at]))
		if !t.Rate.Automatic {
			rates = append(rates, t.Rate.ID)
		}
		if t.Rate.Inclusive {
			excluded -= t.Lines[at]
		}
	}
	o["tax_amounts"], o["amount_excluding_tax"] = amounts, excluded
	if o["unit_amount_excluding_tax"] != nil {
		o["unit_amount_excluding_tax"] = unitAmountOf(excluded, line.Quantity)
	}
	if len(line.TaxRates) > 0 {
		o["tax_rates"] = h.taxRates.renderAll(rates)
	}
}

// setOnSubscription reads automatic_tax and default_tax_rates, of which a subscription has one
// (docs: https://docs.stripe.com/tax/subscriptions; the wording is inferred).
func (h taxes) setOnSubscription(sub *Subscription, p wire.Params) error {
	if err := h.checkAutomaticTax(p); err != nil {
		return err
	}
	p.At("automatic_tax").SetBool("enabled", &sub.AutomaticTax)
	if p.Has("default_tax_rates") {
		rates, err := h.taxRates.fromParams(p, "default_tax_rates", h.pricesOf(sub)...)
		if err != nil {
			return err
		}
		sub.DefaultTaxRates = rates
	}
	if sub.AutomaticTax && len(sub.DefaultTaxRates) > 0 {
		return automaticWithRatesError("default_tax_rates")
	}
	return nil
}

func (h taxes) pricesOf(sub *Subscription) []*Price {
	var out []*Price
	for _, item := range h.subscriptions.items(sub) {
		if price, ok := h.store.Prices.get(item.Price); ok {
			out = append(out, price)
		}
	}
	return out
}

func automaticWithRatesError(param string) error {
	return wire.Invalid("", param, "You cannot set tax rates if `automatic_tax` is enabled.")
}
