package account

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
)

// tokenLength is the number of random bytes of a token.
const tokenLength = 32

// newToken returns a secret of 256 random bits for a link or a cookie, in URL-safe base64. Only its
// hash is stored, see [hashToken].
func newToken(random io.Reader) string {
	secret := make([]byte, tokenLength)
	if _, err := io.ReadFull(random, secret); err != nil {
		panic("account: read randomness: " + err.Error()) // crypto/rand does not fail
	}
	return base64.RawURLEncoding.EncodeToString(secret)
}

// hashToken returns the SHA-256 hash of a token. It has enough randomness to need no slow hash.
func hashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}
