package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"usher/stripelocal"
)

// localStripeKey is what Usher calls its own local Stripe with. It is no secret: that Stripe takes any key.
const localStripeKey = "sk_test_usherlocal"

// localStripe is the Stripe on this machine that stands in while STRIPE_SECRET_KEY is unset.
type localStripe struct {
	origin  string // as a browser reaches it
	apiBase string // as this program reaches it
	secrets []string
	server  *stripelocal.Server
}

// startLocalStripe serves the local Stripe on loopback, beside the web server's port if that is free so that hosted pages keep their
// address between runs, and has it deliver webhooks to addr.
func startLocalStripe(c Config, addr net.Addr, started *parts) (*localStripe, error) {
	listener, err := listenBeside(addr)
	if err != nil {
		return nil, fmt.Errorf("start the local Stripe: %w", err)
	}
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	local := &localStripe{
		origin:  "http://" + net.JoinHostPort(loopbackName(c), port),
		apiBase: "http://" + listener.Addr().String(),
		secrets: c.StripeWebhookSecrets,
	}
	if len(local.secrets) == 0 {
		local.secrets = []string{"whsec_" + rand.Text()}
	}
	local.server, err = stripelocal.New(stripelocal.Options{
		Origin: local.origin, StatePath: filepath.Join(c.DataDir, "stripe.json"), Log: started.log,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the local Stripe: %w", err), listener.Close())
	}
	local.server.EnsureWebhookEndpoint("http://"+reachable(addr)+"/stripe/webhook", local.secrets[0])
	local.serve(listener, started)
	return local, local.announce(c, started)
}

// announce notes in DATA_DIR where this local Stripe is, so that `usher clock` finds it while it runs.
func (l *localStripe) announce(c Config, started *parts) error {
	file := addressFile(c)
	if err := os.WriteFile(file, []byte(l.apiBase+"\n"), 0o600); err != nil {
		return fmt.Errorf("start the local Stripe: %w", err)
	}
	started.add("local Stripe's address", func(context.Context) error { return os.Remove(file) })
	return nil
}

func addressFile(c Config) string { return filepath.Join(c.DataDir, "stripe.url") }

func (l *localStripe) serve(listener net.Listener, started *parts) {
	web := &http.Server{Handler: l.server.Handler(), ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: 2 * time.Minute}
	go func() {
		if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			started.log.Error("the local Stripe has ended", "error", err)
		}
	}()
	started.add("local Stripe", l.server.Close)
	started.add("local Stripe's listener", web.Shutdown)
}

// listenBeside takes the port after the web server's, or any free one.
func listenBeside(addr net.Addr) (net.Listener, error) {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.Port < 65535 {
		if listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port+1))); err == nil {
			return listener, nil
		}
	}
	return net.Listen("tcp", "127.0.0.1:0")
}

// loopbackName is the name the browser knows this machine by: BASE_URL's if that is loopback, so that one name serves both.
func loopbackName(c Config) string {
	if name := c.BaseURL.Hostname(); name == "127.0.0.1" || name == "localhost" {
		return name
	}
	return "localhost"
}

// reachable is a listener's address as this machine itself reaches it.
func reachable(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return addr.String()
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
}
