package stripelocal_test

import (
	"context"
	"flag"
	"slices"
	"strings"
	"testing"
	"time"

	"usher/stripelocal"
)

var everyTrigger = flag.Bool("all-triggers", false, "run every trigger of Stripe's command line tool, and print which do not create their event")

// failingTriggers are the triggers that create no event of their name, with the reason.
var failingTriggers = map[string]string{
	"account.application.deauthorized":                     "Connect is missing: POST /v1/accounts",
	"account.updated":                                      "Connect is missing: POST /v1/accounts",
	"transfer.created":                                     "Connect is missing: POST /v1/accounts",
	"transfer.reversed":                                    "Connect is missing: POST /v1/accounts",
	"transfer.updated":                                     "Connect is missing: POST /v1/accounts",
	"identity.verification_session.canceled":               "Identity is missing",
	"identity.verification_session.created":                "Identity is missing",
	"identity.verification_session.redacted":               "Identity is missing",
	"issuing_authorization.request":                        "Issuing is missing",
	"issuing_authorization.request.eu":                     "Issuing is missing",
	"issuing_authorization.request.gb":                     "Issuing is missing",
	"issuing_card.created":                                 "Issuing is missing",
	"issuing_card.created.eu":                              "Issuing is missing",
	"issuing_card.created.gb":                              "Issuing is missing",
	"issuing_cardholder.created":                           "Issuing is missing",
	"issuing_cardholder.created.eu":                        "Issuing is missing",
	"issuing_cardholder.created.gb":                        "Issuing is missing",
	"issuing_transaction.created":                          "Issuing is missing",
	"issuing_transaction.purchase_details_receipt_updated": "Issuing is missing",
	"issuing_transaction.updated":                          "Issuing is missing",
	"reporting.report_run.succeeded":                       "reports are missing: POST /v1/reporting/report_runs",
	"v1.billing.meter.error_report_triggered":              "the API under /v2/ is missing",
	"v1.billing.meter.no_meter_found":                      "the API under /v2/ is missing",
	"billing_portal.session.created":                       "the portal has no settings yet, which Stripe refuses too",
	"subscription_schedule.aborted":                        "it cancels a schedule that has not started, which is canceled and not aborted",
	"subscription_schedule.completed":                      "its customer has no card, so the schedule is aborted unless after_dunning is past_due",
	"subscription_schedule.expiring":                       "its test clock stops two days before the event",
}

// eventOf is the event that a trigger creates, which mostly has its name.
func eventOf(trigger string) string {
	if rest, ok := strings.CutPrefix(trigger, "subscription.payment_"); ok {
		return "invoice.payment_" + rest
	}
	return trigger
}

// triggerNames returns all triggers that the tool has.
func triggerNames(t *testing.T) []string {
	t.Helper()
	help, err := start(t, stripelocal.Options{}).toolCommand(t.Context(), "trigger", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(help), "Supported events:")
	list, _, _ = strings.Cut(list, "Usage:")
	names := strings.Fields(list)
	if len(names) < 100 {
		t.Fatalf("only %d triggers are listed", len(names))
	}
	return names
}

// TestEveryTrigger runs all triggers if the flag is set, else some that pay without a card.
func TestEveryTrigger(t *testing.T) {
	t.Parallel()
	names := []string{"payment_intent.processing", "payment_intent.partially_funded", "checkout.session.async_payment_failed"}
	if *everyTrigger {
		names = triggerNames(t)
	}
	created := 0
	for _, name := range names {
		l := start(t, stripelocal.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		out, err := l.toolCommand(ctx, "trigger", name).CombinedOutput()
		cancel()
		l.time.Add(10) // bank debits end
		works := err == nil && slices.Contains(l.eventTypes(), eventOf(name))
		reason, fails := failingTriggers[name]
		switch {
		case works:
			created++
		case fails:
			t.Logf("%s: %s", name, reason)
		}
		if works == fails {
			t.Errorf("%s creates its event: %v; %v\n%s", name, works, err, out)
		}
	}
	t.Logf("%d of %d triggers create their event", created, len(names))
}
