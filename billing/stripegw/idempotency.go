package stripegw

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// hashedKey makes an idempotency key of a word and the parameters it is to be bound to, within Stripe's limit of 255 characters however
// long they are. Other parameters make another key, so Stripe never sees one key with two sets of parameters.
func hashedKey(word string, parameters ...string) string {
	return word + ":" + hash(strings.Join(parameters, "\x00"))
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}
