package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"usher/billing"
)

const confirmSeatsForm = "#seat-change-title ~ div form:has(input[name=confirm])"

// subscribed signs the admin in, with a plan whose seats are in sync.
func (h *testEnv) subscribed(plan string) *browser {
	h.t.Helper()
	admin := h.signIn("admin")
	admin.follow(admin.subscribe(plan, "month"))
	waitFor(h.t, "the plan", func() bool { return strings.Contains(admin.get("/organization/seats").body, "In sync") })
	return admin
}

func (h *testEnv) quantity() int {
	return h.count(`select quantity from subscriptions where is_current`)
}

// seated counts the members of the organization with a seat.
func (h *testEnv) seated() int {
	return h.count(`select count(*) from organization_members where billable and organization_id = $1`, h.organization.ID)
}

// A seat is added only after its amount was shown; the notice says what it costs and takes it back.
func TestSeatIsAddedWithItsAmountAndUndone(t *testing.T) {
	h := newTestEnv(t)
	admin := h.subscribed("pro")
	path := "/organization/members/" + h.memberID("member")

	// Taking the seat away is a change too.
	shown := admin.submit(admin.get(path), "form[action$='"+path+"']", url.Values{"roleId": {"member"}, "status": {"active"}}).wantStatus(http.StatusOK)
	shown.wantText("Remove the seat of The member", "$29.00 for the days until", "is taken off your next invoice.", "Due today$0.00", "On your next invoice", "Unused time on")
	if h.seated() != 3 {
		t.Fatal("a preview changes a member")
	}
	done := admin.follow(admin.submit(shown, confirmSeatsForm, nil).wantStatus(http.StatusSeeOther))
	done.wantText("The member no longer has a seat: $29.00 off your next invoice.", "Undo")
	undone := admin.follow(admin.submit(done, "form[action='/organization/seats/undo']", nil).wantStatus(http.StatusSeeOther))
	undone.wantText("The member now has a seat.")
	if n := h.count(`select count(*) from seat_attempts where key like 'seats:%'`); n != 0 || h.quantity() != 3 {
		t.Errorf("%d updates reached Stripe", n)
	}

	// With JavaScript the panel is a fragment, and the redirect a header.
	row := url.Values{"billable": {"false"}}
	panel := admin.post(path, row, "HX-Request", "true").wantStatus(http.StatusOK)
	if strings.Contains(panel.body, "<html") || panel.doc().Find("form[hx-post='"+path+"'] input[name=confirm]").Length() != 1 {
		t.Fatalf("no panel: %s", panel.body)
	}
	row.Set("confirm", panel.doc().Find("input[name=confirm]").AttrOr("value", ""))
	if to := admin.post(path, row, "HX-Request", "true").wantStatus(http.StatusOK).header.Get("HX-Redirect"); !strings.HasPrefix(to, seatsPath) {
		t.Errorf("redirected to %q", to)
	}
	// From the list, the list alone is replaced, as it was searched and paged.
	listed := admin.post(path, row, "HX-Request", "true", "HX-Current-URL", h.url+membersPagePath+"&q=the&page=1&notice=invited").wantStatus(http.StatusOK)
	if to := strings.ReplaceAll(listed.header.Get("HX-Location"), `\u0026`, "&"); !strings.Contains(to, `"path":"`+seatsPath) || !strings.Contains(to, `&q=the&page=1"`) {
		t.Errorf("led to %q", to)
	}
	// A second submission is the same change.
	admin.post(path, row).wantStatus(http.StatusSeeOther)
	waitFor(t, "two seats at Stripe", func() bool { return h.quantity() == 2 })
	waitFor(t, "the charge of the change", func() bool {
		return h.count(`select count(*) from seat_previews where attempt_key <> '' and charged = proration_sum and charged < 0`) == 1
	})

	// After it was sent, undoing costs something again and is shown first.
	id := row.Get("confirm")
	back := admin.post("/organization/seats/undo", url.Values{"organizationId": {h.organization.ID}, "change": {id}}).wantStatus(http.StatusOK)
	back.wantText("Add a seat for The member", "On your next invoice", "+$")
	admin.follow(admin.submit(back, confirmSeatsForm, nil).wantStatus(http.StatusSeeOther)).wantText("The member now has a seat: $", "on your next invoice.")
	waitFor(t, "three seats at Stripe", func() bool { return h.quantity() == 3 })
}

// What moved since the preview is refused with the new amounts, and nothing is changed.
func TestConfirmationOfOtherSeatsIsRefused(t *testing.T) {
	h := newTestEnv(t)
	admin := h.subscribed("pro")
	members := url.Values{"organizationId": {h.organization.ID}, "member": {h.memberID("member"), h.memberID("billing")}, "billable": {"false"}}
	bulk := admin.post("/organization/members", members).wantStatus(http.StatusOK).wantText("Remove the seats of The member and The billing", "Remove 2 seats")
	token := bulk.doc().Find("input[name=confirm]").AttrOr("value", "")
	forged := url.Values{"billable": {"false"}, "confirm": {token}}
	admin.post("/organization/members/"+h.memberID("member"), forged).wantStatus(http.StatusConflict).wantText("The amount has changed since you saw it.", "Remove the seat of The member")
	h.addMember("late", "member") // not sent yet
	members.Set("confirm", token)
	fragment := admin.post("/organization/members", members, "HX-Request", "true").wantStatus(http.StatusConflict)
	if fragment.header.Get("HX-Retarget") != "#seat-change" || !strings.Contains(fragment.body, "The amount has changed") {
		t.Errorf("fragment %v %s", fragment.header, fragment.body)
	}
	if n := h.seated(); n != 4 {
		t.Errorf("%d members have a seat, want 4: nothing changed", n)
	}
	admin.post("/organization/members", url.Values{"billable": {"true"}}).wantStatus(http.StatusConflict).wantText("select between 1 and")
	h.signIn("stranger").post("/organization/members", url.Values{"member": {h.memberID("member")}, "billable": {"false"}}).wantStatus(http.StatusNotFound)
}

// The selection is priced before a button is pressed: everybody gets a seat, or loses it.
func TestSelectionShowsItsPrice(t *testing.T) {
	h := newTestEnv(t)
	admin := h.subscribed("pro")
	price := func(names ...string) response {
		form := url.Values{"organizationId": {h.organization.ID}, "preview": {"on"}}
		for _, name := range names {
			form.Add("member", h.memberID(name))
		}
		return admin.post("/organization/members", form, "HX-Request", "true").wantStatus(http.StatusOK)
	}
	shown := price("member", "billing")
	if text := shown.text("section"); !strings.Contains(text, "$58.00 off your next invoice, then -$58.00 a month.") {
		t.Errorf("price: %s", text)
	}
	if h.seated() != 3 {
		t.Fatal("a price changes members")
	}
	form := shown.doc().Find("form[action='/organization/members']:has(input[name=confirm])")
	confirmed := url.Values{}
	form.Find("input").Each(func(_ int, s *goquery.Selection) { confirmed.Add(s.AttrOr("name", ""), s.AttrOr("value", "")) })
	admin.post("/organization/members", confirmed).wantStatus(http.StatusSeeOther)
	if h.seated() != 1 {
		t.Errorf("%d seats, want 1: %v", h.seated(), confirmed)
	}
	if mixed := price("member", "admin"); mixed.body != "" {
		t.Errorf("some with a seat and some without: %s", mixed.body)
	}
}

// An invitation shows today's amounts. Joining is not held up by them.
func TestInvitationShowsItsSeat(t *testing.T) {
	h := newTestEnv(t)
	admin := h.subscribed("pro")
	typed := url.Values{"email": {"bo@example.com"}, "roleId": {"member"}, "billable": {"on"}}
	shown := admin.submit(admin.get(membersPagePath), inviteFormSelector, typed).wantStatus(http.StatusOK)
	shown.wantText("Invite bo@example.com", "About $29.00 on your next invoice as of today.", "when bo@example.com joins", "Send the invitation")
	if n := h.count(`select count(*) from invitations`); n != 0 {
		t.Fatal("the invitation was sent before it was confirmed")
	}
	admin.follow(admin.submit(shown, confirmSeatsForm, nil).wantRedirect(membersPagePath+"&notice=invited")).wantText("The invitation is on its way", "bo@example.com")
	if h.quantity() != 3 || h.count(`select count(*) from seat_previews where kind = 'invitation' and confirmed_at is not null and proration_sum > 0`) != 1 {
		t.Error("the invitation changed the seats, or its preview is not stored")
	}
	// Without a seat there is nothing to confirm.
	admin.post("/organization/invitations", url.Values{"email": {"no@example.com"}, "roleId": {"member"}}).wantRedirect(membersPagePath + "&notice=invited")
}

// What a number of seats costs, and what one of them saves, without any change.
func TestSeatQuestions(t *testing.T) {
	h := newTestEnv(t)
	admin := h.subscribed("pro")
	cost := admin.post("/billing/preview", url.Values{"organizationId": {h.organization.ID}, "seats": {"8"}}).wantStatus(http.StatusOK)
	cost.wantText("What 8 seats would cost", "Due today$0.00", "+$145.00 a month", "Next invoice")
	if cost.doc().Find("input[name=confirm]").AttrOr("value", "") == "" {
		t.Error("no token")
	}
	admin.post("/billing/preview", url.Values{"seats": {"none"}}).wantStatus(http.StatusUnprocessableEntity).wantText("at least 1")
	h.signIn("member").post("/billing/preview", url.Values{"seats": {"8"}}).wantStatus(http.StatusForbidden)
	path := "/organization/members/" + h.memberID("member")
	admin.get(path).wantText("What would removing this seat save?")
	saved := admin.get(path+"/saving", "HX-Request", "true").wantStatus(http.StatusOK)
	if !strings.Contains(saved.body, "Removing this seat today takes $29.00 off your next invoice. Then -$29.00 a month.") {
		t.Errorf("saving: %s", saved.body)
	}
	if n := h.count(`select count(*) from seat_previews where kind = 'members'`); n != 0 {
		t.Error("a question by GET is stored")
	}
}

// Stripe hangs: the page answers in time without an amount, and the change is made only on purpose.
func TestSeatChangeWithoutPreview(t *testing.T) {
	h := newTestEnv(t)
	admin := h.subscribed("pro")
	h.hangStripe()
	path, row := "/organization/members/"+h.memberID("member"), url.Values{"billable": {"false"}}
	started := time.Now()
	page := admin.post(path, row).wantStatus(http.StatusOK).wantText("the amount is not known", "Not known", "Try again", "Remove 1 seat without preview")
	if took := time.Since(started); took < 2*time.Second {
		t.Errorf("answered after %v: Stripe was not asked", took)
	}
	if n := h.seated(); n != 3 {
		t.Fatal("the change was made without a confirmation")
	}
	admin.follow(admin.submit(page, confirmSeatsForm, nil).wantStatus(http.StatusSeeOther)).wantText("The amount was not known.")
	h.stripeHangs.Store(false)
	waitFor(t, "two seats at Stripe", func() bool { return h.quantity() == 2 })
	var sent billing.SeatAttempt
	if err := h.store.DB().GetContext(t.Context(), &sent.PreviewID, `select preview_id from seat_attempts where key like 'seats:%'`); err != nil || sent.PreviewID != "" {
		t.Errorf("sent as preview %q, %v", sent.PreviewID, err)
	}
}
