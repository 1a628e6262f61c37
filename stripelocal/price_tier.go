package stripelocal

import (
	"fmt"
	"math/big"
	"strconv"

	"usher/stripelocal/wire"
)

// PriceTier is the price of the units up to UpTo, from the end of the tier before (docs: tiered
// pricing). Amounts are decimal minor units; an empty one was not given.
type PriceTier struct {
	UpTo       int64 // 0 is no limit
	UnitAmount string
	FlatAmount string // once for the tier
}

const (
	tierParams       = "tiers[]{up_to:inf|time! unit_amount:int unit_amount_decimal:decimal flat_amount:int flat_amount_decimal:decimal} "
	priceTierParams  = "billing_scheme:per_unit|tiered tiers_mode:graduated|volume " + tierParams
	transformedUnits = "{divide_by:int! round:up|down!} "
)

// tierAmount is what one tier charges for units.
type tierAmount struct {
	tier   int // from 0
	units  int64
	amount int64
}

// checkTiers checks the tiers of a price or plan; transform is the name of its other parameter that
// changes the quantity (API reference: create a price; the wording is inferred).
func checkTiers(p wire.Params, amount, transform string) error {
	tiers := p.List("tiers")
	switch {
	case !p.Has("tiers_mode"):
		return wire.MissingParam(p.Name("tiers_mode"))
	case len(tiers) == 0:
		return wire.MissingParam(p.Name("tiers"))
	case p.Has(amount) || p.Has(amount+"_decimal"):
		return wire.Invalid("", p.Name(amount), "You may not pass `"+amount+"` when `billing_scheme` is `tiered`.")
	case p.Has(transform):
		return wire.Invalid("", p.Name(transform), "You may not pass `"+transform+"` when `billing_scheme` is `tiered`.")
	}
	for i, t := range tiers {
		if err := checkTier(t, tiers, i); err != nil {
			return err
		}
	}
	return nil
}

func checkTier(t wire.Params, tiers []wire.Params, i int) error {
	last := i == len(tiers)-1
	switch {
	case last != (t.String("up_to") == "inf"):
		return wire.Invalid("", t.Name("up_to"), "Exactly the last tier must have `up_to=inf`.")
	case !last && (t.Int("up_to") < 1 || i > 0 && t.Int("up_to") <= tiers[i-1].Int("up_to")):
		return wire.Invalid("", t.Name("up_to"), "The `up_to` of a tier must be greater than that of the tier before it.")
	case !hasTierAmount(t, "unit_amount") && !hasTierAmount(t, "flat_amount"):
		return wire.Invalid("parameter_missing", t.Name("unit_amount"), "Each tier must have a `unit_amount` or a `flat_amount`.")
	}
	for _, name := range []string{"unit_amount", "flat_amount"} {
		if t.Has(name) && t.Has(name+"_decimal") {
			return wire.Invalid("", t.Name(name), "You may only specify one of these parameters: "+name+", "+name+"_decimal.")
		}
		if t.Int(name) < 0 {
			return wire.Invalid("parameter_invalid_integer", t.Name(name), "This value must be greater than or equal to 0.")
		}
	}
	return nil
}

func hasTierAmount(t wire.Params, name string) bool { return t.Has(name) || t.Has(name+"_decimal") }

func checkTransform(p wire.Params) error {
	if p.Has("divide_by") && p.Int("divide_by") < 1 {
		return wire.Invalid("parameter_invalid_integer", p.Name("divide_by"), "This value must be greater than or equal to 1.")
	}
	return nil
}

// setScheme reads the tiers of checked parameters, and how the quantity is transformed.
func (p *Price) setScheme(from wire.Params, transform wire.Params) {
	p.DivideBy, p.RoundUp = transform.Int("divide_by"), transform.String("round") == "up"
	p.TiersMode, p.Tiers = from.String("tiers_mode"), tiersFromParams(from)
}

func tiersFromParams(p wire.Params) []PriceTier {
	var out []PriceTier
	for _, t := range p.List("tiers") {
		out = append(out, PriceTier{
			UpTo: t.Int("up_to"), UnitAmount: t.StringOr("unit_amount", t.String("unit_amount_decimal")),
			FlatAmount: t.StringOr("flat_amount", t.String("flat_amount_decimal")),
		})
	}
	return out
}

// billedUnits is the quantity that the amount of a unit is multiplied with: with transform_quantity
// a number of packages.
func (p *Price) billedUnits(quantity int64) int64 {
	switch {
	case p.DivideBy == 0:
		return quantity
	case p.RoundUp:
		return (quantity + p.DivideBy - 1) / p.DivideBy
	}
	return quantity / p.DivideBy
}

// tierAmounts are the amounts of a quantity by tier: with volume the one tier that the quantity is
// in, with graduated all that it reaches. A quantity of 0 is charged the flat amount of the first
// tier (inferred). Each amount is rounded.
func (p *Price) tierAmounts(quantity int64) []tierAmount {
	var out []tierAmount
	from := int64(0)
	for i, t := range p.Tiers {
		reached := t.UpTo == 0 || quantity <= t.UpTo
		switch {
		case p.TiersMode == "volume" && reached:
			return []tierAmount{{i, quantity, t.amount(quantity)}}
		case p.TiersMode == "graduated" && reached:
			return append(out, tierAmount{i, quantity - from, t.amount(quantity - from)})
		case p.TiersMode == "graduated":
			out = append(out, tierAmount{i, t.UpTo - from, t.amount(t.UpTo - from)})
		}
		from = t.UpTo
	}
	return out
}

func (t PriceTier) amount(units int64) int64 {
	unit, flat := new(big.Rat), new(big.Rat)
	unit.SetString(t.UnitAmount)
	flat.SetString(t.FlatAmount)
	return wire.Round(flat.Add(flat, unit.Mul(unit, new(big.Rat).SetInt64(units))))
}

// periodAmounts are a quantity's invoice lines: one for each tier of graduated prices, else one
// (inferred).
func (h prices) periodAmounts(p *Price, quantity int64) []InvoiceLine {
	if p.TiersMode != "graduated" {
		return []InvoiceLine{{Quantity: quantity, Amount: p.amount(quantity), Description: h.describeLine(p, quantity)}}
	}
	var out []InvoiceLine
	for _, t := range p.tierAmounts(quantity) {
		text := fmt.Sprintf("%s %s (Tier %d at %s / %s)", h.countUnits(p, t.units), h.productName(p), t.tier+1, p.Tiers[t.tier].describe(p.Currency), everyText(p))
		out = append(out, InvoiceLine{Quantity: t.units, Amount: t.amount, Description: text})
	}
	return out
}

func (t PriceTier) describe(currency string) string {
	unit, flat := PriceTier{UnitAmount: t.UnitAmount}, PriceTier{FlatAmount: t.FlatAmount}
	if t.UnitAmount == "" {
		return wire.DescribeAmount(flat.amount(0), currency) + " flat"
	}
	return wire.DescribeAmount(unit.amount(1), currency)
}

func (p *Price) billingScheme() string {
	if len(p.Tiers) > 0 {
		return "tiered"
	}
	return "per_unit"
}

func renderTiers(tiers []PriceTier) any {
	out := []any{}
	for _, t := range tiers {
		o := wire.Object{"flat_amount": nil, "flat_amount_decimal": nil, "unit_amount": nil, "unit_amount_decimal": nil, "up_to": wire.IntOrNull(t.UpTo)}
		t.renderAmount(o, "flat_amount", t.FlatAmount)
		t.renderAmount(o, "unit_amount", t.UnitAmount)
		out = append(out, o)
	}
	return out
}

func (t PriceTier) renderAmount(o wire.Object, name, decimal string) {
	o[name+"_decimal"] = wire.StringOrNull(decimal)
	if n, err := strconv.ParseInt(decimal, 10, 64); err == nil {
		o[name] = n
	}
}

// renderScheme sets the fields of tiers and of the transformed quantity. The tiers are shown only
// where they are expanded.
func (p *Price) renderScheme(o wire.Object, transform string) {
	o["billing_scheme"], o["tiers_mode"], o[transform] = p.billingScheme(), wire.StringOrNull(p.TiersMode), nil
	if len(p.Tiers) > 0 {
		o["tiers"] = wire.Expandable(func() any { return renderTiers(p.Tiers) })
	}
	if p.DivideBy > 0 {
		round := "down"
		if p.RoundUp {
			round = "up"
		}
		o[transform] = wire.Object{"divide_by": p.DivideBy, "round": round}
	}
}
