package db

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"usher/billing"
)

// lastFormerMigration is the last migration known to the previous release.
const lastFormerMigration = 28

// formerWrites are statements of the previous release with the former names of columns and tables.
// They run at least twice with different values, so that upserts also update.
var formerWrites = []string{
	`insert into subscriptions (id, organization_id, customer_id, account, livemode, test_clock, status, price_id, item_id, quantity,
		cancel_at_period_end, card_brand, card_last4, created_at, metadata_org_id, is_current, moment, revision)
	values ('sub_1', 'org_1', 'cus_1', 'acct_1', true, false, 'active', 'price_1', 'si_1', 1, false, '', '', $1, '', false, $1, 1)
	on conflict (id) do update set moment = excluded.moment, revision = subscriptions.revision + 1`,
	`insert into invoices (id, organization_id, customer_id, subscription_id, account, livemode, test_clock, number, status, reason,
		currency, total, amount_paid, amount_due, attempts, hosted_url, created_at, org_id, moment, revision)
	values ('in_1', 'org_1', 'cus_1', 'sub_1', 'acct_1', true, false, '', 'open', '', 'usd', 1, 0, 1, 0, '', $1, '', $1, 1)
	on conflict (id) do update set moment = excluded.moment, revision = invoices.revision + 1`,
	`insert into payments (id, organization_id, customer_id, invoice_id, account, livemode, test_clock, currency, amount, refunded, lost,
		moment, revision)
	values ('ch_1', 'org_1', 'cus_1', 'in_1', 'acct_1', true, false, 'usd', 1, 0, 0, $1, 1)
	on conflict (id) do update set moment = excluded.moment, revision = payments.revision + 1`,
	`insert into billing_customers (organization_id, generation, stripe_customer_id, account, livemode, email, name, created_at,
		updated_at)
	values ('org_1', 1, 'cus_1', 'acct_1', true, '', '', $1, $1)
	on conflict (organization_id, generation) do update set updated_at = excluded.updated_at`,
	`update billing_customers set moment = $1 where moment is null or moment <= $1`,
	`update billing_customers set details_wanted = details_wanted + 1 where created_at <= $1`,
	`update billing_customers set details_pushed = details_wanted - 1 where created_at <= $1`,
	`insert into billing_seat_state (organization_id, desired_seats, sync_error, sync_version, applied_version, attempt, attempt_open,
		open_item_id, open_quantity, open_version, failures, told_at, drifts)
	values ('org_1', 1, '', 1, 1, 0, false, '', 0, 0, 0, $1, 1)
	on conflict (organization_id) do update set told_at = excluded.told_at, drifts = billing_seat_state.drifts + 1`,
	`insert into seat_attempts (key, organization_id, subscription_id, version, quantity, proration, at, request_id, accepted, error)
	values ('key_1', 'org_1', 'sub_1', 1, 1, 'none', $1, '', null, '') on conflict (key) do nothing`,
	`update seat_attempts set request_id = 'req_1', accepted = true, told_at = $1 where key = 'key_1'`,
	`insert into credit_accounts (organization_id, balance, plan_id, plan_granted, plan_left, invoice_id, month, next_month_at,
		rest_consumed, turn)
	values ('org_1', 1, '', 0, 0, '', 0, $1, 7, 1)
	on conflict (organization_id) do update set rest_consumed = credit_accounts.rest_consumed + 1, turn = credit_accounts.turn + 1`,
	`insert into credit_entries (organization_id, at, kind, amount, balance, source, plan_id, reason, period, plan_part)
	values ('org_1', $1, 'consume', -5, 1, $1::timestamptz::text, '', '', '2026-03', 3)`,
	`insert into deletions (organization_id, asked_by, asked_at, due_at, ends_plan, failures, error)
	values ('org_1', 'usr_1', $1, $1, false, 0, '') on conflict (organization_id) do update set asked_at = excluded.asked_at`,
	`insert into surplus_subscriptions (subscription_id, organization_id, kept_id, status, found_at, canceling_at, attempts, error,
		next_attempt_at, refunded_minor, currency, done_at)
	values ('sub_2', 'org_1', 'sub_1', 'ending', $1, null, 0, '', $1, 0, '', null)
	on conflict (subscription_id) do update set kept_id = excluded.kept_id, status = excluded.status, found_at = excluded.found_at,
		attempts = 0, error = '', next_attempt_at = excluded.next_attempt_at, done_at = null
		where surplus_subscriptions.status = 'spared'`,
	`with due as materialized (
		select subscription_id from surplus_subscriptions where status = 'ending' and next_attempt_at <= $1
		order by next_attempt_at limit 1 for no key update skip locked
	)
	update surplus_subscriptions set next_attempt_at = $1, attempts = attempts + 1 where subscription_id = (select subscription_id from due)
	returning kept_id`,
	`update surplus_subscriptions set status = 'spared', next_attempt_at = null, done_at = $1 where subscription_id = 'sub_2'`,
}

// renamed lists the former and the current name of each column.
var renamed = []struct{ table, former, now string }{
	{"subscriptions", "moment", "as_of"},
	{"invoices", "moment", "as_of"},
	{"payments", "moment", "as_of"},
	{"billing_customers", "moment", "as_of"},
	{"billing_customers", "details_wanted", "details_version"},
	{"billing_customers", "details_pushed", "details_applied_version"},
	{"billing_seat_state", "told_at", "acknowledged_at"},
	{"billing_seat_state", "drifts", "drift_count"},
	{"seat_attempts", "told_at", "acknowledged_at"},
	{"credit_accounts", "rest_consumed", "extra_consumed"},
	{"credit_accounts", "turn", "version"},
	{"credit_entries", "plan_part", "plan_amount"},
	{"deletions", "asked_by", "requested_by"},
	{"deletions", "asked_at", "requested_at"},
}

// wantEqualNames checks that both names of a column have equal values in every row, and that some
// row has a value.
func wantEqualNames(t *testing.T, store *Store) {
	t.Helper()
	for _, c := range renamed {
		query := fmt.Sprintf(`select count(*) filter (where %[2]s is distinct from %[3]s) * 1000000 + count(%[3]s) from %[1]s`, c.table, c.former, c.now)
		if n := one[int](t, store, query); n == 0 || n >= 1000000 {
			t.Errorf("%s.%s and %s: %d rows differ, %d have a value", c.table, c.former, c.now, n/1000000, n%1000000)
		}
	}
	former := one[string](t, store, `select string_agg(concat_ws(' ', subscription_id, kept_id, status), ',') from surplus_subscriptions`)
	now := one[string](t, store, `select string_agg(concat_ws(' ', subscription_id, kept_subscription_id, status), ',') from duplicate_subscriptions`)
	wantEqual(t, strings.ReplaceAll(now, "kept", "spared"), former)
}

func runFormerWrites(t *testing.T, store *Store, at ...time.Time) {
	t.Helper()
	for _, at := range at {
		for _, statement := range formerWrites {
			run(t, store, statement, at)
		}
	}
}

// Rows written before the migration have their values under the current names after it.
func TestFormerNamesAreCopied(t *testing.T) {
	t.Parallel()
	store, dsn := newEmptyStore(t, "statement_cache", "off")
	provider, err := newProvider(store.db.DB)
	must(t, err)
	_, err = provider.UpTo(t.Context(), lastFormerMigration)
	must(t, err)
	run(t, store, `insert into users (id, email, name, password_hash, created_at) values ('usr_1', 'usr_1@example.com', 'Ada', 'x', $1)`, at(0))
	run(t, store, `insert into organizations (id, name, created_at) values ('org_1', 'Acme', $1)`, at(0))
	runFormerWrites(t, store, at(1), at(2))
	must(t, Migrate(t.Context(), dsn))
	wantEqualNames(t, store)
	_, err = provider.DownTo(t.Context(), lastFormerMigration)
	must(t, err)
	wantEqual(t, one[string](t, store, `select status from surplus_subscriptions`), "spared")
}

// During a rolling deployment programs of the previous release run beside this one: both read what
// either writes.
func TestPreviousReleaseRunsBesideThisOne(t *testing.T) {
	t.Parallel()
	store := newTestStore(t)
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	runFormerWrites(t, store, at(1))
	wantEqualNames(t, store)
	writeNames(t, store, 2)
	wantEqualNames(t, store)
	runFormerWrites(t, store, at(3))
	wantEqualNames(t, store)
	s, err := store.Subscriptions().Get(t.Context(), "sub_1")
	must(t, err)
	wantEqual(t, s.AsOf, at(3))
	writeNames(t, store, 4)
	wantEqualNames(t, store)
	wantEqual(t, one[time.Time](t, store, `select moment from subscriptions`).UTC(), at(4))
	wantEqual(t, one[string](t, store, `select status from surplus_subscriptions`), "ending")
}

// writeNames writes every renamed column as this program does.
func writeNames(t *testing.T, store *Store, seconds int) {
	t.Helper()
	ctx, moment := t.Context(), at(seconds)
	s := subscription("sub_1", "org_1")
	s.AsOf = moment
	storeSubscription(t, store, s)
	must(t, store.Invoices().Put(ctx, billing.Invoice{ID: "in_1", OrganizationID: "org_1", Status: "paid", CreatedAt: moment, AsOf: moment}))
	must(t, store.Payments().Put(ctx, billing.Payment{ID: "ch_1", OrganizationID: "org_1", AsOf: moment}))
	must(t, store.Customers().Put(ctx, stripeAccount, billing.StripeCustomer{ID: "cus_1", AsOf: moment}))
	must(t, store.Customers().ScheduleUpdate(ctx, "org_1", stripeAccount, moment))
	must(t, store.Seats().PutState(ctx, billing.SeatState{OrganizationID: "org_1", DesiredSeats: 1, AcknowledgedAt: &moment, Drifts: seconds}))
	must(t, store.SeatAttempts().RecordAnswer(ctx, billing.SeatAttempt{Key: "key_1", AcknowledgedAt: &moment}))
	must(t, store.Credits().PutAccount(ctx, billing.CreditAccount{OrganizationID: "org_1", PackConsumed: 10 * seconds, Recounts: seconds}))
	_, err := store.Credits().InsertEntry(ctx, billing.CreditEntry{OrganizationID: "org_1", At: moment, Kind: billing.CreditConsume, Source: moment.String(), PlanPart: seconds})
	must(t, err)
	must(t, store.Deletions().Remove(ctx, "org_1"))
	must(t, store.Deletions().Insert(ctx, billing.Deletion{OrganizationID: "org_1", RequestedBy: "usr_1", RequestedAt: moment, DueAt: moment}))
	_, err = store.Duplicates().Insert(ctx, billing.DuplicateSubscription{SubscriptionID: "sub_2", OrganizationID: "org_1", KeptSubscriptionID: "sub_3", Status: billing.DuplicateCanceling, FoundAt: moment, NextAttemptAt: &moment})
	must(t, err)
}

// upserts writes 1000 snapshots of one subscription, each in its own transaction.
const upserts = `do $$
begin
	for i in 1..1000 loop
		insert into subscriptions (id, organization_id, customer_id, account, livemode, test_clock, status, price_id, item_id, quantity,
			cancel_at_period_end, card_brand, card_last4, created_at, metadata_org_id, is_current, as_of)
		values ('sub_1', 'org_1', 'cus_1', 'acct_1', true, false, 'active', 'price_1', 'si_1', 1, false, '', '', now(), '', false,
			clock_timestamp())
		on conflict (id) do update set as_of = excluded.as_of, revision = subscriptions.revision + 1;
		commit;
	end loop;
end
$$`

// BenchmarkSubscriptionTriggers measures the cost of the triggers on the webhook path: the time of
// 1000 snapshots, without round trips.
func BenchmarkSubscriptionTriggers(b *testing.B) {
	for _, mode := range []string{"enable", "disable"} {
		b.Run(mode, func(b *testing.B) {
			store := newTestStore(b, "statement_timeout", "0", "synchronous_commit", "off")
			insertUserAndOrganization(b, store, "usr_1", "org_1")
			run(b, store, `alter table subscriptions alter column moment drop not null`)
			run(b, store, `alter table subscriptions `+mode+` trigger user`)
			for b.Loop() {
				run(b, store, upserts)
			}
		})
	}
}
