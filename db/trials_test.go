package db

import (
	"testing"
	"time"

	"usher/billing"
)

func TestTrialRoundTrip(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	full := billing.Trial{
		SubscriptionID: "sub_1", OrganizationID: "org_1", Account: stripeAccount.ID, Livemode: true, StartedAt: at(1), EndsAt: at(9),
		CardFingerprint: "card", Guarded: true, CanceledAt: ptr(at(2)), NextAttemptAt: ptr(at(3)), Attempts: 4, Error: "declined",
	}
	wantFilled(t, full)
	must(t, store.Trials().Put(ctx, full))
	later := full // a payload has no card, and the end may change
	later.CardFingerprint, later.Guarded, later.EndsAt, later.Attempts = "", false, at(8), 0
	must(t, store.Trials().Put(ctx, later))
	full.EndsAt = at(8)
	got, err := store.Trials().List(ctx, "org_1", billing.StripeAccount{ID: stripeAccount.ID, Livemode: true})
	must(t, err)
	wantEqual(t, got, []billing.Trial{full})
	got, err = store.Trials().List(ctx, "org_1", billing.StripeAccount{ID: stripeAccount.ID})
	must(t, err)
	wantEqual(t, len(got), 0)
}

func TestRepeatedTrialsAreClaimedOnce(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	insertUserAndOrganization(t, store, "usr_2", "org_2")
	acct := billing.StripeAccount{ID: stripeAccount.ID}
	put := func(id, organization, card string, start time.Time, change func(*billing.Trial)) {
		trial := billing.Trial{
			SubscriptionID: id, OrganizationID: organization, Account: acct.ID, StartedAt: start, EndsAt: at(100), CardFingerprint: card, Guarded: true,
		}
		if change != nil {
			change(&trial)
		}
		must(t, store.Trials().Put(ctx, trial))
	}
	put("sub_first", "org_1", "card", at(1), nil)
	put("sub_again", "org_2", "card", at(2), nil)
	put("sub_own", "org_1", "card", at(0), nil) // the same organization
	put("sub_other", "org_2", "other card", at(3), nil)
	put("sub_unguarded", "org_2", "card", at(4), func(t *billing.Trial) { t.Guarded = false })
	put("sub_over", "org_2", "card", at(5), func(t *billing.Trial) { t.EndsAt = at(6) })
	put("sub_live", "org_2", "card", at(7), func(t *billing.Trial) { t.Livemode = true })
	claimed, err := store.Trials().ClaimRepeated(ctx, acct, at(10), at(20), 10)
	must(t, err)
	if len(claimed) != 1 || claimed[0].SubscriptionID != "sub_again" || claimed[0].Attempts != 1 {
		t.Fatalf("claimed %+v", claimed)
	}
	claim := func(now time.Time) int {
		again, err := store.Trials().ClaimRepeated(ctx, acct, now, now.Add(time.Second), 10)
		must(t, err)
		return len(again)
	}
	wantEqual(t, claim(at(10)), 0) // leased
	wantEqual(t, claim(at(30)), 1)
	done := claimed[0]
	done.CanceledAt, done.NextAttemptAt = ptr(at(31)), nil
	must(t, store.Trials().Finish(ctx, done))
	wantEqual(t, claim(at(40)), 0)
}

// The previous release knows no account of credits: its rows get the one of what they are about.
func TestCreditsOfThePreviousReleaseGetAnAccount(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	must(t, store.Customers().PutLink(ctx, billing.CustomerLink{OrganizationID: "org_1", Generation: 1, StripeCustomerID: "cus_1", Account: "acct_live", Livemode: true}))
	must(t, store.Invoices().Put(ctx, billing.Invoice{ID: "in_1", OrganizationID: "org_1", Account: "acct_test", Status: "paid", CreatedAt: at(1), AsOf: at(1)}))
	session := checkout("chk_1", "org_1")
	session.StripeSessionID, session.Account, session.Livemode, session.Status = "cs_1", "acct_test", false, billing.CheckoutOpen
	must(t, store.Checkouts().Put(ctx, session))
	const fact = `insert into credit_facts (organization_id, source, kind, invoice_id, subscription_id, charge_id, plan_id, credits, at)
		values ('org_1', $1, $2, $3, '', '', 'p', 5, now())`
	run(t, store, fact, "upgrade:in_1", "upgrade", "in_1")
	run(t, store, fact, "pack:cs_1", "pack", "")
	run(t, store, fact, "pack:cs_unknown", "pack", "")
	run(t, store, `insert into credit_accounts (organization_id, balance, plan_id, plan_granted, plan_left, invoice_id, month) values ('org_1', 5, '', 0, 0, '', 0)`)
	run(t, store, `insert into credit_entries (organization_id, at, kind, amount, balance, source, plan_id, reason) values ('org_1', now(), 'pack', 5, 5, 'x', '', '')`)
	for query, want := range map[string]string{
		`select account from credit_facts where source = 'upgrade:in_1'`:    "acct_test",
		`select account from credit_facts where source = 'pack:cs_1'`:       "acct_test",
		`select account from credit_facts where source = 'pack:cs_unknown'`: "acct_live",
		`select account from credit_accounts`:                               "acct_live",
		`select account from credit_entries`:                                "acct_live",
	} {
		wantEqual(t, one[string](t, store, query), want)
	}
	wantEqual(t, one[int](t, store, `select count(*) from credit_facts where livemode`), 1)
}
