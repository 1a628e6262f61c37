package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"testing"

	"usher/billing"
	"usher/billing/mail"
)

func TestContactsAndNotices(t *testing.T) {
	h := newTestEnv(t)
	b := h.signIn("billing")
	id := h.organization.ID
	b.get("/organization/contacts").wantStatus(http.StatusOK).wantText("They get all notices about payments and the plan.", "The admin", "The billing", "Add address")
	b.post("/organization/contacts", url.Values{"organizationId": {id}, "email": {"office at example.com"}}).wantStatus(http.StatusUnprocessableEntity).
		wantText("Enter an e-mail address")
	b.post("/organization/contacts", url.Values{"organizationId": {id}, "email": {"office@example.com"}}).wantStatus(http.StatusSeeOther)
	b.get("/organization/contacts").wantText("office@example.com", "They get no notices, because you listed addresses below.")

	b.post("/organization/notices", url.Values{"organizationId": {id}, "payment_failed": {"on"}}).wantStatus(http.StatusSeeOther)
	page := b.get("/organization/contacts").doc()
	if on := page.Find("fieldset input:checked"); on.Length() != 1 || on.AttrOr("name", "") != "payment_failed" {
		t.Errorf("%d notices are enabled", on.Length())
	}
	b.post("/organization/contacts/remove", url.Values{"organizationId": {id}, "email": {"office@example.com"}}).wantStatus(http.StatusSeeOther)
	b.get("/organization/contacts").wantText("They get all notices about payments and the plan.")
}

// TestEveryNoticeHasACheckbox: saving the form would disable a notice without one.
func TestEveryNoticeHasACheckbox(t *testing.T) {
	var labelled []mail.Kind
	for _, n := range noticeLabels {
		labelled = append(labelled, n.kind)
	}
	kinds := billing.NoticeKinds()
	slices.Sort(kinds)
	slices.Sort(labelled)
	if !slices.Equal(kinds, labelled) {
		t.Errorf("notices %v, checkboxes %v", kinds, labelled)
	}
}
