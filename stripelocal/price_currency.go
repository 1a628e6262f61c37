package stripelocal

import (
	"maps"
	"slices"

	"usher/stripelocal/wire"
)

// CurrencyOption is a price's amount in another currency (docs: multi-currency prices).
type CurrencyOption struct {
	TaxBehavior       string
	UnitAmount        int64
	UnitAmountDecimal string // set if the amount has fractions of a minor unit
	Tiers             []PriceTier
}

// currencyOptionSchema is that of each currency of currency_options, whose names are any currency.
var currencyOptionSchema = func() *wire.Schema {
	sh, err := wire.ParseSchema("tax_behavior:exclusive|inclusive|unspecified unit_amount:int unit_amount_decimal:decimal " + tierParams)
	if err != nil {
		panic(err) // the schema is a constant
	}
	return sh
}()

// checkCurrencyOptions checks currency_options of a price with a currency, tiered or not (the
// wording is inferred).
func checkCurrencyOptions(p wire.Params, currency string, tiered bool) error {
	all := p.At("currency_options")
	for _, name := range all.Names() {
		option := all.At(name)
		if err := option.Check(currencyOptionSchema); err != nil {
			return err
		}
		switch {
		case !wire.IsCurrency(name):
			return wire.Invalid("", all.Name(name), "Invalid currency: "+name)
		case name == currency:
			return wire.Invalid("", all.Name(name), "The currency `"+name+"` is the price's own. Its amount is not among `currency_options`.")
		case tiered && !option.Has("tiers"):
			return wire.MissingParam(option.Name("tiers"))
		case tiered:
			for i, t := range option.List("tiers") {
				if err := checkTier(t, option.List("tiers"), i); err != nil {
					return err
				}
			}
			continue
		}
		if err := checkAmount(option, "unit_amount", ""); err != nil {
			return err
		}
	}
	return nil
}

// setCurrencyOptions adds or replaces the options that are named. It builds a new map, because
// earlier events may refer to the old one.
func (p *Price) setCurrencyOptions(from wire.Params) {
	if !from.Has("currency_options") {
		return
	}
	all := from.At("currency_options")
	options := maps.Clone(p.CurrencyOptions)
	if options == nil || all.IsScalar() {
		options = map[string]CurrencyOption{}
	}
	for _, name := range all.Names() {
		in := all.At(name)
		amount := Price{}
		amount.setAmount(in, "unit_amount", "unit_amount_decimal")
		options[name] = CurrencyOption{
			TaxBehavior: in.StringOr("tax_behavior", "unspecified"), UnitAmount: amount.UnitAmount, UnitAmountDecimal: amount.UnitAmountDecimal,
			Tiers: tiersFromParams(in),
		}
	}
	p.CurrencyOptions = options
}

func (p *Price) supports(currency string) bool {
	_, ok := p.CurrencyOptions[currency]
	return ok || p.Currency == currency
}

// in is the price with its amount in a currency. A price that does not support it stays as it is.
func (p *Price) in(currency string) *Price {
	option, ok := p.CurrencyOptions[currency]
	if !ok {
		return p
	}
	other := *p
	other.Currency, other.UnitAmount, other.UnitAmountDecimal, other.Tiers = currency, option.UnitAmount, option.UnitAmountDecimal, option.Tiers
	if option.TaxBehavior != "unspecified" {
		other.TaxBehavior = option.TaxBehavior
	}
	return &other
}

// inCurrency returns a price by id with its amount in a currency.
func (h prices) inCurrency(id, currency string) (*Price, bool) {
	p, ok := h.store.Prices.get(id)
	if !ok {
		return nil, false
	}
	return p.in(currency), true
}

// checkSupports rejects a price without an amount in a currency.
func (p *Price) checkSupports(currency, param string) error {
	if currency == "" || p.supports(currency) {
		return nil
	}
	return wire.Invalid("", param, "The price specified supports currencies of `"+p.Currency+"`. This doesn't match the expected currency: `"+currency+"`.")
}

// renderCurrencyOptions renders the price's own currency among the others.
func (p *Price) renderCurrencyOptions() wire.Object {
	o := wire.Object{p.Currency: p.renderCurrencyOption(p.TaxBehavior)}
	for _, currency := range slices.Sorted(maps.Keys(p.CurrencyOptions)) {
		o[currency] = p.in(currency).renderCurrencyOption(p.CurrencyOptions[currency].TaxBehavior)
	}
	return o
}

func (p *Price) renderCurrencyOption(behavior string) wire.Object {
	o := wire.Object{"custom_unit_amount": nil, "tax_behavior": behavior, "unit_amount": p.unitAmount(), "unit_amount_decimal": p.unitAmountDecimal()}
	if len(p.Tiers) > 0 {
		o["tiers"] = wire.Expandable(func() any { return renderTiers(p.Tiers) })
	}
	return o
}
