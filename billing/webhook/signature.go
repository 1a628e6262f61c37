package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// secretPrefix begins the text form of a signing secret; base64 follows (Standard Webhooks,
// signature scheme).
const secretPrefix = "whsec_"

// secretSize is the length of a signing secret in bytes; the standard asks for 24 to 64.
const secretSize = 32

func formatSecret(secret []byte) string {
	return secretPrefix + base64.StdEncoding.EncodeToString(secret)
}

// newSecret returns random bytes.
func newSecret(random io.Reader) []byte {
	secret := make([]byte, secretSize)
	if _, err := io.ReadFull(random, secret); err != nil {
		// Crypto/rand never fails, so this is a test's reader.
		panic("webhook: read randomness: " + err.Error())
	}
	return secret
}

// signature returns the header webhook-signature: one signature for each secret, separated by
// spaces, so that a receiver that has only one of them accepts the message.
func signature(id string, at time.Time, body string, secrets ...[]byte) string {
	signed := make([]string, 0, len(secrets))
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, secret)
		fmt.Fprintf(mac, "%s.%s.%s", id, strconv.FormatInt(at.Unix(), 10), body)
		signed = append(signed, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(signed, " ")
}
