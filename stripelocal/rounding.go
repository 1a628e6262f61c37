package stripelocal

import "math/big"

// roundRat rounds half away from zero.
func roundRat(r *big.Rat) int64 {
	half := big.NewRat(int64(r.Sign()), 2)
	sum := new(big.Rat).Add(r, half)
	return new(big.Int).Quo(sum.Num(), sum.Denom()).Int64()
}

func shareOf(amount, left, length int64) int64 {
	if length <= 0 {
		return 0
	}
	part := new(big.Rat).SetFrac64(left, length)
	return roundRat(part.Mul(part, new(big.Rat).SetInt64(amount)))
}
