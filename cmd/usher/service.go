package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"strings"
	"time"

	"usher/billing"
	"usher/billing/account/dns"
	"usher/billing/catalog"
	"usher/billing/mail"
	"usher/billing/secrets"
	"usher/billing/stripegw"
	"usher/billing/webhook/sender"
	"usher/db"
	mailviews "usher/views/mail"
)

// withService calls do with a service on the same database and Stripe as `usher serve`: the
// configured ones, or those of a development server that runs on the same DATA_DIR.
func withService(
	ctx context.Context, inv *invocation, do func(*billing.Service) error,
) (err error) {
	var closers closers
	defer func() { err = errors.Join(err, closers.close()) }()
	service, err := openService(ctx, inv, &closers)
	if err != nil {
		return err
	}
	return do(service)
}

func openService(ctx context.Context, inv *invocation, closers *closers) (*billing.Service, error) {
	config, err := loadConfig(inv.getenv, dotenvFile)
	if err != nil {
		return nil, err
	}
	plans, err := config.catalog()
	if err != nil {
		return nil, err
	}
	dsn, err := findDatabase(config)
	if err != nil {
		return nil, err
	}
	store, err := openStore(ctx, config, dsn, closers)
	if err != nil {
		return nil, err
	}
	var local *localStripe
	if config.StripeKey == "" {
		if local, err = findLocalStripe(ctx, config); err != nil {
			return nil, err
		}
	}
	keyring, err := config.keyring()
	if err != nil {
		return nil, err
	}
	log := newLogger(inv.stderr, config)
	service := newService(config, local, store, newGateway(config, local, log, nil), plans, nil, keyring, log, nil)
	return service, service.Prices.Start(ctx)
}

// newGateway returns a client for the configured Stripe account, or for the local Stripe. observe,
// if not nil, is called after each request.
func newGateway(c Config, local *localStripe, log *slog.Logger, observe func(stripegw.Attempt)) *stripegw.Gateway {
	o := stripegw.Options{
		SecretKey: c.StripeKey, APIBase: c.StripeAPIBase, TermsURL: c.Brand.TermsURL, PrivacyURL: c.Brand.PrivacyURL,
		WebhookSecrets: c.StripeWebhookSecrets, Log: log, Observe: observe,
	}
	if local != nil {
		o.SecretKey, o.APIBase, o.WebhookSecrets = localStripeKey, local.apiBase, local.webhookSecrets
	}
	return stripegw.New(o)
}

// stripeLimit and hashMemory are those of [billing.Options]. Only tests change them: the local
// Stripe of a busy machine answers late, and to hash the passwords of the demo is half of a start.
var (
	stripeLimit time.Duration
	hashMemory  uint32 // KiB
)

// newService wires a service. With a local Stripe, both have one clock: advancing that of the local
// Stripe also makes the service's own work due.
func newService(
	c Config, local *localStripe, store *db.Store, gateway billing.Gateway,
	plans catalog.Catalog, mailer mail.Sender, keyring *secrets.Keyring, log *slog.Logger,
	observeWebhook func(outcome string),
) *billing.Service {
	var now func() time.Time // nil: the real time
	key := c.StripeKey
	if local != nil {
		now, key = local.now, localStripeKey+c.DataDir
	}
	return billing.New(billing.Options{
		Store: store, Gateway: gateway, Catalog: plans, Log: log, Now: now,
		Renderer: mailviews.Renderer{Brand: c.Brand}, Mailer: mailer, BaseURL: c.BaseURL.String(), Product: c.Brand.Name,
		StripeLimit: stripeLimit, HashMemory: hashMemory, SuccessURL: c.SuccessURL, CancelURL: c.CancelURL, ReturnURL: c.ReturnURL,
		AllowedOrigins: c.origins(), OperatorEmails: c.OperatorEmails, Livemode: strings.Contains(c.StripeKey, "_live_"),
		KeyFingerprint: fingerprint(key), Secrets: keyring, SignIn: c.SignIn, Resolver: dns.New(net.DefaultResolver), HandoverKeys: c.HandoverKeys,
		WebhookClient: sender.New(sender.Options{AllowPrivate: !c.Production, Version: readVersion().Version}), WebhookObserve: observeWebhook,
		PublicWebhooksOnly: c.Production,
	})
}

// fingerprint identifies a secret key without revealing it. Stored fingerprints depend on its text
// and length.
func fingerprint(key string) string {
	sum := sha256.Sum256([]byte("usher key fingerprint " + key))
	return hex.EncodeToString(sum[:12])
}
