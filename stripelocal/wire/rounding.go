package wire

import "math/big"

// Round rounds half away from zero.
func Round(r *big.Rat) int64 {
	half := big.NewRat(int64(r.Sign()), 2)
	sum := new(big.Rat).Add(r, half)
	return new(big.Int).Quo(sum.Num(), sum.Denom()).Int64()
}

func Share(amount, left, length int64) int64 {
	if length <= 0 {
		return 0
	}
	part := new(big.Rat).SetFrac64(left, length)
	return Round(part.Mul(part, new(big.Rat).SetInt64(amount)))
}
