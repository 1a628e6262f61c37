package wire

import (
	"fmt"
	"slices"
	"strings"
)

// currencies are the codes that Stripe takes (docs: https://docs.stripe.com/currencies).
var currencies = strings.Fields("usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf chf " +
	"clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr ils inr isk jmd jod jpy kes kgs khr " +
	"kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln " +
	"pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs tnd top try ttd twd tzs uah ugx uyu uzs vnd vuv wst xaf xcd xof xpf " +
	"yer zar zmw")

// IsCurrency reports whether Stripe takes a currency code, in lower case.
func IsCurrency(code string) bool { return slices.Contains(currencies, code) }

// Currencies are the codes that Stripe takes, of which the first is usd.
func Currencies() []string { return slices.Clone(currencies) }

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

// symbols are the signs in descriptions. A dollar is "$" whichever country's it is (CAD: recorded
// by onetimesecret; the rest: inferred).
var symbols = map[string]string{"usd": "$", "cad": "$", "aud": "$", "nzd": "$", "sgd": "$", "hkd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}

// DescribeAmount formats an amount as descriptions of invoice lines have it: €10.00.
func DescribeAmount(amount int64, currency string) string {
	symbol, text := symbols[currency], FormatAmount(amount, currency)
	if symbol == "" || currency == "usd" {
		return text
	}
	number, _, _ := strings.Cut(text, " ")
	if number, negative := strings.CutPrefix(number, "-"); negative {
		return "-" + symbol + number
	}
	return symbol + number
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
