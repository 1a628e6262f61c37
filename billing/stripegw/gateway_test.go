package stripegw

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"usher/billing"
)

// lockedBuffer is a log for several goroutines.
type lockedBuffer struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.String()
}

func TestLogOmitsKeyAndPersonalData(t *testing.T) {
	t.Parallel()
	f, _ := newFake(t)
	f.HandleFunc("POST /v1/customers", respond(`{"id":"cus_1","object":"customer","email":"ada@example.com"}`))
	for level, wanted := range map[slog.Level]bool{slog.LevelDebug: true, slog.LevelInfo: false} {
		var log lockedBuffer
		gateway := New(Options{SecretKey: "sk_test_verysecret", APIBase: f.url, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: level}))})
		if _, err := gateway.CreateCustomer(t.Context(), billing.CustomerLink{OrganizationID: "org_1", Email: "ada@example.com"}); err != nil {
			t.Fatal(err)
		}
		if logged := strings.Contains(log.String(), "/v1/customers"); logged != wanted {
			t.Errorf("at %v the log contains the call: %t", level, logged)
		}
		if strings.Contains(log.String(), "verysecret") || strings.Contains(log.String(), "ada@") {
			t.Errorf("the log contains secrets: %s", log.String())
		}
	}
}

type countingTransport struct {
	mutex sync.Mutex
	count int
}

func (c *countingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mutex.Lock()
	c.count++
	c.mutex.Unlock()
	return http.DefaultTransport.RoundTrip(r)
}

// A followed redirect would send the parameters, and the response of another host would count as
// Stripe's.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	f, _ := newFake(t)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s followed", r.Method, r.URL)
		_, _ = io.WriteString(w, `{"id":"acct_other","object":"account"}`)
	}))
	t.Cleanup(elsewhere.Close)
	for _, status := range []int{http.StatusFound, http.StatusTemporaryRedirect} {
		redirecting := httptest.NewServer(http.RedirectHandler(elsewhere.URL, status))
		t.Cleanup(redirecting.Close)
		for name, client := range map[string]*http.Client{"own client": nil, "given client": {}} {
			gateway := New(Options{SecretKey: "sk_test_123456789012", APIBase: redirecting.URL, HTTPClient: client})
			if account, err := gateway.Account(t.Context()); err == nil {
				t.Errorf("%d, %s: account %q", status, name, account.ID)
			}
		}
	}
	if len(f.requests) != 0 {
		t.Errorf("%d requests", len(f.requests))
	}
}

func TestHTTPClientOptionIsCopied(t *testing.T) {
	t.Parallel()
	f, _ := newFake(t)
	transport := &countingTransport{}
	given := &http.Client{Transport: transport}
	gateway := New(Options{SecretKey: "sk_test_123456789012", APIBase: f.url, HTTPClient: given})
	if _, err := gateway.Account(t.Context()); err != nil {
		t.Fatal(err)
	}
	if transport.count != 1 || given.Transport != http.RoundTripper(transport) {
		t.Errorf("%d calls went through the given client, its transport is now %T", transport.count, given.Transport)
	}
}
