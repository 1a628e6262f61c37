// Package oidc authenticates people at an OpenID provider: the authorization code flow with PKCE
// (OpenID Connect Core 1.0, section 3.1; RFC 7636; RFC 9700). It is the only importer of go-oidc
// and oauth2, and decides nothing about accounts: package account does.
package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"usher/billing/account"
)

// Limits of the calls to the provider.
const (
	callTimeout = 5 * time.Second
	maxAnswer   = 1 << 20 // bytes
	// discoveryLifetime is how long the provider's metadata is used. Its keys are read again when a
	// token has an unknown one.
	discoveryLifetime = time.Hour
	// clockSkew is the tolerated difference to the provider's clock for the time of an
	// authentication.
	clockSkew = time.Minute
)

// Errors of a [Provider].
var (
	// ErrUnavailable tells that the provider did not answer as it should. Later it may.
	ErrUnavailable = errors.New("the identity provider is unavailable")
	// ErrRefused tells that the provider's answer proves nothing.
	ErrRefused = errors.New("the answer of the identity provider was refused")
	// ErrNotFresh tells that a new authentication was asked for and the provider does not say that
	// there was one.
	ErrNotFresh = errors.New("the identity provider confirms no new authentication")
)

// Options configure a [Provider].
type Options struct {
	Issuer       string // as in its metadata, without a change
	ClientID     string
	ClientSecret string
	RedirectURL  string           // registered at the provider
	Now          func() time.Time // nil: time.Now
}

// Provider is an OpenID provider. It is safe for concurrent use.
type Provider struct {
	Options
	client    *http.Client
	discovery chan *metadata // holds the metadata; empty while somebody reads it
}

// metadata is what discovery has found.
type metadata struct {
	provider *gooidc.Provider // nil: nothing yet
	oauth    oauth2.Config
	readAt   time.Time
}

// New returns a provider. It calls nobody: discovery happens when it is first needed, so that
// passwords work while the provider is away.
func New(o Options) *Provider {
	if o.Now == nil {
		o.Now = time.Now
	}
	client := &http.Client{
		Timeout: callTimeout, Transport: limitedTransport{http.DefaultTransport},
		// A redirect could carry the client secret elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	p := &Provider{Options: o, client: client, discovery: make(chan *metadata, 1)}
	p.discovery <- &metadata{}
	return p
}

// limitedTransport bounds the size of answers.
type limitedTransport struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (t limitedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = http.MaxBytesReader(nil, response.Body, maxAnswer)
	return response, nil
}

// Host names the provider to people.
func (p *Provider) Host() string { return account.IssuerHost(p.Issuer) }

// Flow is one round to the provider and back. The caller keeps it in the browser's session.
type Flow struct {
	State     string    `json:"state"`
	Nonce     string    `json:"nonce"`
	Verifier  string    `json:"verifier"` // of PKCE
	StartedAt time.Time `json:"startedAt"`
	// Fresh asks the provider to authenticate the person anew.
	Fresh bool `json:"fresh,omitempty"`
}

// NewFlow returns a flow with random values of 256 bits each.
func (p *Provider) NewFlow(fresh bool) Flow {
	return Flow{
		State: oauth2.GenerateVerifier(), Nonce: oauth2.GenerateVerifier(), Verifier: oauth2.GenerateVerifier(),
		StartedAt: p.Now(), Fresh: fresh,
	}
}

// Begin returns the provider's page for a flow. Error: [ErrUnavailable].
func (p *Provider) Begin(ctx context.Context, f Flow) (string, error) {
	found, err := p.discover(ctx)
	if err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{gooidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)}
	if f.Fresh {
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0"))
	}
	return found.oauth.AuthCodeURL(f.State, options...), nil
}

// Finish exchanges the code of a flow for what the provider says about the person. Errors:
// [ErrUnavailable], [ErrRefused], [ErrNotFresh].
func (p *Provider) Finish(ctx context.Context, f Flow, code string) (account.Assertion, error) {
	found, err := p.discover(ctx)
	if err != nil {
		return account.Assertion{}, err
	}
	ctx, cancel := context.WithTimeout(gooidc.ClientContext(ctx, p.client), 2*callTimeout)
	defer cancel()
	token, err := found.oauth.Exchange(ctx, code, oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return account.Assertion{}, exchangeError(err)
	}
	raw, _ := token.Extra("id_token").(string)
	idToken, err := found.provider.Verifier(&gooidc.Config{ClientID: p.ClientID, Now: p.Now}).Verify(ctx, raw)
	if err != nil {
		return account.Assertion{}, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	said, err := p.checkClaims(idToken, f)
	if err != nil {
		return account.Assertion{}, err
	}
	found.addUserInfo(ctx, &said, idToken.Subject, token)
	return said.assertion(p.Issuer, idToken.Subject), nil
}

// exchangeError tells an answer of the provider (RFC 6749, section 5.2) from a provider that gives
// none.
func exchangeError(err error) error {
	var answer *oauth2.RetrieveError
	if errors.As(err, &answer) && answer.Response != nil && answer.Response.StatusCode < http.StatusInternalServerError {
		return fmt.Errorf("%w: exchange of the code: %s", ErrRefused, answer.ErrorCode)
	}
	return fmt.Errorf("%w: exchange of the code: %w", ErrUnavailable, err)
}

// Check reads the metadata again, for `usher doctor`.
func (p *Provider) Check(ctx context.Context) error {
	_, err := p.read(ctx)
	return err
}

// discover returns the metadata, which it reads if there is none or it is old. One caller reads;
// the others wait for it. Old metadata is used while the provider is away.
func (p *Provider) discover(ctx context.Context) (*metadata, error) {
	var known *metadata
	select {
	case known = <-p.discovery:
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
	defer func() { p.discovery <- known }()
	if known.provider != nil && p.Now().Sub(known.readAt) < discoveryLifetime {
		return known, nil
	}
	found, err := p.read(ctx)
	switch {
	case err == nil:
		known = found
	case known.provider == nil:
		return nil, err
	}
	return known, nil
}

// read reads the metadata. go-oidc compares its issuer with the configured one.
func (p *Provider) read(ctx context.Context) (*metadata, error) {
	ctx, cancel := context.WithTimeout(gooidc.ClientContext(ctx, p.client), callTimeout)
	defer cancel()
	provider, err := gooidc.NewProvider(ctx, p.Issuer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	var more struct {
		AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := provider.Claims(&more); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	endpoint := provider.Endpoint()
	if !p.trusts(endpoint.AuthURL) || !p.trusts(endpoint.TokenURL) {
		return nil, fmt.Errorf("%w: its metadata names an endpoint that is not https", ErrUnavailable)
	}
	endpoint.AuthStyle = authStyle(more.AuthMethods)
	return &metadata{provider: provider, readAt: p.Now(), oauth: oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: endpoint, RedirectURL: p.RedirectURL,
		Scopes: []string{gooidc.ScopeOpenID, "email", "profile"},
	}}, nil
}

// trusts reports whether an endpoint has the scheme of the issuer: https, except in development.
func (p *Provider) trusts(endpoint string) bool {
	issuer, err := url.Parse(p.Issuer)
	if err != nil {
		return false
	}
	u, err := url.Parse(endpoint)
	return err == nil && u.Scheme == issuer.Scheme && u.Host != ""
}

// authStyle returns how the client authenticates. Trying both ways, as oauth2 does by default,
// would use up the code. Without a list, it is client_secret_basic (OpenID Connect Discovery 1.0,
// section 3).
func authStyle(methods []string) oauth2.AuthStyle {
	listed := " " + strings.Join(methods, " ") + " "
	if len(methods) > 0 && !strings.Contains(listed, " client_secret_basic ") && strings.Contains(listed, " client_secret_post ") {
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader
}
