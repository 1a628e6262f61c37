package stripegw

import (
	"cmp"
	"log/slog"
	"net/http"
	"strings"
	"sync"
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
	"github.com/stripe/stripe-go/v79/price"
	"github.com/stripe/stripe-go/v79/product"
	"github.com/stripe/stripe-go/v79/subscription"
	"github.com/stripe/stripe-go/v79/subscriptionitem"
	"github.com/stripe/stripe-go/v79/webhookendpoint"

	"usher/billing"
)

// maxNetworkRetries is how often stripe-go sends a request again, under the same idempotency key, after a connection error, a 409, a
// lock time-out or a 5xx that Stripe does not forbid to repeat.
const maxNetworkRetries = 2

// requestTimeout bounds one try of a call whose context has no nearer end; stripe-go's own default.
const requestTimeout = 80 * time.Second

// Options is what a [Gateway] is made of.
type Options struct {
	SecretKey string // sk_test_…, sk_live_… or a restricted rk_…
	APIBase   string // another base URL for every call; empty is Stripe's own
	// WebhookSecrets are the endpoint's current signing secrets, several while one is rolled. Empty ones are dropped: anybody can
	// sign with an empty secret. Without any, every event is refused.
	WebhookSecrets []string
	Log            *slog.Logger // stripe-go's messages arrive at debug level, bodies left out; nil discards them
	HTTPClient     *http.Client // nil is one of the gateway's own
}

// Gateway speaks to one Stripe account. It is safe for concurrent use.
type Gateway struct {
	backend        stripe.Backend
	key            string
	webhookSecrets []string
	account        atomic.Pointer[billing.StripeAccount] // nil until it was learned

	charges              charge.Client
	checkouts            checkoutsession.Client
	creditNotes          creditnote.Client
	customers            customer.Client
	disputes             dispute.Client
	events               event.Client
	invoices             invoice.Client
	portalConfigurations portalconfiguration.Client
	portalSessions       portalsession.Client
	prices               price.Client
	products             product.Client
	subscriptions        subscription.Client
	subscriptionItems    subscriptionitem.Client
	webhookEndpoints     webhookendpoint.Client

	portalMutex sync.Mutex
	portalIDs   map[string]string // portal configurations known to be usable, by the hash of their parameters
}

var _ billing.Gateway = (*Gateway)(nil)

// New makes a Gateway. It calls nothing: a wrong key shows at the first call.
func New(o Options) *Gateway {
	backend, key := newBackend(o), strings.TrimSpace(o.SecretKey)
	return &Gateway{
		backend:        backend,
		key:            key,
		webhookSecrets: usableSecrets(o.WebhookSecrets),
		portalIDs:      map[string]string{},

		charges:              charge.Client{B: backend, Key: key},
		checkouts:            checkoutsession.Client{B: backend, Key: key},
		creditNotes:          creditnote.Client{B: backend, Key: key},
		customers:            customer.Client{B: backend, Key: key},
		disputes:             dispute.Client{B: backend, Key: key},
		events:               event.Client{B: backend, Key: key},
		invoices:             invoice.Client{B: backend, Key: key},
		portalConfigurations: portalconfiguration.Client{B: backend, Key: key},
		portalSessions:       portalsession.Client{B: backend, Key: key},
		prices:               price.Client{B: backend, Key: key},
		products:             product.Client{B: backend, Key: key},
		subscriptions:        subscription.Client{B: backend, Key: key},
		subscriptionItems:    subscriptionitem.Client{B: backend, Key: key},
		webhookEndpoints:     webhookendpoint.Client{B: backend, Key: key},
	}
}

func newBackend(o Options) stripe.Backend {
	config := &stripe.BackendConfig{
		EnableTelemetry:   stripe.Bool(false),
		HTTPClient:        newHTTPClient(o.HTTPClient),
		LeveledLogger:     debugLog{cmp.Or(o.Log, slog.New(slog.DiscardHandler))},
		MaxNetworkRetries: stripe.Int64(maxNetworkRetries),
	}
	if o.APIBase != "" {
		config.URL = stripe.String(o.APIBase)
	}
	return stripe.GetBackendWithConfig(stripe.APIBackend, config)
}

// newHTTPClient returns a copy of the client given, or one of our own, whose exchanges are measured.
func newHTTPClient(given *http.Client) *http.Client {
	client := &http.Client{Timeout: requestTimeout}
	if given != nil {
		*client = *given
	}
	if client.Transport == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		// All calls go to one host, whose two idle connections by default would be closed and opened again under load.
		transport.MaxIdleConnsPerHost = 32
		client.Transport = transport
	}
	client.Transport = recordingTransport{client.Transport}
	return client
}
