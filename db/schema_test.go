package db

import (
	"testing"

	"usher/billing"
)

// The schema rejects invalid states, whoever writes them.
func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	must(t, store.Members().Insert(ctx, member("mem_1", "org_1", "usr_1")))
	must(t, store.Customers().PutLink(ctx, link("org_1", 1, "cus_1")))
	must(t, store.Checkouts().Put(ctx, checkout("chk_1", "org_1")))
	storeSubscription(t, store, subscription("sub_1", "org_1"))
	storeSubscription(t, store, subscription("sub_2", "org_1"))
	must(t, store.Seats().PutState(ctx, billing.SeatState{OrganizationID: "org_1", DesiredSeats: 1}))
	must(t, store.SeatLedger().Insert(ctx, billing.SeatChange{OrganizationID: "org_1", At: at(0)}))
	insertEvents(t, store, event("evt_1"))

	for _, tc := range []struct{ constraint, statement string }{
		{"roles_built_in_check", `insert into roles values ('role_1', null, 'Everywhere', true, true)`},
		{"roles_built_in_check", `update roles set organization_id = 'org_1' where id = 'member'`},
		{"organization_members_status_check", `update organization_members set status = 'invited'`},
		{"organization_members_role_id_fkey", `update organization_members set role_id = 'role_x'`},
		{"organization_members_user_id_fkey", `update organization_members set user_id = 'usr_x'`},
		{"organization_members_organization_id_fkey", `update organization_members set organization_id = 'org_x'`},
		{"billing_customers_generation_check", `update billing_customers set generation = 0`},
		{"billing_customers_organization_id_fkey", `update billing_customers set organization_id = 'org_x'`},
		{"checkout_sessions_mode_check", `update checkout_sessions set mode = 'setup'`},
		{"checkout_sessions_status_check", `update checkout_sessions set status = 'paid'`},
		{"checkout_sessions_open_check", `update checkout_sessions set status = 'open'`},
		{"checkout_sessions_quantity_check", `update checkout_sessions set quantity = -1`},
		{"checkout_sessions_trial_days_check", `update checkout_sessions set trial_days = -1`},
		{"subscriptions_quantity_check", `update subscriptions set quantity = -1`},
		{"subscriptions_revision_check", `update subscriptions set revision = 0`},
		{"subscriptions_one_current_key", `update subscriptions set is_current = true`},
		{"subscriptions_organization_id_fkey", `update subscriptions set organization_id = 'org_x'`},
		{"billing_seat_state_desired_check", `update billing_seat_state set desired_seats = 0`},
		{"billing_seat_state_applied_check", `update billing_seat_state set last_applied_seats = -1`},
		{"billing_seat_state_version_check", `update billing_seat_state set applied_version = 1`},
		{"billing_seat_state_open_check", `update billing_seat_state set attempt_open = true, open_quantity = 1`},
		{"billing_seat_state_open_check", `update billing_seat_state set attempt_open = true, open_item_id = 'si_1'`},
		{"seat_changes_actor_user_id_fkey", `update seat_changes set actor_user_id = 'usr_x'`},
		{"stripe_events_outcome_check", `update stripe_events set outcome = 'done'`},
		{"stripe_events_pending_check", `update stripe_events set next_attempt_at = now()`},
		{"sessions_token_hash_check", `insert into sessions values ('token', 'x', now(), null)`},
	} {
		t.Run(tc.constraint, func(t *testing.T) {
			err := store.exec(ctx, "break", tc.statement)
			wantConstraint(t, err, tc.constraint)
		})
	}
}

func TestSnapshotWithoutATimeIsRefused(t *testing.T) {
	t.Parallel()
	store := newTestStore(t)
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	s := subscription("sub_1", "org_1")
	s.AsOf = billing.Subscription{}.AsOf
	if _, err := store.Subscriptions().Put(t.Context(), s); err == nil {
		t.Fatal("a snapshot without a time was stored")
	}
}

// Role names are unique within an organization, so that people can tell them apart.
func TestRoleNamesAreUniqueWithinAnOrganization(t *testing.T) {
	t.Parallel()
	store := newTestStore(t)
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	insertUserAndOrganization(t, store, "usr_2", "org_2")
	run(t, store, `insert into roles values ('role_1', 'org_1', 'Buyer', true, true), ('role_2', 'org_2', 'Buyer', true, true)`)
	err := store.exec(t.Context(), "insert role", `insert into roles values ('role_3', 'org_1', 'BUYER', true, true)`)
	wantConflict(t, err, "roles_organization_name_key", "name")
}

// A new snapshot is a heap-only update (HOT) without index writes: the webhook's speed depends on
// it.
func TestSnapshotsAreUpdatedInPlace(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	storeSubscription(t, store, subscription("sub_1", "org_1"))
	must(t, store.InTx(ctx, func(tx billing.Tx) error {
		for range 5 {
			storeSubscription(t, tx, subscription("sub_1", "org_1"))
		}
		updated, err := get[int](ctx, tx.(queries), "count", `select pg_stat_get_xact_tuples_hot_updated('subscriptions'::regclass)`)
		wantEqual(t, updated, 5)
		return err
	}))
}
