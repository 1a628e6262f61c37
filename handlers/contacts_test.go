package handlers

import (
	"net/http"
	"net/url"
	"testing"
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
