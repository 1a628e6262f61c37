package stripelocal_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"usher/stripelocal"
)

// The triggers of Stripe's official CLI test the server independently: they were written for Stripe
// itself.

func TestTheOfficialCommandLineTriggersEvents(t *testing.T) {
	t.Parallel()
	stripeTool(t)
	cases := []struct{ trigger, event string }{
		{"customer.subscription.created", "customer.subscription.created"},
		{"invoice.payment_failed", "invoice.payment_failed"},
		{"checkout.session.completed", "checkout.session.completed"},
		{"checkout.session.expired", "checkout.session.expired"},
		{"payment_intent.succeeded", "payment_intent.succeeded"},
		{"payment_intent.requires_action", "payment_intent.requires_action"},
		{"payment_intent.canceled", "payment_intent.canceled"},
		{"payment_intent.payment_failed", "payment_intent.payment_failed"},
		{"payment_intent.amount_capturable_updated", "payment_intent.amount_capturable_updated"},
		{"charge.captured", "charge.captured"},
		{"charge.failed", "charge.failed"},
		{"customer.subscription.updated", "customer.subscription.updated"},
		{"customer.subscription.deleted", "customer.subscription.deleted"},
		{"subscription.payment_succeeded", "invoice.payment_succeeded"},
		{"subscription.payment_failed", "invoice.payment_failed"},
		{"customer.created", "customer.created"},
		{"customer.updated", "customer.updated"},
		{"customer.deleted", "customer.deleted"},
		{"customer.source.created", "customer.source.created"},
		{"setup_intent.succeeded", "setup_intent.succeeded"},
		{"setup_intent.setup_failed", "setup_intent.setup_failed"},
		{"setup_intent.requires_action", "setup_intent.requires_action"},
		{"setup_intent.canceled", "setup_intent.canceled"},
		{"payment_method.attached", "payment_method.attached"},
		{"payment_method.detached", "payment_method.detached"},
		{"payment_method.updated", "payment_method.updated"},
		{"price.updated", "price.updated"},
		{"product.deleted", "product.deleted"},
		{"invoice.paid", "invoice.paid"},
		{"charge.refunded", "charge.refunded"},
		{"charge.dispute.created", "charge.dispute.created"},
		{"charge.dispute.closed", "charge.dispute.closed"},
		{"customer.subscription.trial_will_end", "customer.subscription.trial_will_end"},
		{"customer.subscription.paused", "customer.subscription.paused"},
		{"invoice.payment_action_required", "invoice.payment_action_required"},
		{"invoice.finalized", "invoice.finalized"},
		{"invoice.voided", "invoice.voided"},
		{"credit_note.created", "credit_note.created"},
		{"coupon.created", "coupon.created"},
		{"customer.discount.created", "customer.discount.created"},
		{"customer.discount.updated", "customer.discount.updated"},
		{"customer.discount.deleted", "customer.discount.deleted"},
		{"promotion_code.created", "promotion_code.created"},
		{"test_helpers.test_clock.ready", "test_helpers.test_clock.ready"},
	}
	for _, c := range cases {
		t.Run(c.trigger, func(t *testing.T) {
			t.Parallel()
			l := start(t, stripelocal.Options{})
			l.trigger(c.trigger)
			wantEvents(t, l, c.event)
		})
	}
}

// stripeTool returns the path of the CLI that npm installed: the binary for this machine if known,
// else the wrapper script, which starts more slowly.
func stripeTool(t *testing.T) string {
	t.Helper()
	modules := filepath.Join("..", "node_modules")
	machine := strings.NewReplacer("amd64", "x64").Replace(runtime.GOOS + "-" + runtime.GOARCH)
	if direct, err := filepath.Abs(filepath.Join(modules, "@stripe", "cli-"+machine, "bin", "stripe")); err == nil {
		if _, err := exec.LookPath(direct); err == nil {
			return direct
		}
	}
	path, err := filepath.Abs(filepath.Join(modules, ".bin", "stripe"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath(path); err != nil {
		t.Fatalf("Stripe's command line tool is not installed: run `make node_modules/.package-lock.json` (or `make test`, which does) and try again: %v", err)
	}
	return path
}

// trigger runs the CLI against the server with an empty configuration.
func (l *testServer) trigger(event string) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), time.Minute)
	defer cancel()
	cmd := l.toolCommand(ctx, "trigger", event)
	if out, err := cmd.CombinedOutput(); err != nil {
		l.t.Fatalf("stripe trigger %s: %v\n%s", event, err, out)
	}
}
