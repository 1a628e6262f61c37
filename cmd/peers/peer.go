package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"usher/stripelocal"
)

// peer is a public project and the script that uses it.
type peer struct {
	name   string // of the npm package
	script string
	args   []string
	// otherVersions is set for a stripe-node whose API version the local Stripe does not speak.
	otherVersions bool
	// refused lists the calls that Stripe refuses, each as often as the script provokes it. The
	// project handles these refusals.
	refused []refusal
}

// refusal is a call with the error status that Stripe answers.
type refusal struct {
	call   string // method and path, as [callOf] returns it
	status int
}

// peerKey is the API key of the projects. The scripts' own calls have another one.
const peerKey = "sk_test_peer_0123456789"

// peerTime is the longest time that a script may take.
const peerTime = 5 * time.Minute

func peers() []peer {
	return []peer{
		{name: "@better-auth/stripe", script: "better_auth.mjs", refused: []refusal{
			{"POST /v1/billing_portal/sessions", 400}, // cancels what is set to be canceled
		}},
		{name: "@medusajs/payment-stripe", script: "medusa.mjs", otherVersions: true, refused: []refusal{
			{"POST /v1/payment_intents", 402},              // a declined card
			{"POST /v1/payment_intents/{id}/cancel", 400},  // what is canceled
			{"POST /v1/payment_intents/{id}/capture", 400}, // what is captured
			{"POST /v1/refunds", 400},                      // what is refunded
		}},
		{name: "@stripe/sync-engine", script: "stripe_sync_engine.mjs"},
		{name: "@supabase/stripe-sync-engine", script: "supabase_sync_engine.mjs", args: []string{"2024-06-20"}},
		{name: "@supabase/stripe-sync-engine", script: "supabase_sync_engine.mjs", args: []string{"2026-08-26.dahlia"}},
	}
}

// run runs the project's script with a local Stripe of its own. The result has what was recorded
// until an error.
func (p peer) run(ctx context.Context, folder string, pg *postgres) (result, error) {
	out := result{peer: p, versions: p.versions(folder)}
	server, err := p.newStripe()
	if err != nil {
		return out, err
	}
	defer func() { _ = server.Close(context.WithoutCancel(ctx)) }()
	rec := &recorder{next: server.Handler()}
	web := httptest.NewServer(rec)
	defer web.Close()
	server.SetOrigin(web.URL)
	scriptErr := p.runScript(ctx, folder, web.URL, pg)
	out.calls = rec.recorded()
	out.deliveries, err = deliveries(server)
	return out, errors.Join(scriptErr, err, out.verify())
}

func (p peer) newStripe() (*stripelocal.Server, error) {
	server, err := stripelocal.New(stripelocal.Options{})
	if err == nil && p.otherVersions {
		err = server.SetOtherVersions(stripelocal.OtherVersionsAnswer)
	}
	return server, err
}

func (p peer) runScript(ctx context.Context, folder, origin string, pg *postgres) error {
	ctx, cancel := context.WithTimeout(ctx, peerTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", append([]string{"--import", "./redirect.mjs", p.script}, p.args...)...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "STRIPE_URL="+origin, "STRIPE_KEY="+peerKey, "POSTGRES="+pg.server.DSN())
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &printed
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w\n%s", cmp.Or(ctx.Err(), err), printed.Bytes())
	}
	return nil
}

// versions returns the versions of the project's package and of the stripe-node that it uses.
func (p peer) versions(folder string) string {
	own := filepath.Join(folder, "node_modules", p.name)
	stripe := packageVersion(filepath.Join(own, "node_modules", "stripe"))
	if stripe == "" {
		stripe = packageVersion(filepath.Join(folder, "node_modules", "stripe"))
	}
	return packageVersion(own) + ", stripe-node " + stripe
}

// packageVersion returns the version of a package of npm, or "" if it is not installed.
func packageVersion(folder string) string {
	var pkg struct{ Version string }
	text, err := os.ReadFile(filepath.Join(folder, "package.json"))
	if err != nil || json.Unmarshal(text, &pkg) != nil {
		return ""
	}
	return pkg.Version
}
