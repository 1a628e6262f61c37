package webhook

import (
	"encoding/base64"
	"net/netip"
	"strings"
	"testing"
	"time"

	"usher/billing/apperr"
)

// The vector of the public libraries of Standard Webhooks
// (https://github.com/standard-webhooks/standard-webhooks/tree/main/libraries).
func TestSignatureOfTheStandard(t *testing.T) {
	secret, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := signature("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), `{"test": 2432232314}`, secret)
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	both := signature("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), `{"test": 2432232314}`, []byte("other"), secret)
	if signed := strings.Split(both, " "); len(signed) != 2 || signed[1] != got || signed[0] == got {
		t.Errorf("with two secrets: %s", both)
	}
}

func TestSecretsAreAsTheStandardSays(t *testing.T) {
	secret := newSecret(strings.NewReader(strings.Repeat("x", secretSize)))
	text, found := strings.CutPrefix(formatSecret(secret), "whsec_")
	raw, err := base64.StdEncoding.DecodeString(text)
	if !found || err != nil || len(raw) < 24 || len(raw) > 64 {
		t.Errorf("%q: %v, %d bytes", text, err, len(raw))
	}
}

func TestOnlyAddressesOfTheInternetArePublic(t *testing.T) {
	for address, want := range map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "2606:4700:4700::1111": true, "2a00:1450:4001:82f::200e": true, "172.32.0.1": true, "100.128.0.1": true,
		"127.0.0.1": false, "127.9.9.9": false, "0.0.0.0": false, "10.1.2.3": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false,
		"169.254.169.254": false, "100.64.0.1": false, "192.0.0.8": false, "198.18.0.1": false, "224.0.0.1": false, "255.255.255.255": false,
		"::1": false, "::": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd00:ec2::254": false, "ff02::1": false,
		"::ffff:127.0.0.1": false, "::ffff:8.8.8.8": true, "::127.0.0.1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "2001:0:1::1": false,
		"2001:db8::1": false, "100::1": false,
	} {
		if got := IsPublic(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: public is %t", address, got)
		}
	}
	if IsPublic(netip.Addr{}) {
		t.Error("no address is public")
	}
}

func TestAddressesOfEndpoints(t *testing.T) {
	for address, valid := range map[string][2]bool{ // in development, in production
		"https://example.com/hook?x=1": {true, true}, "https://example.com:8443/": {true, true}, " https://example.com/ ": {true, true},
		"http://example.com/": {true, false}, "https://127.0.0.1/": {true, false}, "https://[::1]/": {true, false}, "https://localhost/": {true, false},
		"https://169.254.169.254/latest": {true, false}, "https://app.localhost./": {true, false}, "http://localhost:8080/": {true, false},
		"": {}, "example.com": {}, "ftp://example.com/": {}, "https://": {}, "https://a:b@example.com/": {}, "https://example.com/#x": {},
		"https:example.com": {}, "javascript:alert(1)": {}, "https://example.com/" + strings.Repeat("x", maxURLLength): {}, "https://exa mple.com/": {},
	} {
		for i, strict := range []bool{false, true} {
			_, err := checkURL(address, strict)
			if (err == nil) != valid[i] {
				t.Errorf("%q, production %t: %v", address, strict, err)
			}
			if err != nil && apperr.CodeOf(err) != apperr.CodeUnprocessable {
				t.Errorf("%q: code %s", address, apperr.CodeOf(err))
			}
		}
	}
}

func TestDelays(t *testing.T) {
	none, all := func(time.Duration) time.Duration { return 0 }, func(limit time.Duration) time.Duration { return limit }
	for _, tc := range []struct {
		failures   int
		retryAfter time.Duration
		want       time.Duration
	}{
		{1, 0, 5 * time.Second}, {2, 0, 30 * time.Second}, {9, 0, 8 * time.Hour}, {1000, 0, 8 * time.Hour},
		{1, time.Minute, time.Minute}, {9, time.Minute, 8 * time.Hour}, {1, 1000 * time.Hour, maxRetryAfter},
	} {
		if got := delay(tc.failures, tc.retryAfter, none); got != tc.want {
			t.Errorf("%d failures, Retry-After %s: %s, want %s", tc.failures, tc.retryAfter, got, tc.want)
		}
		if got := delay(tc.failures, tc.retryAfter, all); got != tc.want+tc.want/4 {
			t.Errorf("%d failures with jitter: %s", tc.failures, got)
		}
	}
	total, attempts := time.Duration(0), 1
	for ; total+delay(attempts, 0, none) <= retryFor; attempts++ {
		total += delay(attempts, 0, none)
	}
	if attempts < 10 || total < 60*time.Hour {
		t.Errorf("%d attempts in %s", attempts, total)
	}
}
