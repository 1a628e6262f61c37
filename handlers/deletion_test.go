package handlers

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
)

func TestDeletedOrganizationKeepsItsInvoices(t *testing.T) {
	h := newTestEnv(t)
	admin, accountant, member := h.signIn("admin"), h.signIn("billing"), h.signIn("member")
	form := url.Values{"organizationId": {h.organization.ID}}
	page := admin.get("/organization?tab=general").wantStatus(http.StatusOK).wantText("Delete this organization", "The plan no longer renews.")
	admin.submit(page, `form[action="/organization/delete"]`, url.Values{"name": {"Lantern"}}).wantStatus(http.StatusUnprocessableEntity).wantText("exactly as shown")
	admin.submit(page, `form[action="/organization/delete"]`, url.Values{"name": {"Lantern Theatre"}}).wantStatus(http.StatusSeeOther)
	for _, b := range []*browser{admin, accountant, member} {
		b.get("/dashboard").wantStatus(http.StatusOK).wantText("This organization will be deleted on")
	}
	accountant.get("/organization?tab=general").wantNoText("Keep the organization")
	admin.submit(admin.get("/organization?tab=general"), `form[action="/organization/keep"]`, nil).wantStatus(http.StatusSeeOther)
	admin.get("/dashboard").wantNoText("This organization will be deleted on")

	admin.post("/organization/delete", url.Values{"organizationId": {h.organization.ID}, "name": {"Lantern Theatre"}}).wantStatus(http.StatusSeeOther)
	if _, err := h.store.DB().ExecContext(t.Context(), `update deletions set due_at = $1`, time.Now()); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the deletion", func() bool { return admin.get("/dashboard").status == http.StatusSeeOther })
	for _, b := range []*browser{admin, accountant} {
		b.get("/organization?tab=billing").wantRedirect("/billing/invoices")
		b.get("/billing/invoices").wantStatus(http.StatusOK).wantText("was deleted")
		b.get("/billing/getSummary").wantError(http.StatusConflict, apperr.CodeConflict, account.MessageDeleted)
		b.post("/billing/checkout", url.Values{"organizationId": form["organizationId"], "plan": {"pro"}, "interval": {"month"}}).wantStatus(http.StatusConflict)
	}
	member.get("/billing/getSummary").wantStatus(http.StatusNotFound) // not a member of any organization
}
