package stripelocal

import (
	"net/http"
	"slices"
	"strings"

	"usher/stripelocal/wire"
)

// ephemeralKeyLifetime is how long an ephemeral key is valid, in seconds (recorded in public
// repositories: an hour).
const ephemeralKeyLifetime = 60 * 60

// EphemeralKey is an API key by which a mobile SDK acts for one customer.
type EphemeralKey struct {
	Base
	Customer string
	Expires  int64
	Secret   string
}

// ephemeralKeys serves /v1/ephemeral_keys and checks the keys.
type ephemeralKeys struct{ *request }

func ephemeralKeyResource() resource {
	return resource{
		objectType: "ephemeral_key",
		routes: []route{
			on("POST /v1/ephemeral_keys", "customer!", ephemeralKeys.create),
			on("DELETE /v1/ephemeral_keys/{id}", "", ephemeralKeys.delete),
		},
	}
}

// create requires the header Stripe-Version, which here is that of the mobile SDK (stripe-node
// issue 2351; the wording is inferred).
func (h ephemeralKeys) create(in *input) (any, error) {
	if in.req.Header.Get("Stripe-Version") == "" {
		return nil, wire.Invalid("", "", "You must provide the header Stripe-Version to create an ephemeral key: the API version of the mobile SDK that uses the key.")
	}
	c, err := h.customers.fromParam(in.Params, "customer")
	if err != nil {
		return nil, err
	}
	for _, x := range slices.Clone(h.store.EphemeralKeys.all) {
		if h.now >= x.Expires {
			h.store.EphemeralKeys.remove(x.ID)
		}
	}
	secret := "ek_test_"
	if h.name != "" {
		secret += "acct_" + h.name + "_"
	}
	x := &EphemeralKey{Base: Base{ID: h.ids.longID("ephkey_1"), Created: h.now}, Customer: c.ID, Expires: h.now + ephemeralKeyLifetime, Secret: secret + h.ids.token(60)}
	h.store.EphemeralKeys.insert(x)
	o := x.render()
	o["secret"] = x.Secret
	return o, nil
}

// delete ends a key at once.
func (h ephemeralKeys) delete(in *input) (any, error) {
	x, ok := h.store.EphemeralKeys.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("ephemeral key", in.pathValue("id"), "key")
	}
	x.Expires = min(x.Expires, h.now)
	h.store.EphemeralKeys.remove(x.ID)
	return x.render(), nil
}

func (x *EphemeralKey) render() wire.Object {
	return wire.Object{"id": x.ID, "object": "ephemeral_key", "created": x.Created, "expires": x.Expires, "livemode": false}
}

// checkEphemeralKey checks that a key exists and has not expired.
func (s *Server) checkEphemeralKey(key string) *wire.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.IndexFunc(s.store.EphemeralKeys.all, func(x *EphemeralKey) bool { return x.Secret == key })
	switch {
	case at < 0:
		return wire.Unauthorized("Invalid API Key provided: " + maskAPIKey(key))
	case s.clock() >= s.store.EphemeralKeys.all[at].Expires:
		return wire.Unauthorized("Expired API Key provided: " + maskAPIKey(key))
	}
	return nil
}

// checkScope refuses a call with an ephemeral key that is not about the key's customer and their
// payment methods (which calls Stripe allows, and the wording: inferred).
func (h ephemeralKeys) checkScope(c apiCall, in *input) error {
	key := apiKey(c.req)
	at := slices.IndexFunc(h.store.EphemeralKeys.all, func(x *EphemeralKey) bool { return x.Secret == key })
	if !isEphemeralKey(key) || at >= 0 && h.isAbout(c.route.pattern, in, h.store.EphemeralKeys.all[at].Customer) {
		return nil
	}
	refusal := wire.Unauthorized("The provided key '" + maskAPIKey(key) + "' does not have the required permissions for this endpoint.")
	refusal.Status = http.StatusForbidden
	return refusal
}

func (h ephemeralKeys) isAbout(pattern string, in *input, customer string) bool {
	switch pattern {
	case "GET /v1/customers/{id}", "POST /v1/customers/{id}", "GET /v1/customers/{id}/payment_methods", "POST /v1/customers/{id}/sources", "DELETE /v1/customers/{id}/sources/{source}":
		return in.pathValue("id") == customer
	case "GET /v1/payment_methods":
		return in.String("customer") == customer
	case "POST /v1/payment_methods/{id}/attach", "POST /v1/payment_methods/{id}/detach", "POST /v1/payment_methods/{id}":
		pm, ok := h.store.PaymentMethods.get(in.pathValue("id"))
		return ok && pm.Customer == customer || in.String("customer") == customer
	}
	return false
}

func isEphemeralKey(key string) bool { return strings.HasPrefix(key, "ek_test_") }

// hasMobileVersion reports whether the version of a call is that of a mobile SDK, which may be
// older than those that this package has. The response then is of APIVersion.
func (c apiCall) hasMobileVersion() bool {
	return (isEphemeralKey(apiKey(c.req)) || c.route.pattern == "POST /v1/ephemeral_keys") && versionPattern.MatchString(c.req.Header.Get("Stripe-Version"))
}
