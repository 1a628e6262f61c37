// Package sender sends messages over HTTP. It implements [webhook.Client].
//
// Receivers are addresses that customers enter. In production a connection is made to public
// addresses only, which is checked for the resolved address of each connection: a name that
// resolves to another address later does not get past it. Redirects are not followed, proxies of
// the environment are not used, and little is read of a response. The package decides nothing about
// schedules. Start reading at [New] and [Sender.Post]. Package cmd/usher imports it.
package sender

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"usher/billing/webhook"
)

// Options configure a [Sender].
type Options struct {
	// AllowPrivate allows every address, for development.
	AllowPrivate bool
	Version      string      // of the program, for the header User-Agent
	TLS          *tls.Config // nil: the system's certificates
	Now          func() time.Time
}

// Limits of a request.
const (
	connectTimeout  = 5 * time.Second
	idleTimeout     = 30 * time.Second
	maxHeaderBytes  = 16 << 10
	maxReadBytes    = 4 << 10 // of a response's body
	maxTextLength   = 500     // characters of it that are kept
	connectionsKept = 100
)

// Sender posts messages. It is safe for concurrent use.
type Sender struct {
	client *http.Client
	agent  string
	now    func() time.Time
}

// New returns a [Sender].
func New(o Options) *Sender {
	dialer := &net.Dialer{Timeout: connectTimeout}
	if !o.AllowPrivate {
		dialer.Control = refusePrivate
	}
	transport := &http.Transport{
		Proxy: nil, DialContext: dialer.DialContext, TLSClientConfig: o.TLS, TLSHandshakeTimeout: connectTimeout, ForceAttemptHTTP2: true,
		DisableCompression: true, MaxResponseHeaderBytes: maxHeaderBytes, IdleConnTimeout: idleTimeout, MaxIdleConns: connectionsKept,
		MaxIdleConnsPerHost: 1,
	}
	s := &Sender{agent: "Usher-Webhooks/1 " + o.Version, now: o.Now, client: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	s.agent = strings.TrimSpace(s.agent)
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

// refusePrivate is called with the resolved address before each connection.
func refusePrivate(_, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil || !webhook.IsPublic(target.Addr()) {
		return webhook.ErrAddress
	}
	return nil
}

// Post implements [webhook.Client].
func (s *Sender) Post(ctx context.Context, m webhook.Request) (webhook.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, strings.NewReader(m.Body))
	if err != nil {
		return webhook.Response{}, fmt.Errorf("post webhook: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", s.agent)
	r.Header.Set("Webhook-Id", m.MessageID)
	r.Header.Set("Webhook-Timestamp", strconv.FormatInt(m.Timestamp.Unix(), 10))
	r.Header.Set("Webhook-Signature", m.Signature)
	response, err := s.client.Do(r)
	if err != nil {
		return webhook.Response{}, fmt.Errorf("post webhook: %w", classify(err))
	}
	defer func() { _ = response.Body.Close() }()
	// The status is the answer: a body that breaks off does not make a success a failure.
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxReadBytes))
	return webhook.Response{Status: response.StatusCode, RetryAfter: s.retryAfter(response.Header), Text: readable(body)}, nil
}

// classify adds the known cause of an error.
func classify(err error) error {
	var name *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, webhook.ErrAddress):
		return err
	case errors.As(err, &name) && !name.IsTimeout:
		return errors.Join(webhook.ErrName, err)
	case isCertificate(err):
		return errors.Join(webhook.ErrTLS, err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return errors.Join(webhook.ErrTimeout, err)
	}
	return err
}

func isCertificate(err error) bool {
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var authority x509.UnknownAuthorityError
	var alert tls.AlertError
	return errors.As(err, &verification) || errors.As(err, &record) || errors.As(err, &authority) || errors.As(err, &alert)
}

// retryAfter reads Retry-After, seconds or a date (RFC 9110, section 10.2.3).
func (s *Sender) retryAfter(header http.Header) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return max(0, at.Sub(s.now()))
}

// readable returns the beginning of a body as text that can be stored and shown.
func readable(body []byte) string {
	text := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsGraphic(r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, strings.ToValidUTF8(string(body), ""))
	runes := []rune(strings.TrimSpace(text))
	return string(runes[:min(len(runes), maxTextLength)])
}
