package billing_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/mail"
	"usher/stripelocal"
)

func (env *testEnv) requestDeletion() {
	env.t.Helper()
	env.must(env.service.Deletions.Request(env.t.Context(), env.access, env.access.Organization.Name))
	env.access = env.reloadAccess()
}

// deleteWhenDue advances the clock past the scheduled time of the deletion and deletes.
func (env *testEnv) deleteWhenDue() {
	env.t.Helper()
	env.stripe.AdvanceClock(env.access.Organization.DeletesAt.Add(time.Minute))
	env.must(env.service.DeleteDueOrganizations(env.t.Context()))
	if env.reloadAccess().Organization.DeletedAt == nil {
		env.t.Fatal("the organization is not deleted")
	}
}

// endsAtStripe reports whether a subscription has a scheduled end at Stripe, or has ended.
func (env *testEnv) endsAtStripe(id string) bool {
	env.t.Helper()
	var s struct {
		CancelAtPeriodEnd bool `json:"cancel_at_period_end"`
		Status            string
	}
	env.stripeGet("/v1/subscriptions/"+id, &s)
	return s.CancelAtPeriodEnd || s.Status == "canceled"
}

func (env *testEnv) resumeAtStripe(id string) {
	env.t.Helper()
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+id, url.Values{"cancel_at_period_end": {"false"}})
}

// Seats that were added and not billed yet are billed when the deletion ends the plan.
func TestDeletionInvoicesPendingSeats(t *testing.T) {
	env := newTestEnv(t)
	env.useClock(env.stripe.Now)
	current := env.subscribe("pro")
	env.stripe.AdvanceClock(current.CurrentPeriodStart.AddDate(0, 0, 10))
	env.addMembers(2)
	env.makeSeatsDue()
	env.must(env.syncSeats())
	if env.stripeQuantity() != 3 {
		t.Fatalf("quantity %d, want 3", env.stripeQuantity())
	}
	env.requestDeletion()
	env.deleteWhenDue()
	var invoices struct {
		Data []struct {
			Reason string `json:"billing_reason"`
			Paid   int64  `json:"amount_paid"`
			Status string
			Lines  struct{ Data []struct{ Proration bool } }
		}
	}
	env.stripeGet("/v1/invoices?customer="+current.CustomerID, &invoices)
	last := invoices.Data[0]
	// Two seats for 20 or 21 of 30 or 31 days at $29: less than $40 at the least, and never the
	// credit of a period that is paid.
	if len(invoices.Data) != 2 || last.Status != "paid" || last.Paid < 3500 || last.Paid > 4200 || len(last.Lines.Data) == 0 {
		t.Errorf("invoices %+v", invoices.Data)
	}
	for _, line := range last.Lines.Data {
		if !line.Proration {
			t.Errorf("a line of the final invoice is no proration: %+v", last)
		}
	}
}

func TestResumeIsRefusedDuringDeletion(t *testing.T) {
	env := newTestEnv(t)
	current := env.subscribe("pro")
	env.requestDeletion()
	if err := env.service.Cancellations.Resume(t.Context(), env.access); apperr.CodeOf(err) != apperr.CodeConflict || apperr.MessageOf(err) != account.MessageDeleting {
		t.Errorf("resume: %v", err)
	}
	if !env.endsAtStripe(current.ID) {
		t.Error("the plan is resumed")
	}
}

// Support resumes the plan at Stripe, or a customer in the portal: it is canceled again, and the
// withdrawal resumes it.
func TestPlanResumedAtStripeDuringDeletionIsCanceledAgain(t *testing.T) {
	env := newTestEnv(t)
	current := env.subscribe("pro")
	env.requestDeletion()
	for range 2 {
		env.resumeAtStripe(current.ID)
		env.must(env.service.Subscriptions.Refresh(t.Context(), env.access))
		env.must(env.service.CancelDueDeletions(t.Context()))
		if !env.cancelsAtPeriodEnd() {
			t.Fatal("the plan renews although the organization is to be deleted")
		}
	}
	env.must(env.service.Deletions.Withdraw(t.Context(), env.access))
	if env.cancelsAtPeriodEnd() || env.queryInt(`select count(*) from deletion_cancellations`) != 0 {
		t.Error("the plan still ends after the withdrawal")
	}
	// From now on an end that somebody else sets is left alone.
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+current.ID, url.Values{"cancel_at_period_end": {"true"}})
	env.must(env.service.Subscriptions.Refresh(t.Context(), env.access))
	env.must(env.service.CancelDueDeletions(t.Context()))
	if !env.cancelsAtPeriodEnd() {
		t.Error("an end that was set after the withdrawal is removed")
	}
}

// A plan that the customer had canceled before is not resumed by the withdrawal.
func TestWithdrawalKeepsEarlierCancellation(t *testing.T) {
	env := newTestEnv(t)
	env.subscribe("pro")
	env.must(env.service.Cancellations.Cancel(t.Context(), env.access, billing.CancelRequest{}))
	env.requestDeletion()
	env.must(env.service.Deletions.Withdraw(t.Context(), env.access))
	if !env.cancelsAtPeriodEnd() {
		t.Error("the plan is resumed")
	}
}

// The plan was resumed at Stripe, its event is lost, and it renews: what was charged after the
// promise that it does not renew goes back.
func TestPeriodChargedDuringDeletionIsRefunded(t *testing.T) {
	env := newTestEnv(t)
	env.useClock(env.stripe.Now)
	current := env.subscribe("pro")
	env.stripe.AdvanceClock(current.CurrentPeriodEnd.AddDate(0, 0, -2))
	env.requestDeletion()
	env.resumeAtStripe(current.ID)
	env.deleteWhenDue()
	var charges struct {
		Data []struct {
			Amount         int64
			AmountRefunded int64 `json:"amount_refunded"`
		}
	}
	env.stripeGet("/v1/charges?customer="+current.CustomerID, &charges)
	if len(charges.Data) != 2 || charges.Data[0].AmountRefunded != charges.Data[0].Amount || charges.Data[1].AmountRefunded != 0 {
		t.Errorf("charges %+v, want the renewal's refunded and the first one's kept", charges.Data)
	}
	if !env.endsAtStripe(current.ID) {
		t.Error("the plan continues")
	}
}

// Support sells a plan while the deletion is scheduled, and its event is late: the deletion finds
// it at Stripe, ends it and refunds it.
func TestPlanSoldDuringDeletionIsRefundedWithoutItsEvent(t *testing.T) {
	env := newTestEnv(t)
	env.useClock(env.stripe.Now)
	current := env.subscribe("pro")
	env.stripe.AdvanceClock(env.stripe.Now().Add(time.Hour))
	env.requestDeletion()
	env.stripe.AdvanceClock(env.stripe.Now().Add(time.Hour))
	var first struct {
		Card string `json:"default_payment_method"`
	}
	env.stripeGet("/v1/subscriptions/"+current.ID, &first)
	sold := env.sellAtStripe(current.CustomerID, env.planPriceID("pro", catalog.Monthly), url.Values{
		"collection_method": {"charge_automatically"}, "days_until_due": nil, "default_payment_method": {first.Card},
		"metadata[orgId]": {env.access.Organization.ID},
	})
	env.deleteWhenDue()
	var charges struct {
		Data []struct {
			Amount         int64
			AmountRefunded int64 `json:"amount_refunded"`
		}
	}
	env.stripeGet("/v1/charges?customer="+current.CustomerID, &charges)
	if len(charges.Data) != 2 || charges.Data[0].AmountRefunded != charges.Data[0].Amount || charges.Data[1].AmountRefunded != 0 {
		t.Errorf("charges %+v, want that of the second plan refunded and the first one's kept", charges.Data)
	}
	if !env.endsAtStripe(sold) || !env.endsAtStripe(current.ID) {
		t.Error("a plan continues")
	}
	env.reconcile(billing.ReconcileOptions{}) // the events were not received
	if drifts := env.reconcile(billing.ReconcileOptions{}); len(drifts) != 0 {
		t.Errorf("drifts %q", drifts)
	}
}

// Support sells a plan to an organization that is deleted: it is kept, and operators see it in
// every comparison.
func TestPlanSoldAfterDeletionIsReported(t *testing.T) {
	env := newTestEnv(t)
	env.useClock(env.stripe.Now)
	current := env.subscribe("pro")
	env.stripe.AdvanceClock(env.stripe.Now().Add(time.Hour))
	env.requestDeletion()
	env.deleteWhenDue()
	sold := env.sellAtStripe(current.CustomerID, env.planPriceID("pro", catalog.Monthly), url.Values{"metadata[orgId]": {env.access.Organization.ID}})
	env.receiveAll()
	for range 2 {
		report, err := env.service.Reconciler.Reconcile(t.Context(), billing.ReconcileOptions{})
		env.must(err)
		i := slices.IndexFunc(report.Drifts, func(d billing.Drift) bool { return d.Kind == billing.DriftDeletedOrganization })
		if i < 0 || report.Drifts[i].ObjectID != sold || report.Drifts[i].Repaired || report.Drifts[i].Remediation == "" {
			t.Fatalf("drifts %+v", report.Drifts)
		}
	}
	env.wantUntouched(sold)
	env.stripeRequest(http.MethodDelete, "/v1/subscriptions/"+sold, nil)
	if drifts := env.reconcile(billing.ReconcileOptions{}); slices.ContainsFunc(drifts, func(d string) bool { return strings.HasPrefix(d, "deleted_organization") }) {
		t.Errorf("drifts %q", drifts)
	}
}

// The deletion's transaction fails: the plan is left alone.
func TestFailedDeletionRequestKeepsThePlan(t *testing.T) {
	env := newTestEnv(t)
	current := env.subscribe("pro")
	_, err := env.store.DB().ExecContext(t.Context(), `update organization_members set role_id = $1 where user_id = $2`, account.RoleMember, env.access.User.ID)
	env.must(err)
	if err := env.service.Deletions.Request(t.Context(), env.access, env.access.Organization.Name); err == nil {
		t.Fatal("a former admin can delete the organization")
	}
	if env.endsAtStripe(current.ID) {
		t.Error("the plan is canceled without a deletion")
	}
}

// Stripe fails while the deletion is requested, and while it is withdrawn: the worker continues.
func TestDeletionIsAppliedOnceStripeAnswers(t *testing.T) {
	env := newTestEnv(t)
	clock := newTestClock()
	env.useClock(clock.now)
	current := env.subscribe("pro")
	fail := func() {
		_, err := env.stripe.Faults().Add(stripelocal.Fault{Kind: stripelocal.ServerError, Method: http.MethodPost, Path: "/v1/subscriptions/*", Calls: 1})
		env.must(err)
	}
	for _, want := range []bool{true, false} {
		change := func() error { return env.service.Deletions.Withdraw(t.Context(), env.access) }
		if want {
			change = func() error {
				return env.service.Deletions.Request(t.Context(), env.access, env.access.Organization.Name)
			}
		}
		fail()
		env.must(change())
		env.access = env.reloadAccess()
		if got := env.endsAtStripe(current.ID); got == want {
			t.Fatalf("ends at Stripe: %v although Stripe failed", got)
		}
		clock.advance(time.Minute)
		env.must(env.service.CancelDueDeletions(t.Context()))
		if got := env.cancelsAtPeriodEnd(); got != want {
			t.Fatalf("ends at Stripe: %v, want %v", got, want)
		}
	}
}

// A replica crashes after Stripe canceled the plan and before the snapshot is written. Meanwhile
// the deletion is withdrawn.
func TestWithdrawalAfterCrashResumesThePlan(t *testing.T) {
	env := newTestEnv(t)
	clock := newTestClock()
	env.useClock(clock.now)
	current := env.subscribe("pro")
	_, err := env.stripe.Faults().Add(stripelocal.Fault{Kind: stripelocal.ServerError, Method: http.MethodPost, Path: "/v1/subscriptions/*", Calls: 1})
	env.must(err)
	env.requestDeletion()
	clock.advance(time.Minute)
	claimed, err := env.store.Deletions().ClaimCancellation(t.Context(), "", clock.now(), clock.now().Add(30*time.Second))
	env.must(err)
	env.stripeRequest(http.MethodPost, "/v1/subscriptions/"+claimed.SubscriptionID, url.Values{"cancel_at_period_end": {"true"}})
	env.must(env.service.Deletions.Withdraw(t.Context(), env.access))
	if !env.endsAtStripe(current.ID) {
		t.Fatal("resumed during another replica's lease")
	}
	clock.advance(time.Minute)
	env.must(env.service.CancelDueDeletions(t.Context()))
	if env.cancelsAtPeriodEnd() {
		t.Error("the plan still ends after the withdrawal")
	}
}

// Every page and e-mail names the date on which the plan really ends.
func TestPlanEndsWithTheOrganizationOrBefore(t *testing.T) {
	for name, before := range map[string]int{"the deletion comes first": 20, "the period ends first": 2} {
		t.Run(name, func(t *testing.T) {
			env := newTestEnv(t)
			env.useClock(env.stripe.Now)
			current := env.subscribe("pro")
			env.stripe.AdvanceClock(current.CurrentPeriodEnd.AddDate(0, 0, -before))
			env.requestDeletion()
			want := *env.access.Organization.DeletesAt
			if current.CurrentPeriodEnd.Before(want) {
				want = current.CurrentPeriodEnd
			}
			if end, ending := env.overview().PlanEndsAt(); !ending || !end.Equal(want) {
				t.Errorf("the plan ends on %v, want %v", end, want)
			}
			if env.countMails(mail.KindCanceled) != 0 || env.countMails(mail.KindDeletion) != 1 {
				t.Error("an e-mail names another date than the one about the deletion")
			}
			var named time.Time
			env.must(env.store.DB().GetContext(t.Context(), &named, `select (data->>'planEndsAt')::timestamptz from emails where kind = 'deletion'`))
			if !named.Equal(want.Truncate(time.Microsecond)) {
				t.Errorf("the e-mail names %v, want %v", named, want)
			}
		})
	}
}

// A Checkout page that is open when the deletion is requested can't be paid any more.
func TestDeletionRequestExpiresOpenCheckout(t *testing.T) {
	env := newTestEnv(t)
	session, err := env.service.Checkouts.Start(t.Context(), env.access, billing.CheckoutRequest{PlanID: "pro", Interval: catalog.Monthly})
	env.must(err)
	env.requestDeletion()
	var fetched struct{ Status string }
	env.stripeGet("/v1/checkout/sessions/"+session.StripeSessionID, &fetched)
	if fetched.Status != "expired" {
		t.Errorf("the session is %s", fetched.Status)
	}
}

// What is owed and can't be collected does not hold the deletion up: the invoice stays open.
func TestDeletionLeavesUnpaidInvoiceOpen(t *testing.T) {
	env := newTestEnv(t)
	env.failRenewal("pm_card_chargeCustomerFail")
	env.must(env.service.Subscriptions.Refresh(t.Context(), env.access))
	env.reconcile(billing.ReconcileOptions{OrganizationID: env.access.Organization.ID})
	env.requestDeletion()
	env.deleteWhenDue()
	env.reconcile(billing.ReconcileOptions{OrganizationID: env.access.Organization.ID})
	invoices, err := env.service.Invoices.List(t.Context(), env.access)
	env.must(err)
	var states []string
	for _, invoice := range invoices {
		states = append(states, invoice.Reason+" "+invoice.Status)
	}
	if got := strings.Join(states, ", "); got != "subscription_cycle open, subscription_create paid" {
		t.Errorf("invoices: %s", got)
	}
}
