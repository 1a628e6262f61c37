package wire

// MinimumCharge is the minimum charge of a currency in minor units (docs for USD and JPY; others
// inferred). It is 0 for currencies without a published minimum.
func MinimumCharge(currency string) int64 {
	switch currency {
	case "usd", "aud", "brl", "cad", "chf", "eur", "inr", "nzd", "sgd", "jpy":
		return 50
	case "gbp":
		return 30
	case "bgn":
		return 100
	case "aed", "myr", "pln", "ron":
		return 200
	case "dkk":
		return 250
	case "nok", "sek":
		return 300
	case "hkd":
		return 400
	case "mxn", "thb":
		return 1000
	case "czk":
		return 1500
	case "huf":
		return 17500
	}
	return 0
}

// SmallestCharge is the smallest amount that can be charged, in minor units: MinimumCharge, or 1.
func SmallestCharge(currency string) int64 { return max(1, MinimumCharge(currency)) }
