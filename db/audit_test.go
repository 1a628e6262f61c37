package db

import (
	"strings"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
)

func auditEntry(organizationID, actor string, act account.Act, at time.Time) account.AuditEntry {
	return account.AuditEntry{
		At: at, OrganizationID: organizationID, ActorKind: account.ActorPerson, ActorID: "usr_" + strings.ToLower(actor), ActorName: actor + " Lovelace", Act: act,
		TargetID: "inv_1", TargetName: "grace@example.com", Before: account.AuditValues{"role": "Member"}, After: account.AuditValues{"role": "Usherette d'Or"},
		Address: "203.0.113.9", RequestID: "req_1",
	}
}

func TestAuditEntryRoundTrip(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	want := auditEntry("org_1", "Ada", account.ActInvitationSent, testTime)
	must(t, store.Audit().Insert(ctx, want))
	must(t, store.Audit().Insert(ctx, account.AuditEntry{At: testTime, ActorKind: account.ActorSystem, Act: account.ActPasswordReset}))
	got, err := store.Audit().Search(ctx, account.AuditSearch{OrganizationID: "org_1", Limit: 10})
	must(t, err)
	want.ID, want.At = got[0].ID, testTime.UTC()
	wantEqual(t, got, []account.AuditEntry{want})
}

// Whoever writes SQL by mistake, or by an injection, changes no history.
func TestAuditLogIsAppendOnly(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	old := testTime.AddDate(-3, 0, 0)
	must(t, store.Audit().Insert(ctx, auditEntry("org_1", "Ada", account.ActInvitationSent, old)))
	must(t, store.Audit().Insert(ctx, auditEntry("org_1", "Ada", account.ActInvitationSent, time.Now())))
	for _, statement := range []string{
		`update audit_entries set act = 'role.deleted'`,
		`update audit_entries set actor_name = 'Somebody else'`,
		`delete from audit_entries`,
		`truncate audit_entries`,
		`select set_config('usher.audit_maintenance', 'retention', true); delete from audit_entries`, // one is too young
		`select set_config('usher.audit_maintenance', 'retention', true); update audit_entries set act = 'role.deleted'`,
		`select set_config('usher.audit_maintenance', 'erasure', true); update audit_entries set at = now()`,
		`select set_config('usher.audit_maintenance', 'erasure', true); update audit_entries set actor_id = 'usr_x'`,
		`select set_config('usher.audit_maintenance', 'erasure', true); delete from audit_entries`,
		`select set_config('usher.audit_maintenance', 'erasure', true); truncate audit_entries`,
	} {
		if _, err := store.DB().ExecContext(ctx, statement); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

func TestAuditRetention(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	now := time.Now()
	for _, years := range []int{0, 2, 3} {
		must(t, store.Audit().Insert(ctx, auditEntry("org_1", "Ada", account.ActInvitationSent, now.AddDate(-years, 0, 0))))
	}
	err := store.InTx(ctx, func(tx billing.Tx) error {
		n, err := tx.Audit().Prune(ctx, now.AddDate(-1, -1, 0), 10)
		if n != 2 {
			t.Errorf("%d entries pruned, want 2", n)
		}
		must(t, err)
		// The permission ends with the statement, not with the transaction.
		_, err = tx.Audit().ErasePerson(ctx, "usr_ada", "", "Erased")
		return err
	})
	must(t, err)
	left, err := store.Audit().Search(ctx, account.AuditSearch{Limit: 10})
	must(t, err)
	if len(left) != 1 || left[0].ActorName != "Erased" || left[0].Address != "" || left[0].ActorID != "usr_ada" || left[0].TargetName != "grace@example.com" {
		t.Errorf("left: %+v", left)
	}
}

func TestAuditSearch(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	for i, e := range []account.AuditEntry{
		auditEntry("org_1", "Ada", account.ActInvitationSent, noon),
		auditEntry("org_1", "Grace", account.ActRoleChanged, noon.Add(time.Hour)),
		auditEntry("org_1", "O'Brien \\ \"x\" & !|:*", account.ActRoleChanged, noon.Add(2*time.Hour)),
		auditEntry("org_2", "Ada", account.ActInvitationSent, noon.Add(3*time.Hour)),
	} {
		e.RequestID = []string{"req_a", "req_b", "req_c", "req_d"}[i]
		must(t, store.Audit().Insert(ctx, e))
	}
	all := account.AuditSearch{Limit: 10}
	for name, tc := range map[string]struct {
		search account.AuditSearch
		want   string // the requests, newest first
	}{
		"all":                  {all, "req_d req_c req_b req_a"},
		"organization":         {account.AuditSearch{OrganizationID: "org_1"}, "req_c req_b req_a"},
		"beginning of a word":  {account.AuditSearch{OrganizationID: "org_1", Text: "ADA lov"}, "req_a"},
		"value":                {account.AuditSearch{OrganizationID: "org_1", Text: "usherette"}, "req_c req_b req_a"},
		"address of target":    {account.AuditSearch{OrganizationID: "org_1", Text: "grace@exa"}, "req_c req_b req_a"},
		"actor only":           {account.AuditSearch{OrganizationID: "org_1", Actor: "grace"}, "req_b"},
		"act":                  {account.AuditSearch{Act: account.ActRoleChanged}, "req_c req_b"},
		"kind":                 {account.AuditSearch{Kind: account.ActorSystem}, ""},
		"request":              {account.AuditSearch{Text: "req_b"}, "req_b"},
		"person":               {account.AuditSearch{Text: "usr_ada"}, "req_d req_a"},
		"from and until":       {account.AuditSearch{From: noon.Add(time.Hour), Until: noon.Add(3 * time.Hour)}, "req_c req_b"},
		"operators are quoted": {account.AuditSearch{Text: `o'brien`}, "req_c"},
		"only punctuation":     {account.AuditSearch{Text: `\ ' & | ! :* ( "`}, ""},
		"nothing":              {account.AuditSearch{Text: "zzz"}, ""},
	} {
		tc.search.Limit = 10
		found, err := store.Audit().Search(ctx, tc.search)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var requests []string
		for _, e := range found {
			requests = append(requests, e.RequestID)
		}
		if got := strings.Join(requests, " "); got != tc.want {
			t.Errorf("%s: found %q, want %q", name, got, tc.want)
		}
	}
	first, err := store.Audit().Search(ctx, account.AuditSearch{Limit: 3})
	must(t, err)
	rest, err := store.Audit().Search(ctx, account.AuditSearch{Before: account.AuditCursor{At: first[2].At, ID: first[2].ID}, Limit: 3})
	must(t, err)
	if len(rest) != 1 || rest[0].RequestID != "req_a" {
		t.Errorf("second page: %+v", rest)
	}
}
