package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"usher/billing/account"
	"usher/billing/account/oidc"
	"usher/billing/catalog"
	"usher/db"
)

// loadServeConfig reads the configuration and the plan file, and requires them to be complete. Only
// serve does that. The error reports everything at once, one line each.
func loadServeConfig(getenv func(string) string, dotenv string) (Config, catalog.Catalog, error) {
	config, errs := readConfig(getenv, dotenv)
	plans, err := config.catalog()
	_, _, brandErr := config.brandWithFiles()
	return config, plans, errors.Join(append(errs, config.checkComplete(), config.checkSignIn(), err, brandErr)...)
}

// checkComplete returns an error with one line for each variable that serve requires and that is
// unset. Development requires only the webhook secret of a configured Stripe account.
func (c Config) checkComplete() error {
	switch {
	case c.Production:
		return c.require("required in production", "BASE_URL", "DATABASE_URL", "STRIPE_SECRET_KEY",
			"STRIPE_WEBHOOK_SECRET", "SMTP_URL", "SECRETS_KEY")
	case c.set["STRIPE_SECRET_KEY"]:
		return c.require("required with STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET")
	}
	return nil
}

// checkSignIn returns an error with one line for each variable that the identity provider lacks,
// and for passwords that are off without one: nobody could sign in.
func (c Config) checkSignIn() error {
	names := []string{"OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET"}
	for _, name := range names {
		if c.set[name] {
			return c.require("required with "+name, names...)
		}
	}
	if c.set["EMBED_ORIGINS"] {
		if err := c.require("required with EMBED_ORIGINS", "HANDOVER_KEY"); err != nil {
			return err
		}
	}
	if c.SignIn.PasswordsOff {
		return c.require("required with PASSWORD_LOGIN=off", names...)
	}
	return nil
}

// identityProvider returns the OpenID provider; nil: there is none.
func (c Config) identityProvider() *oidc.Provider {
	if c.SignIn.Issuer == "" {
		return nil
	}
	return oidc.New(oidc.Options{
		Issuer: c.SignIn.Issuer, ClientID: c.OIDCClientID, ClientSecret: c.OIDCSecret, RedirectURL: c.BaseURL.String() + "/login/oidc/callback",
	})
}

// require returns an error with one line for each of the variables that is unset.
func (c Config) require(reason string, names ...string) error {
	var errs []error
	for _, name := range names {
		if !c.set[name] {
			errs = append(errs, fmt.Errorf("%s: unset, but %s. %s", name, reason, remedies[name]))
		}
	}
	return errors.Join(errs...)
}

// catalog returns the plans of the plan file, of the one configured price, or the built-in ones.
func (c Config) catalog() (catalog.Catalog, error) {
	switch {
	case c.PlansFile == "" && c.StripePriceID != "":
		return catalog.SinglePrice(c.StripePriceID), nil
	case c.PlansFile == "":
		return catalog.BuiltInPlans(), nil
	}
	data, err := os.ReadFile(c.PlansFile)
	if err != nil {
		return catalog.Catalog{}, fmt.Errorf("PLANS_FILE: %w. %s", err, remedies["PLANS_FILE"])
	}
	plans, err := catalog.ParsePlans(c.PlansFile, data)
	if err != nil {
		err = fmt.Errorf("PLANS_FILE=%q: invalid plan file:\n%w", c.PlansFile, err)
	}
	return plans, err
}

// warnings describes combinations that are allowed but probably not intended.
func (c Config) warnings() (warnings []string) {
	test, live := strings.Contains(c.StripeKey, "_test_"), strings.Contains(c.StripeKey, "_live_")
	local, planFile, price := c.StripeKey == "", c.PlansFile != "", c.StripePriceID != ""
	for _, w := range []check{
		{c.Production && test, "STRIPE_SECRET_KEY is a test key in production: no money moves."},
		{!c.Production && live, "STRIPE_SECRET_KEY is a live key in development: real money moves."},
		{c.Production && !planFile && !price,
			"PLANS_FILE is unset: the built-in example plans are for sale."},
		{planFile && price, "STRIPE_PRICE_ID has no effect: PLANS_FILE is the catalog."},
		{local && !planFile && price,
			"STRIPE_PRICE_ID is read from the local Stripe: STRIPE_SECRET_KEY is unset."},
		{c.sharesLimits(), "TRUSTED_PROXIES is unset: all clients behind the proxy that ends TLS share its rate limits, and one of them can use them up."},
		{c.Production && db.ServerUnverified(c.DatabaseURL), "DATABASE_URL does not verify the server: whoever can redirect its connections reads the password and the data. Use sslmode=verify-full with sslrootcert, unless the network is private to both."},
		{!c.Production && !c.onLoopback(), "ADDR is reachable from other machines in development: whoever reaches it can read /dev/mail and log in as the demo accounts."},
		{local && c.StripeAPIBase != "", "STRIPE_API_BASE has no effect: STRIPE_SECRET_KEY is unset."},
		{c.Production && c.Require2FA == account.SecondFactorOptional, "REQUIRE_2FA is off: operators may sign in with a password alone."},
	} {
		if w.applies {
			warnings = append(warnings, w.message)
		}
	}
	return warnings
}

// sharesLimits reports whether rate limits can't tell clients apart. In production TLS ends at a
// proxy, so that every request comes from its address.
func (c Config) sharesLimits() bool {
	return c.Production && c.RateLimits && len(c.TrustedProxies) == 0
}

// onLoopback reports whether only this machine reaches the server.
func (c Config) onLoopback() bool {
	host, _, _ := net.SplitHostPort(c.Addr)
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
