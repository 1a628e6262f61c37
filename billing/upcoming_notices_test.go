package billing_test

import (
	"encoding/json"
	"testing"
	"time"

	"usher/billing/catalog"
	"usher/billing/mail"
)

// queuedMails returns the content of all e-mails of a kind.
func (env *testEnv) queuedMails(kind mail.Kind) []mail.Data {
	env.t.Helper()
	var rows [][]byte
	env.must(env.store.DB().SelectContext(env.t.Context(), &rows, `select data from emails where kind = $1`, kind))
	all := make([]mail.Data, len(rows))
	for i, row := range rows {
		env.must(json.Unmarshal(row, &all[i]))
	}
	return all
}

// deliverUpcoming delivers every invoice.upcoming event twice and processes what is pending.
func (env *testEnv) deliverUpcoming() {
	env.t.Helper()
	events := env.eventsOfType("invoice.upcoming")
	if len(events) == 0 {
		env.t.Fatal("Stripe sent no invoice.upcoming")
	}
	for range 2 {
		for _, event := range events {
			deliver(env.t, env, event)
		}
	}
	env.processEvents()
}

// Before a yearly renewal there is one notice, with the amount that Stripe then charges.
func TestNoticeBeforeYearlyRenewal(t *testing.T) {
	env := newTestEnv(t)
	env.stripeClock()
	env.addMembers(2)
	current := env.subscribeYearly("pro")
	env.stripe.AdvanceClock(current.CurrentPeriodEnd.AddDate(0, 0, -10))
	env.addSeats(1)
	env.stripe.AdvanceClock(current.CurrentPeriodEnd.AddDate(0, 0, -2))
	env.deliverUpcoming()
	got := env.queuedMails(mail.KindRenewalNotice)
	if len(got) != 1 || !got[0].At.Equal(current.CurrentPeriodEnd) || got[0].Plan != "Pro" || len(got[0].Lines) != 2 {
		t.Fatalf("notices %+v", got)
	}
	if n := len(env.queuedMails(mail.KindPriceChange)); n != 0 {
		t.Errorf("%d notices about another price", n)
	}
	env.stripe.AdvanceClock(current.CurrentPeriodEnd.Add(2 * time.Hour))
	if charged := env.stripeInvoices()[0].AmountDue; charged != got[0].Amount.Minor || charged <= 4*29000 {
		t.Errorf("the notice said %s, Stripe charged %d", got[0].Amount.Format(), charged)
	}
	// An event that comes after the renewal is about a period that has ended.
	env.exec(`delete from emails`)
	env.exec(`delete from stripe_events`)
	env.must(env.service.Subscriptions.Refresh(t.Context(), env.access))
	env.deliverUpcoming()
	if late := env.queuedMails(mail.KindRenewalNotice); len(late) != 0 {
		t.Errorf("a late event caused %+v", late)
	}
}

// A period with another price is announced with the amount of its first invoice. Neither a monthly
// renewal nor a plan that ends has a notice, and muted ones are not sent.
func TestNoticeBeforePriceChange(t *testing.T) {
	none := func(*testEnv) {}
	for name, c := range map[string]struct {
		prepare func(*testEnv)
		kind    mail.Kind
		want    int64 // cents; 0: no notice
	}{
		"downgrade": {func(env *testEnv) { env.changePlan("starter", catalog.Monthly) }, mail.KindPriceChange, 3 * 900},
		"muted": {func(env *testEnv) {
			env.changePlan("starter", catalog.Monthly)
			env.must(env.store.Contacts().Mute(env.t.Context(), env.access.Organization.ID, []mail.Kind{mail.KindPriceChange}))
		}, mail.KindPriceChange, 0},
		"monthly":            {none, mail.KindRenewalNotice, 0},
		"monthly, no change": {none, mail.KindPriceChange, 0},
	} {
		t.Run(name, func(t *testing.T) {
			env := newTestEnv(t)
			env.stripeClock()
			env.addMembers(2)
			current := env.subscribe("pro")
			c.prepare(env)
			env.stripe.AdvanceClock(current.CurrentPeriodEnd.AddDate(0, 0, -2))
			env.deliverUpcoming()
			got := env.queuedMails(c.kind)
			if c.want == 0 && len(got) != 0 || c.want > 0 && (len(got) != 1 || got[0].Amount.Minor != c.want || got[0].Plan != "Starter" || got[0].FormerPlan != "Pro") {
				t.Errorf("notices %+v, want %d", got, c.want)
			}
		})
	}
}
