package stripegw

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// hashedKey returns an idempotency key of a prefix and a hash of the parameters, within Stripe's
// limit of 255 characters. Other parameters have another key, since Stripe rejects a key with
// changed parameters.
func hashedKey(word string, parameters ...string) string {
	return word + ":" + hash(strings.Join(parameters, "\x00"))
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}
