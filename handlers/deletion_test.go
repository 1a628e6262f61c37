package handlers

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
)

func TestOrganizationIsDeletedAndItsInvoicesStay(t *testing.T) {
	h := openHouse(t)
	admin, accountant, member := h.signedIn("admin"), h.signedIn("billing"), h.signedIn("member")
	form := url.Values{"organizationId": {h.organization.ID}}
	page := admin.get("/organization?tab=general").is(http.StatusOK).shows("Delete Lantern Theatre", "not renewed any more")
	admin.submit(page, `form[action="/organization/delete"]`, url.Values{"name": {"Lantern"}}).is(http.StatusUnprocessableEntity).shows("exactly as it stands here")
	admin.submit(page, `form[action="/organization/delete"]`, url.Values{"name": {"Lantern Theatre"}}).is(http.StatusSeeOther)
	for _, b := range []*browser{admin, accountant, member} {
		b.get("/dashboard").is(http.StatusOK).shows("This organization will be deleted on")
	}
	accountant.get("/organization?tab=general").hides("Keep the organization")
	admin.submit(admin.get("/organization?tab=general"), `form[action="/organization/keep"]`, nil).is(http.StatusSeeOther)
	admin.get("/dashboard").hides("This organization will be deleted on")

	admin.post("/organization/delete", url.Values{"organizationId": {h.organization.ID}, "name": {"Lantern Theatre"}}).is(http.StatusSeeOther)
	if _, err := h.store.DB().ExecContext(t.Context(), `update deletions set due_at = $1`, time.Now()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is deleted", func() bool { return admin.get("/dashboard").status == http.StatusSeeOther })
	for _, b := range []*browser{admin, accountant} {
		b.get("/organization?tab=billing").leadsTo("/billing/invoices")
		b.get("/billing/invoices").is(http.StatusOK).shows("was deleted")
		b.get("/billing/getSummary").problem(http.StatusConflict, apperr.CodeConflict, account.MessageDeleted)
		b.post("/billing/checkout", url.Values{"organizationId": form["organizationId"], "plan": {"pro"}, "interval": {"month"}}).is(http.StatusConflict)
	}
	member.get("/billing/getSummary").is(http.StatusNotFound) // as one who is in no organization
}
