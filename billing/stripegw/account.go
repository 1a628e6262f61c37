package stripegw

import (
	"context"
	"net/http"
	"strings"

	"github.com/stripe/stripe-go/v79"

	"usher/billing"
)

// Account tells whose keys these are. It asks Stripe once: a key never changes its account. The mode is read from the key, since
// Stripe's account object does not say it.
func (g *Gateway) Account(ctx context.Context) (billing.StripeAccount, error) {
	if known := g.account.Load(); known != nil {
		return *known, nil
	}
	found, x, err := call(ctx, "read account", g.fetchAccount)
	if err != nil {
		return billing.StripeAccount{}, err
	}
	if found.ID == "" {
		return billing.StripeAccount{}, invalidResponse(x, "the answer is no account")
	}
	acct := billing.StripeAccount{ID: found.ID, Livemode: strings.Contains(g.key, "_live_")}
	g.account.Store(&acct)
	return acct, nil
}

// fetchAccount calls the backend itself, because account.Client.Get takes no parameters and with them no context.
func (g *Gateway) fetchAccount(ctx context.Context) (*stripe.Account, error) {
	params, found := &stripe.AccountParams{}, &stripe.Account{}
	params.Context = ctx
	err := g.backend.Call(http.MethodGet, "/v1/account", g.key, params, found)
	return found, err
}

// cachedAccountID is the own account's id, empty until it was learned.
func (g *Gateway) cachedAccountID() string {
	if known := g.account.Load(); known != nil {
		return known.ID
	}
	return ""
}
