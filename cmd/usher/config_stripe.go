package main

import (
	"net"
	"net/url"
	"regexp"
	"strings"
)

// The shapes of what Stripe hands out (https://docs.stripe.com/keys, https://docs.stripe.com/webhooks/signature).
var (
	secretKey     = regexp.MustCompile(`^(sk|rk)_(test|live)_[A-Za-z0-9_]{4,}$`)
	webhookSecret = regexp.MustCompile(`^whsec_[A-Za-z0-9+/=_-]+$`)
)

const (
	keyMend    = "Copy the secret key (sk_test_… or sk_live_…) or a restricted one (rk_…) from Stripe's dashboard, Developers, API keys"
	secretMend = "Get one with `usher webhook setup`, or with `stripe listen --print-secret` on your own machine"
)

func (s *settings) readStripe(c *Config) {
	c.StripeKey = s.stripeKey("STRIPE_SECRET_KEY")
	c.StripeWebhookSecrets = s.webhookSecrets("STRIPE_WEBHOOK_SECRET")
	c.StripePriceID = s.priceID("STRIPE_PRICE_ID")
	c.StripeAPIBase = s.apiBase("STRIPE_API_BASE")
}

func (s *settings) stripeKey(variable string) string {
	value, ok := s.value(variable)
	switch {
	case !ok:
		return ""
	case strings.HasPrefix(value, "pk_"):
		s.mistakes.add(variable, value, "it is a publishable key, which browsers may know and which can do nothing here", keyMend)
	case strings.HasPrefix(value, "whsec_"):
		s.mistakes.add(variable, value, "it is a webhook secret, which belongs into STRIPE_WEBHOOK_SECRET", keyMend)
	case strings.Contains(value, "..") || strings.Contains(value, "…"):
		s.mistakes.add(variable, value, "it still has the dots of an example in it", keyMend)
	case !secretKey.MatchString(value):
		s.mistakes.add(variable, value, "it is no secret key of Stripe's", keyMend)
	default:
		return value
	}
	return ""
}

// webhookSecrets reads the secrets that verify. An empty one would verify whatever is signed with nothing, so empty items are dropped.
func (s *settings) webhookSecrets(variable string) []string {
	var secrets []string
	for _, secret := range s.list(variable) {
		switch {
		case strings.Contains(secret, "..") || strings.Contains(secret, "…"):
			s.mistakes.add(variable, secret, "it still has the dots of an example in it", secretMend)
		case !webhookSecret.MatchString(secret):
			s.mistakes.add(variable, secret, "it is no webhook secret of Stripe's, those begin whsec_", secretMend)
		case s.production && len(secret) < 24:
			s.mistakes.add(variable, secret, "it is too short to be one of Stripe's", secretMend)
		default:
			secrets = append(secrets, secret)
		}
	}
	return secrets
}

func (s *settings) priceID(variable string) string {
	const mend = "Copy the id of a price, price_…, from the product's page in Stripe's dashboard"
	value, ok := s.value(variable)
	switch {
	case !ok:
		return ""
	case strings.HasPrefix(value, "prod_"):
		s.mistakes.add(variable, value, "it is a product, not a price", mend)
	case strings.ContainsAny(value, ", \t…") || strings.Contains(value, ".."):
		s.mistakes.add(variable, value, "it is no price id", mend+"; for several plans write a plan file and set PLANS_FILE")
	default:
		return value
	}
	return ""
}

// apiBase reads where Stripe's API is. In production the key must travel under TLS and to another machine: a Stripe on loopback is
// one that moves no money.
func (s *settings) apiBase(variable string) string {
	u := s.webURL(variable, "https://api.stripe.com")
	switch {
	case u == nil:
		return ""
	case u.RawQuery != "":
		s.mistakes.add(variable, u.String(), "it has a query", "Leave out everything from ? on")
	case s.production && isLoopback(u):
		s.mistakes.add(variable, u.String(), "a Stripe on this machine cannot stand in for Stripe in production", "Leave it out")
	case s.production && u.Scheme != "https":
		s.mistakes.add(variable, u.String(), "the secret key would travel in the clear", "Use https")
	default:
		return strings.TrimRight(u.String(), "/")
	}
	return ""
}

func isLoopback(u *url.URL) bool {
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && (ip.IsLoopback() || ip.IsUnspecified())
}

// readBillingURLs keeps the text as it was written: braces must not be escaped.
func (s *settings) readBillingURLs(c *Config) {
	const example = "https://app.example.com/organization?tab=billing"
	read := func(variable string, field *string) {
		if s.webURL(variable, example) != nil {
			*field, _ = s.value(variable)
		}
	}
	read("BILLING_SUCCESS_URL", &c.SuccessURL)
	read("BILLING_CANCEL_URL", &c.CancelURL)
	read("BILLING_RETURN_URL", &c.ReturnURL)
}
