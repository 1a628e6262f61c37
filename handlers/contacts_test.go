package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"testing"

	"usher/billing"
	"usher/billing/mail"
)

func TestContactsAndNoticesAreChosen(t *testing.T) {
	h := openHouse(t)
	b := h.signedIn("billing")
	id := h.organization.ID
	b.get("/organization/contacts").is(http.StatusOK).shows("go to The admin and The billing", "Add the address")
	b.post("/organization/contacts", url.Values{"organizationId": {id}, "email": {"office at example.com"}}).is(http.StatusUnprocessableEntity).
		shows("Please give an e-mail address")
	b.post("/organization/contacts", url.Values{"organizationId": {id}, "email": {"office@example.com"}}).is(http.StatusSeeOther)
	b.get("/organization/contacts").shows("office@example.com").hides("go to The admin and The billing")

	b.post("/organization/notices", url.Values{"organizationId": {id}, "payment_failed": {"on"}}).is(http.StatusSeeOther)
	page := b.get("/organization/contacts").doc()
	if on := page.Find("fieldset input:checked"); on.Length() != 1 || on.AttrOr("name", "") != "payment_failed" {
		t.Errorf("%d notices are on", on.Length())
	}
	b.post("/organization/contacts/remove", url.Values{"organizationId": {id}, "email": {"office@example.com"}}).is(http.StatusSeeOther)
	b.get("/organization/contacts").shows("go to The admin and The billing")
}

// What has no box would be switched off by whoever saves the others.
func TestEveryNoticeHasItsBox(t *testing.T) {
	var labelled []mail.Kind
	for _, n := range noticeLabels {
		labelled = append(labelled, n.kind)
	}
	kinds := billing.NoticeKinds()
	slices.Sort(kinds)
	slices.Sort(labelled)
	if !slices.Equal(kinds, labelled) {
		t.Errorf("there are %v, and boxes for %v", kinds, labelled)
	}
}
