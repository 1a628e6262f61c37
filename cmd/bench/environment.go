package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"usher/billing"
	"usher/billing/stripegw"
	"usher/db"
	"usher/db/privatepg"
	"usher/stripelocal"
)

const (
	stripeKey     = "sk_test_bench1234567"
	webhookSecret = "whsec_bench"
)

// stage is what everything is measured on: a PostgreSQL as it is by default, fsync included, a local Stripe, and the program.
type stage struct {
	options
	folder  string
	server  *privatepg.Server
	store   *db.Store
	stripe  *stripelocal.Server
	origin  string // Stripe's
	account billing.StripeAccount
	site    string
	program *exec.Cmd
	log     *os.File
}

// openStage returns what could be opened, to be closed in any case.
func openStage(ctx context.Context, o options) (s *stage, err error) {
	s = &stage{options: o}
	if s.folder, err = os.MkdirTemp("", "usher-bench-"); err != nil {
		return s, err
	}
	if s.server, err = privatepg.Start(ctx, privatepg.Options{DataDir: s.folder}); err != nil {
		return s, err
	}
	if err := db.Migrate(ctx, s.server.DSN()); err != nil {
		return s, err
	}
	if s.store, err = db.Open(ctx, s.server.DSN()); err != nil {
		return s, err
	}
	if err := s.openStripe(ctx); err != nil {
		return s, err
	}
	return s, s.startProgram(ctx)
}

func (s *stage) openStripe(ctx context.Context) (err error) {
	if s.stripe, err = stripelocal.New(stripelocal.Options{}); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(listener, s.stripe.Handler()) }()
	s.origin = "http://" + listener.Addr().String()
	s.stripe.SetOrigin(s.origin)
	gateway := stripegw.New(stripegw.Options{SecretKey: stripeKey, APIBase: s.origin, WebhookSecrets: []string{webhookSecret}})
	for _, price := range stripegw.KeyedPrices(billing.BuiltInPlans()) {
		if _, _, err := gateway.EnsurePrice(ctx, price); err != nil {
			return err
		}
	}
	s.account, err = gateway.Account(ctx)
	return err
}

// startProgram runs the program as it is run, with its own log and its own pool.
func (s *stage) startProgram(ctx context.Context) (err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := listener.Addr().String()
	_ = listener.Close()
	s.site = "http://" + address
	if s.log, err = os.Create(filepath.Join(s.folder, "usher.log")); err != nil {
		return err
	}
	s.program = exec.CommandContext(ctx, s.usher)
	s.program.Env = append(os.Environ(), "ADDR="+address, "BASE_URL="+s.site, "DATABASE_URL="+s.server.DSN(), "STRIPE_SECRET_KEY="+stripeKey,
		"STRIPE_WEBHOOK_SECRET="+webhookSecret, "STRIPE_API_BASE="+s.origin, "DATA_DIR="+s.folder)
	s.program.Stdout, s.program.Stderr = s.log, s.log
	if err := s.program.Start(); err != nil {
		return fmt.Errorf("start %s (make build makes it): %w", s.usher, err)
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if answer, err := http.Get(s.site + "/readyz"); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
	}
	return errors.New("the program is not ready; its log is " + s.log.Name())
}

func (s *stage) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if s.program != nil && s.program.Process != nil {
		_ = s.program.Process.Signal(os.Interrupt)
		_ = s.program.Wait()
	}
	if s.store != nil {
		_ = s.store.Close()
	}
	if s.stripe != nil {
		_ = s.stripe.Close(ctx)
	}
	if s.server != nil {
		_ = s.server.Stop(ctx)
	}
	_ = os.RemoveAll(s.folder)
}

// call speaks to Stripe.
func (s *stage) call(ctx context.Context, method, path string, form url.Values, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, s.origin+path, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.SetBasicAuth(stripeKey, "")
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, path, body)
	}
	return json.Unmarshal(body, into)
}
