package catalog

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxDigits is the maximum number of digits of an amount in minor units at Stripe
// (https://docs.stripe.com/currencies, "Minimum and maximum charge amounts": eight, up to twelve in
// currencies with small units).
const maxDigits = 12

// parseMinor converts a decimal number of the main unit to minor units without floating point.
// exponent is the number of decimals of the currency.
func parseMinor(text string, exponent int) (int64, error) {
	if strings.HasPrefix(text, "-") {
		return 0, errors.New("an amount cannot be negative")
	}
	whole, decimals, hasPoint := strings.Cut(text, ".")
	if !isDigits(whole) || hasPoint && !isDigits(decimals) {
		return 0, errors.New("not a decimal number such as 9 or 9.50")
	}
	if len(decimals) > exponent {
		return 0, fmt.Errorf("more decimals than the currency has (%d)", exponent)
	}
	digits := strings.TrimLeft(whole+decimals+strings.Repeat("0", exponent-len(decimals)), "0")
	if len(digits) > maxDigits {
		return 0, fmt.Errorf("more than Stripe takes (%d digits)", maxDigits)
	}
	return strconv.ParseInt("0"+digits, 10, 64)
}

func isDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// checkChargeable rejects amounts that have a minor unit but are not accepted by Stripe
// (https://docs.stripe.com/currencies, "Special cases" and "Three-decimal currencies").
func checkChargeable(minor int64, code string) error {
	if (code == "ISK" || code == "UGX") && minor%100 != 0 {
		return fmt.Errorf("only whole %s are taken by Stripe", code)
	}
	if threeDecimal[code] && minor%10 != 0 {
		return fmt.Errorf("only %s amounts with a third decimal of 0 are taken by Stripe", code)
	}
	return nil
}
