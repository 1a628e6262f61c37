package sender

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"usher/billing/webhook"
)

// receiver starts a server and counts its requests.
func receiver(t *testing.T, handler http.HandlerFunc) (url string, requests *atomic.Int32) {
	t.Helper()
	requests = &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, requests
}

func message(url string) webhook.Request {
	return webhook.Request{URL: url, MessageID: "msg_1", Timestamp: time.Unix(1614265330, 5), Signature: "v1,abc", Body: `{"a":1}`}
}

func TestPostSendsHeadersAndBytes(t *testing.T) {
	var got *http.Request
	var body []byte
	url, _ := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "thank\x00 you\n\xff")
	})
	response, err := New(Options{AllowPrivate: true, Version: "v1.2"}).Post(t.Context(), message(url+"/hook?x=1"))
	if err != nil || response != (webhook.Response{Status: 202, Text: "thank you"}) {
		t.Fatalf("%+v, %v", response, err)
	}
	for name, want := range map[string]string{
		"webhook-id": "msg_1", "webhook-timestamp": "1614265330", "webhook-signature": "v1,abc", "Content-Type": "application/json",
		"User-Agent": "Usher-Webhooks/1 v1.2",
	} {
		if got.Header.Get(name) != want {
			t.Errorf("%s: %q", name, got.Header.Get(name))
		}
	}
	if got.Method != http.MethodPost || got.URL.RequestURI() != "/hook?x=1" || string(body) != `{"a":1}` {
		t.Errorf("%s %s %s", got.Method, got.URL, body)
	}
}

// In production nothing is sent to the network of this server, whatever the name says.
func TestPrivateAddressesAreRefusedAtTheConnection(t *testing.T) {
	url, requests := receiver(t, func(http.ResponseWriter, *http.Request) {})
	for _, address := range []string{
		url, strings.Replace(url, "127.0.0.1", "localhost", 1), strings.Replace(url, "127.0.0.1", "[::ffff:127.0.0.1]", 1), strings.Replace(url, "127.0.0.1", "0.0.0.0", 1),
		"http://169.254.169.254/latest/meta-data", "http://10.0.0.1/",
	} {
		if _, err := New(Options{}).Post(t.Context(), message(address)); !errors.Is(err, webhook.ErrAddress) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("%d requests arrived", n)
	}
}

func TestProxiesOfTheEnvironmentAreNotUsed(t *testing.T) {
	url, requests := receiver(t, func(http.ResponseWriter, *http.Request) {})
	for _, name := range []string{"HTTP_PROXY", "http_proxy"} {
		t.Setenv(name, url)
	}
	_, err := New(Options{}).Post(t.Context(), message("http://192.168.1.1/"))
	if !errors.Is(err, webhook.ErrAddress) || requests.Load() != 0 {
		t.Errorf("%v, %d requests", err, requests.Load())
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	target, requests := receiver(t, func(http.ResponseWriter, *http.Request) {})
	for _, status := range []int{301, 302, 303, 307, 308} {
		url, _ := receiver(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target, status) })
		response, err := New(Options{AllowPrivate: true}).Post(t.Context(), message(url))
		if err != nil || response.Status != status {
			t.Errorf("%d: %+v, %v", status, response, err)
		}
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

func TestSlowReceiversTimeOut(t *testing.T) {
	url, _ := receiver(t, func(http.ResponseWriter, *http.Request) { <-t.Context().Done() }) // ends with the test
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := New(Options{AllowPrivate: true}).Post(ctx, message(url)); !errors.Is(err, webhook.ErrTimeout) {
		t.Errorf("%v", err)
	}
}

// A response is read to a limit; what comes after it is not waited for.
func TestLittleIsReadOfAResponse(t *testing.T) {
	url, _ := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil && t.Context().Err() == nil {
			if _, err := io.WriteString(w, strings.Repeat("x", 1<<10)); err != nil {
				return
			}
			w.(http.Flusher).Flush()
		}
	})
	response, err := New(Options{AllowPrivate: true}).Post(t.Context(), message(url))
	if err != nil || response.Status != 200 || len(response.Text) != maxTextLength {
		t.Errorf("%d, %d characters, %v", response.Status, len(response.Text), err)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"120": 2 * time.Minute, "Tue, 01 Dec 2026 12:01:00 GMT": time.Minute, "Tue, 01 Dec 2026 11:00:00 GMT": 0, "": 0, "-5": 0, "soon": 0,
		"99999999999999999999": 0,
	} {
		url, _ := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", value)
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		response, err := New(Options{AllowPrivate: true, Now: func() time.Time { return now }}).Post(t.Context(), message(url))
		if err != nil || response.RetryAfter != want {
			t.Errorf("%q: %s, %v", value, response.RetryAfter, err)
		}
	}
}

func TestWrongCertificatesAreRefused(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	if _, err := New(Options{AllowPrivate: true}).Post(t.Context(), message(server.URL)); !errors.Is(err, webhook.ErrTLS) {
		t.Errorf("%v", err)
	}
}

func TestDownReceivers(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	url := server.URL
	server.Close()
	_, err := New(Options{AllowPrivate: true}).Post(t.Context(), message(url))
	for _, known := range []error{webhook.ErrAddress, webhook.ErrName, webhook.ErrTimeout, webhook.ErrTLS} {
		if err == nil || errors.Is(err, known) {
			t.Errorf("%v is %v", err, known)
		}
	}
}
