package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
)

// The endpoint's secret is rolled during a batch: Stripe signs with the old secret, then with both,
// then with the new one. The replicas accept both all the time.
const (
	oldSecret     = "whsec_simulation_old"
	newSecret     = "whsec_simulation_new"
	retiredSecret = "whsec_simulation_retired" // not accepted any more
)

var secrets = []string{oldSecret, newSecret}

// secretsIn returns the secrets that Stripe signs with in a round.
func secretsIn(round int64) []string {
	switch {
	case round < 1:
		return secrets[:1]
	case round == 1:
		return secrets
	default:
		return secrets[1:]
	}
}

// sign returns the Stripe-Signature header of a delivery made now, with the secrets of the current
// round (https://docs.stripe.com/webhooks#verify-manually).
func (e *environment) sign(payload []byte) string {
	return signWith(payload, 0, secretsIn(e.round.Load())...)
}

// signWith returns the Stripe-Signature header of a delivery made at an offset from now.
func signWith(payload []byte, offset time.Duration, secrets ...string) string {
	at := time.Now().Add(offset).Unix()
	var header strings.Builder
	fmt.Fprintf(&header, "t=%d", at)
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		fmt.Fprintf(mac, "%d.%s", at, payload)
		fmt.Fprintf(&header, ",v1=%x", mac.Sum(nil))
	}
	return header.String()
}
