package account

import (
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
)

// The parameters of one-time codes, the ones that every authenticator app supports: RFC 6238 with
// SHA-1, six digits and steps of 30 seconds.
const (
	totpPeriod  = 30 // seconds of a step
	totpSkew    = 1  // steps that the clock of a phone may differ by, RFC 6238 section 5.2
	seedLength  = 20 // bytes, RFC 4226 section 4: 160 bits are recommended
	totpDigits  = otp.DigitsSix
	totpCodeLen = 6
)

// totpStep returns the time step of a time.
func totpStep(now time.Time) int64 { return now.Unix() / totpPeriod }

// acceptedStep returns the step whose code was typed; false if it is none of the current ones, or
// not later than the last accepted step.
func acceptedStep(seed []byte, code string, now time.Time, last int64) (int64, bool, error) {
	current := totpStep(now)
	for step := max(current-totpSkew, last+1); step <= current+totpSkew; step++ {
		// #nosec G115 -- no step is negative
		matches, err := hotp.ValidateCustom(code, uint64(step), encodeSeed(seed), hotp.ValidateOpts{Digits: totpDigits, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return 0, false, fmt.Errorf("check one-time code: %w", err)
		}
		if matches {
			return step, true, nil
		}
	}
	return 0, false, nil
}

func encodeSeed(seed []byte) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(seed)
}

// totpURL returns the otpauth URL of a seed, which authenticator apps read from a QR code.
func totpURL(seed []byte, issuer, email string) (string, error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: email, Secret: seed, Period: totpPeriod, Digits: totpDigits})
	if err != nil {
		return "", fmt.Errorf("make the URL of an authenticator: %w", err)
	}
	return key.URL(), nil
}

// normalizeCode removes what people type between the groups of a code, and reports whether it is a
// one-time code: six digits. Everything else can only be a recovery code.
func normalizeCode(typed string) (code string, oneTime bool) {
	code = strings.Map(func(r rune) rune {
		if r <= ' ' || r == '-' || r == '\u00a0' {
			return -1
		}
		return r
	}, strings.ToLower(typed))
	notDigit := func(r rune) bool { return r < '0' || r > '9' }
	return code, len(code) == totpCodeLen && strings.IndexFunc(code, notDigit) < 0
}
