package stripegw

import (
	"crypto/hmac"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v79/webhook"
)

// The causes of a refused signature, for the log.
var (
	errNoHeader   = errors.New("the Stripe-Signature header is missing")
	errBadHeader   = errors.New("the Stripe-Signature header cannot be read")
	errTimestamp   = errors.New("the signature's timestamp is more than 300 s off")
	errNoSignature = errors.New("no v1 signature matches a current secret")
	errNoSecret    = errors.New("no webhook secret is configured")
)

// usableSecrets drops empty secrets: a signature made with an empty key is one that anybody can make.
func usableSecrets(secrets []string) []string {
	var usable []string
	for _, secret := range secrets {
		if secret = strings.TrimSpace(secret); secret != "" {
			usable = append(usable, secret)
		}
	}
	return usable
}

// verifySignature checks a Stripe-Signature header against the raw body. The SDK's own check refuses old timestamps only and compares
// them with the machine's clock; here both bounds hold, by the time given (https://docs.stripe.com/webhooks#verify-manually).
func verifySignature(payload []byte, header string, secrets []string, now time.Time) error {
	if len(secrets) == 0 {
		return errNoSecret
	}
	at, signatures, err := parseSignatureHeader(header)
	if err != nil {
		return err
	}
	if now.Sub(at).Abs() > webhook.DefaultTolerance {
		return errTimestamp
	}
	for _, secret := range secrets {
		expected := webhook.ComputeSignature(at, payload, secret)
		for _, signature := range signatures {
			if hmac.Equal(expected, signature) {
				return nil
			}
		}
	}
	return errNoSignature
}

// parseSignatureHeader reads t=UNIX,v1=HEX[,v1=HEX…]. Other schemes and signatures that are no hex are left out. A second t is refused:
// of two it would be open which one the signature covers and which one is held against the clock.
func parseSignatureHeader(header string) (time.Time, [][]byte, error) {
	if header == "" {
		return time.Time{}, nil, errNoHeader
	}
	var stamp string
	var signatures [][]byte
	for part := range strings.SplitSeq(header, ",") {
		scheme, value, ok := strings.Cut(part, "=")
		if !ok || scheme == "t" && stamp != "" {
			return time.Time{}, nil, errBadHeader
		}
		switch scheme {
		case "t":
			stamp = value
		case "v1":
			if signature, err := hex.DecodeString(value); err == nil {
				signatures = append(signatures, signature)
			}
		}
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return time.Time{}, nil, errBadHeader
	}
	if len(signatures) == 0 {
		return time.Time{}, nil, errNoSignature
	}
	return time.Unix(seconds, 0), signatures, nil
}
