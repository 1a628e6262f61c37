package main

import (
	"encoding/json"
	"strings"
	"testing"

	"usher/db"
	"usher/db/dbtest"
)

// TestDomainCommand removes the verified domain of an organization beside a running server, once.
func TestDomainCommand(t *testing.T) {
	dsn := dbtest.New(t, db.Migrate)
	environment := []string{"DATABASE_URL=" + dsn, "DATA_DIR=" + newDataDir(t)}
	startServer(t, environment...)
	store, err := db.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	_, err = store.DB().ExecContext(t.Context(), `with o as (insert into organizations (id, name, created_at) values ('org_1', 'Lyric', now()) returning id)
		insert into organization_domains (id, organization_id, domain, token, billable, created_by, created_at, verified_at)
		select 'dom_1', id, 'xn--bcher-kva.example', 'x', true, 'Ana', now(), now() from o
		union all select 'dom_2', id, 'example.com', 'x', true, 'Ana', now(), null from o`)
	if err != nil {
		t.Fatal(err)
	}
	run := func(want int, args ...string) string {
		t.Helper()
		code, stdout, stderr := runCommand(t, append([]string{"domain"}, args...), environment...)
		if code != want {
			t.Fatalf("%v: exit code %d, want %d: %s", args, code, want, stderr)
		}
		return stdout
	}
	run(exitFailed, "remove", "example.com") // not verified
	var view domainView
	if text := run(exitOK, "remove", "Bücher.example", "--json"); json.Unmarshal([]byte(text), &view) != nil || view.OrganizationID != "org_1" {
		t.Errorf("it prints %s", text)
	}
	run(exitFailed, "remove", "bücher.example")
	run(exitUsage, "remove")
	run(exitUsage, "list")
	var names []string
	if err := store.DB().SelectContext(t.Context(), &names, `select d.domain || ' ' || a.act from organization_domains d, audit_entries a`); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(names, ", "); got != "example.com domain.removed" {
		t.Errorf("there is %s", got)
	}
}
