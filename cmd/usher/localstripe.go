package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"usher/stripelocal"
)

// localStripeKey is the key that Usher sends to its local Stripe, which accepts any test key.
const localStripeKey = "sk_test_usherlocal"

// localStripe is the Stripe on this machine that replaces Stripe while STRIPE_SECRET_KEY is unset.
type localStripe struct {
	origin         string // for browsers
	apiBase        string // for this program
	webhookSecrets []string
	now            func() time.Time    // its clock, which can be ahead
	server         *stripelocal.Server // nil if another process runs it
}

// startLocalStripe starts a local Stripe on loopback that sends webhooks to addr. It prefers the
// port after the web server's, so that hosted pages keep their address between runs.
func startLocalStripe(
	c Config, addr net.Addr, log *slog.Logger, closers *closers,
) (*localStripe, error) {
	listener, err := listenNextTo(addr)
	if err != nil {
		return nil, fmt.Errorf("start the local Stripe: %w", err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	origin := "http://" + net.JoinHostPort(loopbackName(c), port)
	server, err := stripelocal.New(stripelocal.Options{
		Origin: origin, StatePath: filepath.Join(c.DataDir, "stripe.json"), Log: log,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the local Stripe: %w", err), listener.Close())
	}
	secrets := c.StripeWebhookSecrets
	if len(secrets) == 0 {
		secrets = []string{"whsec_" + rand.Text()}
	}
	server.EnsureWebhookEndpoint("http://"+loopbackAddr(addr)+"/stripe/webhook", secrets[0])
	serveLocalStripe(server, listener, c.BaseURL, log, closers)
	local := &localStripe{
		origin: origin, apiBase: "http://" + listener.Addr().String(), webhookSecrets: secrets,
		now: server.Now, server: server,
	}
	if err := writeAddressFile(localStripeFile(c), local.apiBase, closers); err != nil {
		return nil, fmt.Errorf("publish the local Stripe's address: %w", err)
	}
	return local, nil
}

// serveLocalStripe serves in the background until closers are called, under base's host and the
// names of this machine. The channel receives the error if serving ends before.
func serveLocalStripe(
	server *stripelocal.Server, listener net.Listener, base *url.URL, log *slog.Logger, closers *closers,
) <-chan error {
	web := &http.Server{
		Handler: refuseForeignHosts(base, server.Handler()), ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout,
	}
	failed := make(chan error, 1)
	go func() {
		if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("local Stripe failed", "err", err)
			failed <- err
		}
	}()
	closers.add("local Stripe", server.Close)
	closers.add("local Stripe's listener", web.Shutdown)
	return failed
}

// localStripeFile contains the API base of the local Stripe while it runs.
func localStripeFile(c Config) string { return filepath.Join(c.DataDir, "stripe.url") }

// findLocalStripe returns the local Stripe of a running server.
func findLocalStripe(ctx context.Context, c Config) (*localStripe, error) {
	apiBase, err := readAddressFile(localStripeFile(c))
	if err != nil {
		return nil, notRunningError(err, "STRIPE_SECRET_KEY", "local Stripe", c)
	}
	state, err := callClock(ctx, http.MethodGet, apiBase, "")
	if err != nil {
		return nil, err
	}
	ahead := time.Until(time.Unix(state.Now, 0)).Round(time.Second)
	return &localStripe{apiBase: apiBase, now: func() time.Time { return time.Now().Add(ahead) }}, nil
}

// listenNextTo listens on the port after addr's, or on any free port if that is taken.
func listenNextTo(addr net.Addr) (net.Listener, error) {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.Port < 65535 {
		next := net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port+1))
		if listener, err := net.Listen("tcp", next); err == nil {
			return listener, nil
		}
	}
	return net.Listen("tcp", "127.0.0.1:0")
}

// loopbackName returns BASE_URL's host if that is a loopback name, else localhost, so that browsers
// use one name for both servers.
func loopbackName(c Config) string {
	if name := c.BaseURL.Hostname(); name == "127.0.0.1" || name == "localhost" {
		return name
	}
	return "localhost"
}

// loopbackAddr returns the address of a listener for connections from this machine.
func loopbackAddr(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return addr.String()
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
}
