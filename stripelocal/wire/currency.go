package wire

import (
	"fmt"
	"regexp"
	"strings"
)

var currencyPattern = regexp.MustCompile(`^[a-z]{3}$`)

// IsCurrency reports whether a string has the form of a currency code: three lower-case letters.
func IsCurrency(code string) bool { return currencyPattern.MatchString(code) }

// decimals is the number of decimal places of a currency, as Stripe counts them (docs: currencies;
// ISK and UGX are zero-decimal but charged with two).
func decimals(currency string) int {
	switch currency {
	case "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf":
		return 0
	case "bhd", "jod", "kwd", "omr", "tnd":
		return 3
	}
	return 2
}

// FormatAmount formats an amount in minor units: $10.00, 1500 JPY.
func FormatAmount(amount int64, currency string) string {
	sign := ""
	if amount < 0 {
		sign, amount = "-", -amount
	}
	places := decimals(currency)
	digits := fmt.Sprintf("%0*d", places+1, amount)
	whole := digits
	if places > 0 {
		whole = digits[:len(digits)-places] + "." + digits[len(digits)-places:]
	}
	if currency == "usd" {
		return sign + "$" + whole
	}
	return sign + whole + " " + strings.ToUpper(currency)
}

// ChargeUnit is the amount whose multiples a currency is charged in, in minor units: ISK and UGX
// have two decimals that must be zero, three-decimal currencies a last digit that must be (docs:
// currencies, special cases and three-decimal currencies).
func ChargeUnit(currency string) int64 {
	switch {
	case currency == "isk", currency == "ugx":
		return 100
	case decimals(currency) == 3:
		return 10
	}
	return 1
}
