package oidc_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"usher/billing/account/oidc"
	"usher/billing/account/oidc/oidctest"
)

func client(issuer string, now func() time.Time) *oidc.Provider {
	return oidc.New(oidc.Options{
		Issuer: issuer, ClientID: oidctest.ClientID, ClientSecret: oidctest.ClientSecret, RedirectURL: "http://localhost/login/oidc/callback", Now: now,
	})
}

// A server cannot pass for another issuer by its metadata (OWASP ASVS 5.0.0, 10.5.3).
func TestMetadataOfAnotherIssuerIsRefused(t *testing.T) {
	t.Parallel()
	issuer, tokens := "", "http://localhost/token"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{
			"issuer": issuer, "authorization_endpoint": "http://" + r.Host + "/authorize", "token_endpoint": tokens,
		})
	}))
	defer server.Close()
	for _, issuer = range []string{"https://accounts.example.com", server.URL + "/", ""} {
		provider := client(server.URL, nil)
		if _, err := provider.Begin(t.Context(), provider.NewFlow(false)); !errors.Is(err, oidc.ErrUnavailable) {
			t.Errorf("issuer %q: %v", issuer, err)
		}
	}
	issuer = server.URL
	for endpoint, refused := range map[string]bool{"javascript:alert(1)": true, "": true, "http://localhost/token": false} {
		tokens = endpoint
		provider := client(server.URL, nil)
		if _, err := provider.Begin(t.Context(), provider.NewFlow(false)); (err != nil) != refused {
			t.Errorf("token endpoint %q: %v", endpoint, err)
		}
	}
}

// Neither redirects nor endless answers of a provider are followed.
func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/elsewhere" {
				http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
				return
			}
			t.Error("the redirect was followed")
		},
		"endless": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		},
	} {
		server := httptest.NewServer(answer)
		if err := client(server.URL, nil).Check(t.Context()); !errors.Is(err, oidc.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
		server.CloseClientConnections()
		server.Close()
	}
}

// Metadata is read when it is first needed, and used on while the provider is away.
func TestDiscoveryIsRepeated(t *testing.T) {
	t.Parallel()
	server := oidctest.New(t)
	var ahead atomic.Int64
	provider := client(server.URL, func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
	server.Away(true)
	begin := func() error {
		_, err := provider.Begin(t.Context(), provider.NewFlow(false))
		return err
	}
	if err := begin(); !errors.Is(err, oidc.ErrUnavailable) {
		t.Errorf("while it is away: %v", err)
	}
	server.Away(false)
	if err := begin(); err != nil {
		t.Fatal(err)
	}
	server.Away(true)
	for _, age := range []time.Duration{0, 2 * time.Hour} {
		ahead.Store(int64(age))
		if err := begin(); err != nil {
			t.Errorf("after %s: %v", age, err)
		}
	}
	if err := provider.Check(t.Context()); err == nil {
		t.Error("the doctor sees no problem")
	}
}

// A code is worth nothing without the verifier of the flow that it was issued for.
func TestCodeNeedsItsVerifier(t *testing.T) {
	t.Parallel()
	server := oidctest.New(t)
	server.SignIn(oidctest.Person{Subject: "noa", Email: "noa@example.com", Verified: true})
	provider := client(server.URL, nil)
	round := func(change func(*oidc.Flow)) error {
		flow := provider.NewFlow(false)
		address, err := provider.Begin(t.Context(), flow)
		if err != nil {
			t.Fatal(err)
		}
		back, err := server.Approve(query(t, address), true)
		if err != nil {
			t.Fatal(err)
		}
		change(&flow)
		_, err = provider.Finish(t.Context(), flow, query(t, back).Get("code"))
		return err
	}
	if err := round(func(f *oidc.Flow) { f.Verifier = provider.NewFlow(false).Verifier }); !errors.Is(err, oidc.ErrRefused) {
		t.Errorf("with another verifier: %v", err)
	}
	if err := round(func(f *oidc.Flow) { f.Nonce = "" }); !errors.Is(err, oidc.ErrRefused) {
		t.Errorf("without a nonce: %v", err)
	}
	if err := round(func(*oidc.Flow) {}); err != nil {
		t.Error(err)
	}
}

func query(t *testing.T, address string) url.Values {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}
