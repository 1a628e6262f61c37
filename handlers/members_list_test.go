package handlers

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestListOfManyMembers: 2,000 members and an invitation are paged together, searched together, and
// a page transfers less than 30 kB.
func TestListOfManyMembers(t *testing.T) {
	h := newTestEnv(t)
	admin := h.signIn("admin")
	admin.post("/organization/invitations", url.Values{"email": {"crowd.guest@example.com"}}).wantStatus(http.StatusSeeOther)
	for _, insert := range []string{
		`insert into users (id, email, name, password_hash, created_at) select 'usr_crowd' || n, 'crowd' || n || '@example.com', 'Crowd ' || n, 'x', now() from generate_series(1, 2000) n`,
		`insert into organization_members (id, organization_id, user_id, role_id, billable, status, joined_at)
			select 'mem_crowd' || n, '` + h.organization.ID + `', 'usr_crowd' || n, 'member', n % 2 = 0, 'active', now() from generate_series(1, 2000) n`,
	} {
		if _, err := h.store.DB().ExecContext(t.Context(), insert); err != nil {
			t.Fatal(err)
		}
	}
	first := admin.get(membersPagePath).wantStatus(http.StatusOK).wantText("2,003 people", "crowd.guest@example.com", "1 to 50 of 2,004")
	if n := first.doc().Find("tbody tr").Length(); n != membersPerPage {
		t.Errorf("%d rows, want %d", n, membersPerPage)
	}
	if size := gzipped(t, first.body); size > 30_000 {
		t.Errorf("a page of members transfers %d bytes", size)
	} else {
		t.Logf("a page of members: %d bytes, gzipped %d", len(first.body), size)
	}
	admin.get(membersPagePath + "&page=41").wantText("2,001 to 2,004 of 2,004").wantNoText("crowd.guest@example.com")
	admin.get(membersPagePath+"&q=crowd+1999").wantText("Crowd 1999", "2,003 people").wantNoText("Crowd 1998", "crowd.guest")
	admin.get(membersPagePath + "&q=CROWD.guest").wantText("crowd.guest@example.com").wantNoText("No members match")
	admin.get(membersPagePath + "&q=crowd&show=not_billed").wantText("1 to 50 of 1,000").wantNoText("crowd.guest")
	admin.get(membersPagePath+"&q=BILLING+admin").wantText(h.users["billing"].Email).wantNoText("Crowd", h.users["member"].Email)

	// The form that hands the organization over takes an address instead of a list of 2,002 names.
	general := admin.get(generalPath).wantStatus(http.StatusOK).wantText("2,003", "E-mail address of the new admin")
	if n := general.doc().Find("#handover select").Length(); n != 0 {
		t.Errorf("%d lists of members", n)
	}
	handOver := func(address string) response {
		return admin.post("/organization/handover", url.Values{"email": {address}, "name": {h.organization.Name}})
	}
	refused := handOver("nowhere@example.com").wantStatus(http.StatusUnprocessableEntity).wantText("Choose another member who is active.")
	if typed, _ := refused.doc().Find("#handover-email").Attr("value"); typed != "nowhere@example.com" {
		t.Errorf("the form has the address %q", typed)
	}
	handOver(" CROWD7@example.com").wantStatus(http.StatusSeeOther)
	if h.count("select count(*) from organization_members where id = 'mem_crowd7' and role_id = 'admin'") != 1 {
		t.Error("the organization has another admin")
	}
}

func gzipped(t *testing.T, text string) int {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Len()
}

// TestMemberNotices: what was changed is said in the list, with the facts of the member.
func TestMemberNotices(t *testing.T) {
	h := newTestEnv(t)
	admin, id := h.signIn("admin"), h.memberID("member")
	change := func(form url.Values) response {
		return admin.follow(admin.post("/organization/members/"+id, form).wantStatus(http.StatusSeeOther))
	}
	change(url.Values{"roleId": {"billing_admin"}}).wantText("The member now has the role Billing admin.")
	change(url.Values{"billable": {"false"}}).wantText("The member no longer has a seat.")
	change(url.Values{"status": {"suspended"}}).wantText("The member is suspended and can't sign in here.", "Suspended")
	change(url.Values{"status": {"active"}}).wantText("The member is active again.")
	page := admin.get(membersPagePath + "&changed=role&member=mem_none").wantStatus(http.StatusOK)
	if strings.Contains(page.body, "now has the role") {
		t.Error("a notice about nobody")
	}
	plain := h.signIn("billing").get(membersPagePath).wantText("Last seen", "3 people", "Billing starts when you choose a plan.").wantNoText("Billed")
	if n := plain.doc().Find("main form[method=post], main select:not(#show), main dialog").Length(); n != 0 {
		t.Errorf("%d controls for a member who may not change anything", n)
	}
}
