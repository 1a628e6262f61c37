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

// Reasons for rejecting a signature, for the log.
var (
	errNoHeader    = errors.New("the Stripe-Signature header is missing")
	errBadHeader   = errors.New("the Stripe-Signature header cannot be read")
	errTimestamp   = errors.New("the signature's timestamp is more than 300 s off")
	errNoSignature = errors.New("no v1 signature matches a current secret")
	errNoSecret    = errors.New("no webhook secret is configured")
)

// usableSecrets returns the non-empty secrets: anybody can sign with an empty key.
func usableSecrets(secrets []string) []string {
	var usable []string
	for _, secret := range secrets {
		if secret = strings.TrimSpace(secret); secret != "" {
			usable = append(usable, secret)
		}
	}
	return usable
}

// verifySignature verifies a Stripe-Signature header for the raw body. stripe-go only rejects old
// timestamps and uses the system clock; this rejects future ones too and uses now
// (https://docs.stripe.com/webhooks#verify-manually).
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

// parseSignatureHeader parses t=UNIX,v1=HEX[,v1=HEX…]. Other schemes and invalid hexadecimal are
// ignored. A second t is rejected, since it is ambiguous which one was signed.
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
