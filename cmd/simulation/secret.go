package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
)

// The endpoint's secret is rolled in the midst of a batch: Stripe signs with the old one first, then with both, then with the new one. The replicas
// know both all the time, as whoever rolls it has them do.
const (
	oldSecret     = "whsec_storm_old"
	newSecret     = "whsec_storm_new"
	retiredSecret = "whsec_storm_retired" // of a roll long ago
)

var secrets = []string{oldSecret, newSecret}

// secretsIn are those Stripe signs with in a round.
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

// signed makes the header of a delivery made now (https://docs.stripe.com/webhooks#verify-manually), with the secrets of the round that is played.
func (w *world) signed(payload []byte) string {
	return signedWith(payload, 0, secretsIn(w.round.Load())...)
}

// signedWith makes the header of a delivery made so long from now.
func signedWith(payload []byte, from time.Duration, secrets ...string) string {
	at := time.Now().Add(from).Unix()
	var header strings.Builder
	fmt.Fprintf(&header, "t=%d", at)
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		fmt.Fprintf(mac, "%d.%s", at, payload)
		fmt.Fprintf(&header, ",v1=%x", mac.Sum(nil))
	}
	return header.String()
}
