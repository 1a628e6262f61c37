package main

import (
	"context"
	"database/sql"
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
	"usher/billing/catalog"
	"usher/billing/stripegw"
	"usher/db"
	"usher/db/privatepg"
	"usher/stripelocal"
)

const (
	stripeKey     = "sk_test_bench1234567"
	webhookSecret = "whsec_bench"
)

// environment is what is measured: Usher, a private PostgreSQL (with fsync, and small otherwise)
// and a local Stripe.
type environment struct {
	options
	folder       string
	server       *privatepg.Server
	store        *db.Store
	stripe       *stripelocal.Server
	stripeOrigin string
	account      billing.StripeAccount
	site         string // Usher's origin
	usherProcess *exec.Cmd
	log          *os.File
}

// openEnvironment starts everything. The environment must be closed even if an error is returned.
func openEnvironment(ctx context.Context, o options) (e *environment, err error) {
	e = &environment{options: o}
	if e.folder, err = os.MkdirTemp("", "usher-bench-"); err != nil {
		return e, err
	}
	// The server of root runs as another user, and has its cluster elsewhere if that cannot enter.
	if err := os.Chmod(e.folder, 0o711); err != nil { // #nosec G302 -- its names can't be guessed
		return e, err
	}
	if err := e.startPostgres(ctx); err != nil {
		return e, err
	}
	if err := db.Migrate(ctx, e.server.DSN()); err != nil {
		return e, err
	}
	// Statements that fill a large database take minutes.
	if e.store, err = db.Open(ctx, e.server.DSN()+" statement_timeout=0"); err != nil {
		return e, err
	}
	if err := e.openStripe(ctx); err != nil {
		return e, err
	}
	return e, e.startUsher(ctx)
}

// startPostgres starts PostgreSQL with the settings of the options.
func (e *environment) startPostgres(ctx context.Context) (err error) {
	if e.server, err = privatepg.Start(ctx, privatepg.Options{DataDir: e.folder}); err != nil || len(e.settings) == 0 {
		return err
	}
	database, err := sql.Open("postgres", e.server.DSN())
	if err != nil {
		return err
	}
	defer database.Close()
	for _, setting := range e.settings {
		if _, err := database.ExecContext(ctx, "alter system set "+setting); err != nil {
			return fmt.Errorf("set %s: %w", setting, err)
		}
	}
	if err := e.server.Stop(ctx); err != nil {
		return err
	}
	e.server, err = privatepg.Start(ctx, privatepg.Options{DataDir: e.folder})
	return err
}

func (e *environment) openStripe(ctx context.Context) (err error) {
	if e.stripe, err = stripelocal.New(stripelocal.Options{}); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(listener, e.stripe.Handler()) }()
	e.stripeOrigin = "http://" + listener.Addr().String()
	e.stripe.SetOrigin(e.stripeOrigin)
	gateway := newGateway(e.stripeOrigin)
	for _, price := range stripegw.PlanPrices(catalog.BuiltInPlans()) {
		if _, _, err := gateway.EnsurePrice(ctx, price); err != nil {
			return err
		}
	}
	e.account, err = gateway.Account(ctx)
	return err
}

func newGateway(origin string) *stripegw.Gateway {
	return stripegw.New(stripegw.Options{SecretKey: stripeKey, APIBase: origin, WebhookSecrets: []string{webhookSecret}})
}

// startUsher starts Usher as a process and waits until it is ready.
func (e *environment) startUsher(ctx context.Context) (err error) {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	e.site = "http://" + address
	if e.log, err = os.Create(filepath.Join(e.folder, "usher.log")); err != nil {
		return err
	}
	e.usherProcess = exec.CommandContext(ctx, e.usher)
	e.usherProcess.Env = append(os.Environ(), "ADDR="+address, "BASE_URL="+e.site, "DATABASE_URL="+e.server.DSN(),
		"STRIPE_SECRET_KEY="+stripeKey, "STRIPE_WEBHOOK_SECRET="+webhookSecret, "STRIPE_API_BASE="+e.stripeOrigin, "DATA_DIR="+e.folder)
	e.usherProcess.Env = append(e.usherProcess.Env, e.variables...)
	e.usherProcess.Stdout, e.usherProcess.Stderr = e.log, e.log
	if err := e.usherProcess.Start(); err != nil {
		return fmt.Errorf("start %s (build it with make build): %w", e.usher, err)
	}
	if err := awaitResponse(e.site+"/readyz", http.StatusOK); err != nil {
		return fmt.Errorf("start %s: %w\n%s", e.usher, err, e.logTail())
	}
	return nil
}

// logTail returns the end of Usher's log. The file itself is removed when the environment is
// closed.
func (e *environment) logTail() []byte {
	log, _ := os.ReadFile(e.log.Name())
	return log[max(0, len(log)-4096):]
}

// freeAddress returns a loopback address that is not in use.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// awaitResponse polls an address for up to 30 seconds until it responds with a status.
func awaitResponse(address string, status int) error {
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		response, err := http.Get(address)
		if err != nil {
			continue
		}
		response.Body.Close()
		if response.StatusCode == status {
			return nil
		}
	}
	return errors.New("timed out waiting for " + address)
}

func (e *environment) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if e.usherProcess != nil && e.usherProcess.Process != nil {
		_ = e.usherProcess.Process.Signal(os.Interrupt)
		_ = e.usherProcess.Wait()
	}
	if e.store != nil {
		_ = e.store.Close()
	}
	if e.stripe != nil {
		_ = e.stripe.Close(ctx)
	}
	if e.server != nil {
		_ = e.server.Stop(ctx)
	}
	_ = os.RemoveAll(e.folder)
}

// callStripe calls Stripe's API and decodes the response into result.
func (e *environment) callStripe(ctx context.Context, method, path string, form url.Values, result any) error {
	request, err := http.NewRequestWithContext(ctx, method, e.stripeOrigin+path, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.SetBasicAuth(stripeKey, "")
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, path, body)
	}
	return json.Unmarshal(body, result)
}
