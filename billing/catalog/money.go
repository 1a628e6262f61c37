package catalog

import (
	"strconv"
	"strings"

	"github.com/bojanz/currency"
)

// Money is an amount in Stripe's minor unit of its currency: cents for USD, whole yen for JPY, fils
// for KWD.
type Money struct {
	Minor    int64  `db:"minor"`
	Currency string `db:"currency"` // ISO 4217, any case; Stripe uses lower case
}

// zeroDecimal lists the currencies without decimals at Stripe. ISK and UGX have none in ISO 4217,
// but two at Stripe (https://docs.stripe.com/currencies, "Special cases").
var zeroDecimal = map[string]bool{
	"BIF": true, "CLP": true, "DJF": true, "GNF": true, "JPY": true, "KMF": true, "KRW": true, "MGA": true,
	"PYG": true, "RWF": true, "VND": true, "VUV": true, "XAF": true, "XOF": true, "XPF": true,
}

// threeDecimal lists the currencies with three decimals at Stripe
// (https://docs.stripe.com/currencies, "Three-decimal currencies").
var threeDecimal = map[string]bool{"BHD": true, "JOD": true, "KWD": true, "OMR": true, "TND": true}

// Exponent returns the number of decimals of a currency at Stripe.
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

// Times returns n times the amount.
func (m Money) Times(n int) Money { return Money{Minor: m.Minor * int64(n), Currency: m.Currency} }

// IsZero reports whether the amount is zero.
func (m Money) IsZero() bool { return m.Minor == 0 }

// Decimal returns the amount as a decimal number: "2610.00", "500", "1.250".
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

// Format returns the amount for people with all decimals of the currency: "$2,610.00", "¥500".
func (m Money) Format() string { return m.FormatIn("en") }

// FormatIn is [Money.Format] as a language writes amounts, by its BCP 47 tag: "2.610,00 $" in de.
func (m Money) FormatIn(language string) string {
	return m.format(language, uint8(Exponent(m.Currency))) // #nosec G115 -- 0, 2 or 3
}

// FormatShort is [Money.Format] without decimals if they are all zero: "$72", "$72.50".
func (m Money) FormatShort() string { return m.FormatShortIn("en") }

// FormatShortIn is [Money.FormatShort] as a language writes amounts.
func (m Money) FormatShortIn(language string) string {
	unit := int64(1)
	for range Exponent(m.Currency) {
		unit *= 10
	}
	if m.Minor%unit == 0 {
		return m.format(language, 0)
	}
	return m.FormatIn(language)
}

func (m Money) format(language string, digits uint8) string {
	code := strings.ToUpper(m.Currency)
	amount, err := currency.NewAmount(m.Decimal(), code)
	if err != nil { // unknown to the library: still unambiguous
		return m.Decimal() + " " + code
	}
	formatter := currency.NewFormatter(currency.NewLocale(language))
	formatter.MinDigits, formatter.MaxDigits = digits, digits
	return formatter.Format(amount)
}
