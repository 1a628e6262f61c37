package stripegw

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79/webhook"

	"usher/billing/apperr"
)

const (
	secretA = "whsec_current"
	secretB = "whsec_rolled"
)

func signature(payload string, secret string, at time.Time) string {
	return hex.EncodeToString(webhook.ComputeSignature(at, []byte(payload), secret))
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	const body = `{"id":"evt_1","type":"ping"}`
	signed := func(at time.Time, secret string) string {
		return fmt.Sprintf("t=%d,v1=%s", at.Unix(), signature(body, secret, at))
	}
	old := now.Add(-time.Hour)
	tests := map[string]struct {
		header string
		want   error // nil: valid
	}{
		"good":                           {signed(now, secretA), nil},
		"good under the other secret":    {signed(now, secretB), nil},
		"as the SDK signs":               {webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: []byte(body), Secret: secretA, Timestamp: now}).Header, nil},
		"several, the last one good":     {fmt.Sprintf("t=%d,v1=%s,v1=00ff,v1=%s", now.Unix(), signature(body, "other", now), signature(body, secretA, now)), nil},
		"unknown schemes beside it":      {fmt.Sprintf("t=%d,v0=abc,v9=,v1=%s", now.Unix(), signature(body, secretA, now)), nil},
		"signature that is no hex first": {fmt.Sprintf("t=%d,v1=zz,v1=%s", now.Unix(), signature(body, secretA, now)), nil},
		"300 s old":                      {signed(now.Add(-300*time.Second), secretA), nil},
		"300 s ahead":                    {signed(now.Add(300*time.Second), secretA), nil},

		"unsigned":                     {"", errNoHeader},
		"garbage":                      {"garbage", errBadHeader},
		"garbage between":              {signed(now, secretA) + ",x", errBadHeader},
		"no time":                      {"v1=" + signature(body, secretA, now), errBadHeader},
		"time that is no number":       {"t=now,v1=" + signature(body, secretA, now), errBadHeader},
		"wrong secret":                 {signed(now, "whsec_other"), errNoSignature},
		"empty secret":                 {signed(now, ""), errNoSignature},
		"v0 only":                      {strings.Replace(signed(now, secretA), "v1=", "v0=", 1), errNoSignature},
		"cut short":                    {signed(now, secretA)[:40], errNoSignature},
		"another body's":               {fmt.Sprintf("t=%d,v1=%s", now.Unix(), signature(body+" ", secretA, now)), errNoSignature},
		"another time's":               {fmt.Sprintf("t=%d,v1=%s", now.Unix()-1, signature(body, secretA, now)), errNoSignature},
		"301 s old":                    {signed(now.Add(-301*time.Second), secretA), errTimestamp},
		"600 s ahead":                  {signed(now.Add(600*time.Second), secretA), errTimestamp},
		"year 292277026596":            {fmt.Sprintf("t=9223372036854775807,v1=%s", signature(body, secretA, now)), errTimestamp},
		"before all time":              {fmt.Sprintf("t=-9223372036854775808,v1=%s", signature(body, secretA, now)), errTimestamp},
		"old one with a new t before":  {fmt.Sprintf("t=%d,%s", now.Unix(), signed(old, secretA)), errBadHeader},
		"old one with a new t after":   {fmt.Sprintf("%s,t=%d", signed(old, secretA), now.Unix()), errBadHeader},
		"old one with an empty t last": {signed(old, secretA) + ",t=", errBadHeader},
	}
	_, gateway := newFake(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			event, err := gateway.VerifyEvent([]byte(body), test.header, now)
			if test.want == nil {
				if err != nil || event.ID != "evt_1" || event.Type != "ping" {
					t.Errorf("got %+v, %v", event, err)
				}
				return
			}
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if apperr.CodeOf(err) != apperr.CodeInvalid || apperr.MessageOf(err) != apperr.MessageSignatureFailed {
				t.Errorf("got %s %q", apperr.CodeOf(err), apperr.MessageOf(err))
			}
		})
	}
}

func TestWithoutSecretsEveryEventIsRejected(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, secrets := range [][]string{nil, {""}, {" ", "\t"}} {
		gateway := New(Options{SecretKey: "sk_test_123456789012", WebhookSecrets: secrets})
		for _, secret := range []string{"", " ", "\t"} {
			header := fmt.Sprintf("t=%d,v1=%s", now.Unix(), signature("{}", secret, now))
			if _, err := gateway.VerifyEvent([]byte("{}"), header, now); !errors.Is(err, errNoSecret) {
				t.Errorf("secrets %q, signed with %q: got %v", secrets, secret, err)
			}
		}
	}
}

func TestSignedBodyIsNoEvent(t *testing.T) {
	t.Parallel()
	_, gateway := newFake(t)
	now := time.Now()
	for _, body := range []string{``, `null`, `true`, `[]`, `"evt_1"`, `{}`, `not json`, `{"id":"evt_1"}`, `{"type":"ping"}`, `{"id":"","type":"ping"}`,
		`{"id":5,"type":"ping"}`, `{"id":"evt_1","type":"ping"`, `{"id":"evt_1","type":"ping"} {}`, `{"id":"evt_\u0000","type":"ping"}`,
		`{"id":"` + strings.Repeat("e", 600) + `","type":"ping"}`} {
		_, err := gateway.VerifyEvent([]byte(body), fmt.Sprintf("t=%d,v1=%s", now.Unix(), signature(body, secretA, now)), now)
		if apperr.CodeOf(err) != apperr.CodeInvalid || apperr.MessageOf(err) != messageInvalidEvent {
			t.Errorf("%q: got %v", body, err)
		}
	}
}
