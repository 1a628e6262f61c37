package billing_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// cancellations lists the organization's requests, newest first.
func (env *testEnv) cancellations() []billing.Cancellation {
	env.t.Helper()
	list, err := env.store.Cancellations().List(env.t.Context(), env.access.Organization.ID)
	env.must(err)
	return list
}

// processCancellations runs the background work on cancellations, as if they were due.
func (env *testEnv) processCancellations() {
	env.t.Helper()
	env.exec(`update cancellations set due_at = $1 where due_at is not null`, env.stripe.Now().Add(-time.Second))
	env.must(env.service.ProcessCancellations(env.t.Context()))
}

// A cancellation keeps who, when and why, tells Stripe, and can be taken back until the end.
func TestCancellationKeepsWhoWhenAndWhy(t *testing.T) {
	env := newTestEnv(t)
	env.stripeClock()
	current := env.subscribe("pro")
	env.must(env.service.Cancellations.Cancel(t.Context(), env.access, billing.CancelRequest{
		Reason: "too_expensive", Comment: "  We shrink. ", EndsAt: current.CurrentPeriodEnd,
	}))
	var atStripe struct {
		CancelAtPeriodEnd bool                                       `json:"cancel_at_period_end"`
		Details           struct{ Feedback, Comment, Reason string } `json:"cancellation_details"`
	}
	env.stripeGet("/v1/subscriptions/"+current.ID, &atStripe)
	if !atStripe.CancelAtPeriodEnd || atStripe.Details.Feedback != "too_expensive" || atStripe.Details.Comment != "We shrink." {
		t.Errorf("at Stripe: %+v", atStripe)
	}
	env.must(env.service.Cancellations.Cancel(t.Context(), env.access, billing.CancelRequest{})) // submitted twice
	list := env.cancellations()
	if c := list[0]; len(list) != 1 || c.Status != billing.CancellationSet || c.RequestedBy != env.access.User.ID || c.Reason != "too_expensive" || !c.EndsAt.Equal(current.CurrentPeriodEnd) {
		t.Errorf("%+v", list)
	}
	env.must(env.service.Cancellations.Resume(t.Context(), env.access))
	if c := env.cancellations()[0]; c.Status != billing.CancellationResumed || c.ResumedBy != env.access.User.ID || c.ResumedAt == nil {
		t.Errorf("%+v", c)
	}
	if _, ending := env.overview().Subscription.EndsAt(); ending {
		t.Error("the plan still ends")
	}
	for _, request := range []billing.CancelRequest{{Reason: "because"}, {Comment: strings.Repeat("x", 1001)}} {
		if err := env.service.Cancellations.Cancel(t.Context(), env.access, request); apperr.CodeOf(err) != apperr.CodeInvalid {
			t.Errorf("%+v: %v", request, err)
		}
	}
}

// The end that was shown is the end that is set: a renewal in between refuses the cancellation.
func TestCancellationOfAnotherDateIsRefused(t *testing.T) {
	env := newTestEnv(t)
	env.stripeClock()
	env.subscribe("pro")
	preview, err := env.service.Cancellations.Preview(t.Context(), env.access)
	env.must(err)
	env.advanceStripe(preview.EndsAt.Sub(env.stripe.Now()) + 2*time.Hour)
	err = env.service.Cancellations.Cancel(t.Context(), env.access, billing.CancelRequest{EndsAt: preview.EndsAt})
	var moved *billing.CancelMovedError
	if !errors.As(err, &moved) || apperr.CodeOf(err) != apperr.CodeConflict || env.cancelsAtPeriodEnd() || len(env.cancellations()) != 0 {
		t.Fatalf("%v, requests %+v", err, env.cancellations())
	}
	again, err := env.service.Cancellations.Preview(t.Context(), env.access)
	env.must(err)
	env.must(env.service.Cancellations.Cancel(t.Context(), env.access, billing.CancelRequest{EndsAt: again.EndsAt}))
	if !again.EndsAt.After(preview.EndsAt) || !env.cancelsAtPeriodEnd() {
		t.Errorf("ends at %s, before %s", again.EndsAt, preview.EndsAt)
	}
}

// What is invoiced at the end all the same is shown before: seats that were added, in the amount
// that Stripe invoices then. Without them there is no invoice.
func TestCancellationShowsWhatIsStillInvoiced(t *testing.T) {
	env := newTestEnv(t)
	env.stripeClock()
	env.registerWebhook()
	env.subscribe("pro")
	if preview, err := env.service.Cancellations.Preview(t.Context(), env.access); err != nil || preview.StillInvoiced != nil || preview.Unknown {
		t.Fatalf("%+v, %v", preview, err)
	}
	env.advanceStripe(10 * 24 * time.Hour)
	env.addMembers(2)
	env.makeSeatsDueNow()
	env.must(env.syncSeats())
	preview, err := env.service.Cancellations.Preview(t.Context(), env.access)
	env.must(err)
	if preview.StillInvoiced == nil || preview.StillInvoiced.AmountDue.Minor < 3000 || len(preview.StillInvoiced.Lines) != 2 {
		t.Fatalf("%+v", preview.StillInvoiced)
	}
	env.must(env.service.Cancellations.Cancel(t.Context(), env.access, billing.CancelRequest{EndsAt: preview.EndsAt}))
	env.advanceStripe(preview.EndsAt.Sub(env.stripe.Now()) + 2*time.Hour)
	env.processEvents()
	if invoice := env.stripeInvoices()[0]; invoice.AmountPaid != preview.StillInvoiced.AmountDue.Minor || !env.overview().Subscription.Status.Ended() {
		t.Errorf("final invoice %+v, shown %+v", invoice, preview.StillInvoiced.AmountDue)
	}
	// After the end there is nothing to keep.
	_, err = env.service.Cancellations.PreviewResume(t.Context(), env.access)
	wantConflict(t, err, "Choose a plan to start again")
	wantConflict(t, env.service.Cancellations.Resume(t.Context(), env.access), "Choose a plan to start again")
}

// The first invoice of a plan that is resumed is the one that was shown.
func TestResumeShowsFirstInvoice(t *testing.T) {
	for _, end := range []string{"at period end", "by date"} {
		t.Run(end, func(t *testing.T) {
			env := newTestEnv(t)
			env.stripeClock()
			env.registerWebhook()
			env.addMembers(1)
			current := env.subscribe("pro")
			if end == "by date" { // as flexible subscriptions have it
				env.setCancelAt(current)
			} else {
				env.must(env.service.Cancellations.Cancel(t.Context(), env.access, billing.CancelRequest{}))
			}
			preview, err := env.service.Cancellations.PreviewResume(t.Context(), env.access)
			env.must(err)
			if preview.Next == nil || preview.Next.AmountDue.Minor != 2*2900 || !preview.Next.At.Equal(current.CurrentPeriodEnd) || !preview.EndsAt.Equal(current.CurrentPeriodEnd) {
				t.Fatalf("%+v, %+v", preview, preview.Next)
			}
			env.must(env.service.Cancellations.Resume(t.Context(), env.access))
			env.advanceStripe(current.CurrentPeriodEnd.Sub(env.stripe.Now()) + 2*time.Hour)
			if invoice := env.stripeInvoices()[0]; invoice.AmountPaid != preview.Next.AmountDue.Minor || invoice.BillingReason != "subscription_cycle" {
				t.Errorf("invoice %+v", invoice)
			}
		})
	}
}

// setCancelAt schedules the end of a subscription by its date, as another client.
func (env *testEnv) setCancelAt(current billing.Subscription) {
	env.t.Helper()
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"cancel_at": {strconv.FormatInt(current.CurrentPeriodEnd.Unix(), 10)}})
	env.must(env.service.Subscriptions.Refresh(env.t.Context(), env.access))
}

// lostCancellation releases schedules and loses the answer to the cancellation, which it makes or
// does not.
type lostCancellation struct {
	billing.Gateway
	made bool
}

func (g lostCancellation) CancelAtPeriodEnd(ctx context.Context, id string, details billing.CancellationDetails) (billing.UpdatedSubscription, error) {
	if g.made {
		_, _ = g.Gateway.CancelAtPeriodEnd(ctx, id, details)
	}
	return billing.UpdatedSubscription{}, &apperr.StripeError{OutcomeUnknown: true, ShouldRetry: true, Message: "timeout"}
}

// A scheduled change is released before the cancellation. If Stripe does not answer between the
// two, the worker completes the cancellation, unless the plan was kept or renewed meanwhile.
func TestCancellationWithoutAnswerIsCompleted(t *testing.T) {
	for name, c := range map[string]struct {
		made bool
		then func(*testEnv)
		ends bool
		want billing.CancellationStatus
	}{
		"not made":       {then: func(*testEnv) {}, ends: true, want: billing.CancellationSet},
		"made":           {made: true, then: func(*testEnv) {}, ends: true, want: billing.CancellationSet},
		"kept meanwhile": {then: func(env *testEnv) { env.must(env.service.Cancellations.Resume(env.t.Context(), env.access)) }, want: billing.CancellationResumed},
		"renewed meanwhile": {then: func(env *testEnv) {
			env.advanceStripe(env.overview().Subscription.CurrentPeriodEnd.Sub(env.stripe.Now()) + 2*time.Hour)
		}, want: billing.CancellationFailed},
	} {
		t.Run(name, func(t *testing.T) {
			env := newTestEnv(t)
			env.stripeClock()
			env.subscribe("pro")
			_, change := env.changePlan("starter", catalog.Monthly)
			options := env.options(env.store)
			options.Now, options.Gateway = env.stripe.Now, lostCancellation{env.gateway(), c.made}
			err := env.startService(options).Cancellations.Cancel(t.Context(), env.access, billing.CancelRequest{Reason: "unused"})
			if open, known, _ := env.service.Cancellations.Open(t.Context(), env.access); apperr.CodeOf(err) != apperr.CodeStripe || !known || open.Error == "" {
				t.Fatalf("%v, open %+v", err, open)
			}
			c.then(env)
			env.processCancellations()
			env.processPlanChanges()
			if got := env.cancellations()[0]; got.Status != c.want || env.cancelsAtPeriodEnd() != c.ends {
				t.Errorf("%+v, ends %v", got, env.cancelsAtPeriodEnd())
			}
			if stored := env.planChange(change.ID); stored.Status != billing.PlanChangeWithdrawn {
				t.Errorf("change %+v", stored)
			}
		})
	}
}

// In a trial the plan ends with it, and past due at the period's end.
func TestCancellationByStatus(t *testing.T) {
	t.Run("trial", func(t *testing.T) {
		env := newTestEnv(t)
		env.sellPro(func(p *catalog.Plan) { p.TrialDays = 14 })
		current := env.subscribe("pro")
		preview, err := env.service.Cancellations.Preview(t.Context(), env.access)
		env.must(err)
		env.must(env.service.Cancellations.Cancel(t.Context(), env.access, billing.CancelRequest{EndsAt: preview.EndsAt}))
		if end, _ := env.overview().Subscription.EndsAt(); !preview.EndsAt.Equal(*current.TrialEnd) || !end.Equal(*current.TrialEnd) || preview.StillInvoiced != nil {
			t.Errorf("%+v, ends %s", preview, end)
		}
	})
	t.Run("past due", func(t *testing.T) {
		env := newTestEnv(t)
		env.stripeClock()
		env.leaveRenewalUnpaid(env.subscribe("pro"))
		preview, err := env.service.Cancellations.Preview(t.Context(), env.access)
		env.must(err)
		env.must(env.service.Cancellations.Cancel(t.Context(), env.access, billing.CancelRequest{EndsAt: preview.EndsAt}))
		if o := env.overview(); o.Subscription.Status != billing.StatusPastDue || !env.cancelsAtPeriodEnd() {
			t.Errorf("%+v", o.Subscription)
		}
	})
}

// "New credits on" is true for the plan that is scheduled for then.
func TestPromisedCreditsAreThoseOfTheScheduledPlan(t *testing.T) {
	for name, c := range map[string]struct {
		starter int
		resets  bool
	}{"a smaller plan": {250, true}, "a plan without credits": {0, false}} {
		t.Run(name, func(t *testing.T) {
			env := newTestEnv(t)
			options := env.options(env.store)
			options.Now = env.stripe.Now
			for i := range options.Catalog.Plans {
				if options.Catalog.Plans[i].ID == "starter" {
					options.Catalog.Plans[i].Credits = c.starter
				}
			}
			env.useService(env.startService(options))
			env.registerWebhook()
			env.subscribe("pro")
			env.processEventsUntil(func() bool { return env.overview().Credits.Granted == 1000 })
			if got := env.overview().Credits; got.ResetsAt == nil || got.NextGrant != 1000 {
				t.Fatalf("before: %+v", got)
			}
			env.changePlan("starter", catalog.Monthly)
			if got := env.overview().Credits; (got.ResetsAt != nil) != c.resets || got.NextGrant != c.starter {
				t.Errorf("with the downgrade: %+v", got)
			}
			env.must(env.service.PlanChanges.Keep(t.Context(), env.access))
			if got := env.overview().Credits; got.ResetsAt == nil || got.NextGrant != 1000 {
				t.Errorf("kept: %+v", got)
			}
		})
	}
}
