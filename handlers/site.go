package handlers

import (
	"log/slog"
	"net/url"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/account/oidc"
	webhooks "usher/billing/webhook"
	"usher/views/brand"
	"usher/views/ui"
)

// site is what the areas share: the session, the page layout, error responses, the clock and the
// log.
type site struct {
	sessions      *sessionManager
	devices       *deviceCookies
	organizations *account.Organizations
	memberships   *account.Members // for error pages, see helpers
	// webhookEndpoints says whether a webhook was turned off.
	webhookEndpoints *webhooks.Endpoints
	baseURL          *url.URL
	development      bool
	remark           string
	links            []ui.LinkButtonProps
	brand            brand.Brand
	now              func() time.Time
	log              *slog.Logger
	security         *securityLog
	answerTimeout    time.Duration // see await
	secondFactor     account.SecondFactorPolicy
	// hostedOrigins are the origins of hosted pages besides Stripe's own, see redirectToStripe.
	hostedOrigins []string
	embedOrigins  []string       // whose pages may show Usher in a frame
	provider      *oidc.Provider // nil: there is none
	identities    *account.Identities
	signInPolicy  account.SignInPolicy
	reads         func() *billing.Service // see Options
}

func newSite(o Options) *site {
	return &site{
		sessions:         newSessionManager(o),
		devices:          newDeviceCookies(o),
		organizations:    o.Billing.Organizations,
		memberships:      o.Billing.Members,
		webhookEndpoints: o.Billing.Webhooks,
		baseURL:          o.BaseURL,
		development:      o.Development,
		remark:           o.Remark,
		links:            o.Links,
		brand:            o.Brand,
		now:              o.Now,
		log:              o.Log,
		security:         newSecurityLog(o.Log),
		answerTimeout:    answerTimeout,
		secondFactor:     o.SecondFactor,
		hostedOrigins:    o.CheckoutOrigins,
		embedOrigins:     o.EmbedOrigins,
		provider:         o.Provider,
		identities:       o.Billing.Identities,
		signInPolicy:     o.Billing.SignInPolicy,
		reads:            o.Reads,
	}
}
