package stripegw

import (
	"cmp"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stripe/stripe-go/v79"
	portalconfiguration "github.com/stripe/stripe-go/v79/billingportal/configuration"
	portalsession "github.com/stripe/stripe-go/v79/billingportal/session"
	"github.com/stripe/stripe-go/v79/charge"
	checkoutsession "github.com/stripe/stripe-go/v79/checkout/session"
	"github.com/stripe/stripe-go/v79/creditnote"
	"github.com/stripe/stripe-go/v79/customer"
	"github.com/stripe/stripe-go/v79/dispute"
	"github.com/stripe/stripe-go/v79/event"
	"github.com/stripe/stripe-go/v79/invoice"
	"github.com/stripe/stripe-go/v79/invoiceitem"
	"github.com/stripe/stripe-go/v79/price"
	"github.com/stripe/stripe-go/v79/product"
	"github.com/stripe/stripe-go/v79/promotioncode"
	"github.com/stripe/stripe-go/v79/refund"
	"github.com/stripe/stripe-go/v79/subscription"
	"github.com/stripe/stripe-go/v79/subscriptionitem"
	"github.com/stripe/stripe-go/v79/subscriptionschedule"
	"github.com/stripe/stripe-go/v79/tax/settings"
	"github.com/stripe/stripe-go/v79/webhookendpoint"

	"usher/billing"
)

// maxNetworkRetries is the maximum number of retries by stripe-go, with the same idempotency key,
// after a connection error, a 409, a lock timeout, or a 5xx unless Stripe-Should-Retry is false.
const maxNetworkRetries = 2

// requestTimeout bounds one attempt of a call whose context ends later; stripe-go's default.
const requestTimeout = 80 * time.Second

// Options configure a [Gateway].
type Options struct {
	SecretKey string // sk_test_…, sk_live_… or a restricted rk_…
	APIBase   string // base URL for every call; empty: Stripe's
	// WebhookSecrets are the endpoint's current signing secrets, several during a rotation. Empty
	// ones are ignored, since anybody can sign with an empty secret. Without any, every event is
	// rejected.
	WebhookSecrets []string
	// Receives stripe-go's messages at debug level, without bodies; nil: none.
	Log        *slog.Logger
	HTTPClient *http.Client // nil: a client of the gateway's own
	// TermsURL and PrivacyURL are the adopter's, for the portal; empty: those of the account.
	TermsURL, PrivacyURL string
	Observe              func(Attempt) // called after each request, by several goroutines; may be nil
}

// Gateway calls the API of one Stripe account. It is safe for concurrent use.
type Gateway struct {
	*client
	*priceCalls
	*previewCalls
	*portalCalls
	*endpointCalls
	webhookSecrets []string
}

// client has what all calls share: the account's key, and a client of stripe-go per resource.
type client struct {
	backend stripe.Backend
	key     string
	account atomic.Pointer[billing.StripeAccount] // nil until fetched

	charges              charge.Client
	checkouts            checkoutsession.Client
	creditNotes          creditnote.Client
	customers            customer.Client
	disputes             dispute.Client
	events               event.Client
	invoices             invoice.Client
	invoiceItems         invoiceitem.Client
	portalConfigurations portalconfiguration.Client
	portalSessions       portalsession.Client
	prices               price.Client
	products             product.Client
	promotionCodes       promotioncode.Client
	refunds              refund.Client
	subscriptions        subscription.Client
	subscriptionItems    subscriptionitem.Client
	taxSettings          settings.Client
	schedules            subscriptionschedule.Client
	webhookEndpoints     webhookendpoint.Client
}

// priceCalls read prices and push those of the plan file.
type priceCalls struct{ *client }

// previewCalls preview invoices that Stripe does not create.
type previewCalls struct{ *client }

// endpointCalls set webhook endpoints up.
type endpointCalls struct{ *client }

var _ billing.Gateway = (*Gateway)(nil)

// New returns a Gateway. It makes no call, so an invalid key causes an error at the first one.
func New(o Options) *Gateway {
	shared := newClient(o)
	prices := &priceCalls{shared}
	return &Gateway{
		client: shared, priceCalls: prices, previewCalls: &previewCalls{shared}, portalCalls: newPortalCalls(shared, prices, o),
		endpointCalls: &endpointCalls{shared}, webhookSecrets: usableSecrets(o.WebhookSecrets),
	}
}

func newClient(o Options) *client {
	backend, key := newBackend(o), strings.TrimSpace(o.SecretKey)
	return &client{
		backend: backend,
		key:     key,

		charges:              charge.Client{B: backend, Key: key},
		checkouts:            checkoutsession.Client{B: backend, Key: key},
		creditNotes:          creditnote.Client{B: backend, Key: key},
		customers:            customer.Client{B: backend, Key: key},
		disputes:             dispute.Client{B: backend, Key: key},
		events:               event.Client{B: backend, Key: key},
		invoices:             invoice.Client{B: backend, Key: key},
		invoiceItems:         invoiceitem.Client{B: backend, Key: key},
		portalConfigurations: portalconfiguration.Client{B: backend, Key: key},
		portalSessions:       portalsession.Client{B: backend, Key: key},
		prices:               price.Client{B: backend, Key: key},
		products:             product.Client{B: backend, Key: key},
		promotionCodes:       promotioncode.Client{B: backend, Key: key},
		refunds:              refund.Client{B: backend, Key: key},
		subscriptions:        subscription.Client{B: backend, Key: key},
		subscriptionItems:    subscriptionitem.Client{B: backend, Key: key},
		taxSettings:          settings.Client{B: backend, Key: key},
		schedules:            subscriptionschedule.Client{B: backend, Key: key},
		webhookEndpoints:     webhookendpoint.Client{B: backend, Key: key},
	}
}

func newBackend(o Options) stripe.Backend {
	config := &stripe.BackendConfig{
		EnableTelemetry:   stripe.Bool(false),
		HTTPClient:        newHTTPClient(o.HTTPClient, o.Observe),
		LeveledLogger:     debugLog{cmp.Or(o.Log, slog.New(slog.DiscardHandler))},
		MaxNetworkRetries: stripe.Int64(maxNetworkRetries),
	}
	if o.APIBase != "" {
		config.URL = stripe.String(o.APIBase)
	}
	return stripe.GetBackendWithConfig(stripe.APIBackend, config)
}

// newHTTPClient returns a copy of the given client, or a new one, with a [recordingTransport].
func newHTTPClient(given *http.Client, observe func(Attempt)) *http.Client {
	client := &http.Client{Timeout: requestTimeout}
	if given != nil {
		*client = *given
	}
	if client.Transport == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		// All calls have one host, and the default of two idle connections would be reopened under
		// load.
		transport.MaxIdleConnsPerHost = 32
		client.Transport = transport
	}
	client.Transport = recordingTransport{client.Transport, observe}
	// Stripe's API does not redirect. Following would send the parameters to wherever the response
	// says; not followed, its body is no object of the API, which is an error.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client
}
