package catalog

import (
	"strconv"
	"strings"

	"github.com/bojanz/currency"
)

// Money is an amount in the currency's minor unit as Stripe counts it (cents for USD, whole yen for JPY, fils for KWD).
type Money struct {
	Minor    int64  `db:"minor"`
	Currency string `db:"currency"` // ISO 4217, any case; Stripe writes it lower-case
}

// zeroDecimal lists the currencies whose minor unit is the whole unit at Stripe. ISK and UGX are not here although ISO 4217 gives
// them no decimals: Stripe keeps two for them (https://docs.stripe.com/currencies, "Special cases").
var zeroDecimal = map[string]bool{
	"BIF": true, "CLP": true, "DJF": true, "GNF": true, "JPY": true, "KMF": true, "KRW": true, "MGA": true,
	"PYG": true, "RWF": true, "VND": true, "VUV": true, "XAF": true, "XOF": true, "XPF": true,
}

// threeDecimal lists the currencies with three decimals at Stripe (https://docs.stripe.com/currencies, "Three-decimal currencies").
var threeDecimal = map[string]bool{"BHD": true, "JOD": true, "KWD": true, "OMR": true, "TND": true}

// Exponent returns how many decimals Stripe's minor unit of a currency has.
func Exponent(code string) int {
	code = strings.ToUpper(code)
	switch {
	case zeroDecimal[code]:
		return 0
	case threeDecimal[code]:
		return 3
	}
	return 2
}

// Times returns the amount n times.
func (m Money) Times(n int) Money { return Money{Minor: m.Minor * int64(n), Currency: m.Currency} }

// IsZero tells whether the amount is nothing.
func (m Money) IsZero() bool { return m.Minor == 0 }

// Decimal returns the amount as a plain decimal number: "2610.00", "500", "1.250".
func (m Money) Decimal() string {
	exponent := Exponent(m.Currency)
	digits := strconv.FormatInt(m.Minor, 10)
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	if exponent == 0 {
		return sign + digits
	}
	if missing := exponent + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - exponent
	return sign + digits[:point] + "." + digits[point:]
}

// Format writes the amount for people, every decimal of the currency shown: "$2,610.00", "¥500".
func (m Money) Format() string { return m.format(uint8(Exponent(m.Currency))) }

// FormatShort writes the amount for people without decimals where they are all zero: "$72", "$72.50".
func (m Money) FormatShort() string {
	unit := int64(1)
	for range Exponent(m.Currency) {
		unit *= 10
	}
	if m.Minor%unit == 0 {
		return m.format(0)
	}
	return m.Format()
}

func (m Money) format(digits uint8) string {
	code := strings.ToUpper(m.Currency)
	amount, err := currency.NewAmount(m.Decimal(), code)
	if err != nil { // a currency the library does not know: still readable, never wrong
		return m.Decimal() + " " + code
	}
	formatter := currency.NewFormatter(currency.NewLocale("en"))
	formatter.MinDigits, formatter.MaxDigits = digits, uint8(max(int(digits), 0))
	return formatter.Format(amount)
}
