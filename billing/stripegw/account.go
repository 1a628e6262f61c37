package stripegw

import (
	"context"
	"net/http"
	"strings"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
)

// Account returns the account of the secret key, fetched once: a key never changes its account. The
// mode is read from the key, since Stripe's account object does not contain it.
func (g *Gateway) Account(ctx context.Context) (billing.StripeAccount, error) {
	if known := g.account.Load(); known != nil {
		return *known, nil
	}
	found, info, err := call(ctx, "read account", g.fetchAccount)
	if err != nil {
		return billing.StripeAccount{}, err
	}
	if found.ID == "" {
		return billing.StripeAccount{}, invalidResponse(info, "the response is no account")
	}
	acct := billing.StripeAccount{ID: found.ID, Livemode: strings.Contains(g.key, "_live_")}
	g.account.Store(&acct)
	return acct, nil
}

// fetchAccount calls the backend directly, because account.Client.Get accepts no parameters and
// therefore no context.
func (g *Gateway) fetchAccount(ctx context.Context) (*stripe.Account, error) {
	params, found := &stripe.AccountParams{}, &stripe.Account{}
	params.Context = ctx
	err := g.backend.Call(http.MethodGet, "/v1/account", g.key, params, found)
	return found, err
}

// cachedAccountID returns the account's id, empty until it was fetched.
func (g *Gateway) cachedAccountID() string {
	if known := g.account.Load(); known != nil {
		return known.ID
	}
	return ""
}
