package views_test

import (
	"strings"
	"testing"

	"usher/billing"
	"usher/views"
)

func TestSignupComesBackWithValuesAndMessages(t *testing.T) {
	page := views.SignupPageProps{
		Name: `Ana "Quote" <b>Lima</b>`, Email: "ana@lyric", Organization: "مسرح", Fields: []views.Hidden{{Name: "plan", Value: "pro"}, {Name: "interval", Value: ""}},
		Errors: views.SignupErrors{Email: "The address is not complete.", Password: "10 characters or more."},
	}
	doc := render(t, views.SignupPage(page))
	for name, want := range map[string]string{"name": page.Name, "email": page.Email, "organization": page.Organization, "password": ""} {
		if got := doc.Find("#"+name).AttrOr("value", ""); got != want {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{"email": "The address is not complete.", "password": "10 characters or more."} {
		input := doc.Find("#" + name)
		described := strings.Fields(input.AttrOr("aria-describedby", ""))
		if input.AttrOr("aria-invalid", "") != "true" || len(described) == 0 || text(doc.Find("#"+described[0])) != want {
			t.Errorf("%s: the message is not beside the field: %s", name, outline(input))
		}
	}
	if _, wrong := doc.Find("#name").Attr("aria-invalid"); wrong {
		t.Error("a good field is marked as wrong")
	}
	if focused := doc.Find("[autofocus]"); focused.Length() != 1 || focused.AttrOr("id", "") != "email" {
		t.Error("the first field to be mended does not take the focus")
	}
	if doc.Find("input[type=hidden]").Length() != 1 || doc.Find("input[name=plan]").AttrOr("value", "") != "pro" {
		t.Error("what is carried along is lost, or an empty value is sent")
	}
	if !strings.HasPrefix(text(doc.Find("title")), "Please check: ") {
		t.Errorf("title %q", text(doc.Find("title")))
	}
}

func TestAccountPagesSayWhereTheyLead(t *testing.T) {
	intent := &views.PlanIntent{Plan: "Pro", Interval: billing.Yearly}
	for name, doc := range map[string]string{
		"signup": text(render(t, views.SignupPage(views.SignupPageProps{Intent: intent})).Selection),
		"login":  text(render(t, views.LoginPage(views.LoginPageProps{Intent: intent})).Selection),
	} {
		if !strings.Contains(doc, "Then on to Checkout for Pro, yearly.") {
			t.Errorf("%s does not say what follows", name)
		}
	}
	doc := render(t, views.LoginPage(views.LoginPageProps{Email: "ana@lyric.example", Errors: views.LoginErrors{Form: "They do not belong together."}, SignupHref: "/signup?plan=pro"}))
	if text(doc.Find("[role=alert] p")) != "They do not belong together." || doc.Find("#email").AttrOr("value", "") != "ana@lyric.example" {
		t.Error("a refused log-in is not said, or loses the address")
	}
	if doc.Find("main a[href='/signup?plan=pro']").Length() != 1 || doc.Find("form[action='/login'][method=post]").Length() != 1 {
		t.Error("links or form of the log-in are missing")
	}
}

func card(choice views.PlanChoice) views.PlanCardProps {
	return views.PlanCardProps{
		ID: "pro", Name: "Pro", Interval: billing.Yearly, Price: usd(29000), PerSeat: true, Seats: 8, Total: usd(232000), Credits: 1000,
		Features: []string{"Feature C"}, Choice: choice, OrganizationID: "org_1", SeatMinimum: 2, SeatMaximum: 500, TrialDays: 14,
	}
}

func TestPlanCardByChoice(t *testing.T) {
	for _, c := range []struct {
		choice views.PlanChoice
		form   bool
		says   string
	}{
		{views.ChoosePlan, true, "Choose Pro"},
		{views.CurrentPlan, false, "Your plan"},
		{views.ChangeInBilling, false, "Change plan in billing"},
		{views.AskBillingAdmin, false, "An admin or billing admin of your organization can choose this plan."},
		{views.NotOffered, false, "Not offered yearly."},
	} {
		doc := render(t, views.PlanCard(card(c.choice)))
		if got := doc.Find("form[method=post][action='/billing/checkout']").Length() == 1; got != c.form {
			t.Errorf("choice %d: form %t", c.choice, got)
		}
		if !strings.Contains(text(doc.Selection), c.says) {
			t.Errorf("choice %d reads: %s", c.choice, text(doc.Selection))
		}
	}
}

func TestPlanCardSendsWhatWasChosen(t *testing.T) {
	doc := render(t, views.PlanCard(card(views.ChoosePlan)))
	for name, want := range map[string]string{"organizationId": "org_1", "plan": "pro", "interval": "year"} {
		if got := doc.Find("input[name="+name+"]").AttrOr("value", ""); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, want := range []string{"$290", "per person / year", "for 8 people: $2,320 per year", "1,000 credits each month", "From 2 to 500 people", "14 days to try it"} {
		if !strings.Contains(text(doc.Selection), want) {
			t.Errorf("the card does not say %q: %s", want, text(doc.Selection))
		}
	}
	visitor := card(views.ChoosePlan)
	visitor.OrganizationID = ""
	if render(t, views.PlanCard(visitor)).Find("input[name=organizationId]").Length() != 0 {
		t.Error("a visitor sends an organization")
	}
}

func TestPricingSwitchKeepsThePeople(t *testing.T) {
	doc := render(t, views.PricingPage(views.PricingPageProps{
		Interval: billing.Monthly, Intervals: []billing.Interval{billing.Monthly, billing.Yearly}, YearlySaving: "2 months free", Seats: 27,
	}))
	if got := text(doc.Find("a[href='/pricing?interval=year&seats=27']")); got != "Yearly · 2 months free" {
		t.Errorf("yearly link: %q", got)
	}
	if got := text(doc.Find("nav[aria-label='Billing interval'] a[aria-current]")); got != "Monthly" {
		t.Errorf("current interval: %q", got)
	}
	form := doc.Find("form[method=get][action='/pricing']")
	if form.Find("input[name=interval]").AttrOr("value", "") != "month" || form.Find("input[name=seats]").AttrOr("value", "") != "27" {
		t.Errorf("people form: %s", outline(form))
	}
}

func TestErrorPages(t *testing.T) {
	for status, want := range map[int]string{
		400: "could not be understood", 403: "for others to change", 404: "no such page", 405: "done that way", 409: "does not go together", 429: "A little slower", 500: "our side", 502: "Stripe did not answer", 418: "our side",
	} {
		doc := render(t, views.ErrorPage(views.ErrorPageProps{Status: status, RequestID: "req_7"}))
		if got := text(doc.Find("h1")); !strings.Contains(got, want) {
			t.Errorf("%d: %q", status, got)
		}
		if !strings.Contains(text(doc.Find("main")), "req_7") || strings.Contains(text(doc.Find("h1")), "req_7") {
			t.Errorf("%d: the request is not named, or named first", status)
		}
	}
	doc := render(t, views.ErrorPage(views.ErrorPageProps{Status: 403, Message: "Only organization admins can manage billing"}))
	if !strings.Contains(text(doc.Find("main")), "Only organization admins can manage billing") {
		t.Error("the message is not said")
	}
}

func TestMembersTable(t *testing.T) {
	doc := render(t, views.MembersPage(views.MembersPageProps{
		Filter:       views.MemberFilter(billing.MemberSearch{}),
		Organization: views.OrganizationHeader{ID: "org_1", Name: "Lyric", Current: views.TabMembers},
		Members: []views.MemberRow{
			{Name: "<script>alert(1)</script>", Email: "a@lyric.example", Role: "Admin", Billed: true, Status: billing.MemberActive, JoinedAt: december, You: true},
			{Name: "Ben", Email: "b@lyric.example", Role: "Member", Status: billing.MemberSuspended, JoinedAt: december, LastSeenAt: december},
		},
		Pager: views.Pager{From: 1, To: 2, Total: 40, NextHref: "/organization?tab=members&page=2"},
	}))
	rows := doc.Find("tbody tr")
	if rows.Length() != 2 || !strings.Contains(text(rows.First()), "<script>alert(1)</script> · you") || !strings.Contains(text(rows.First()), "Billed") || !strings.Contains(text(rows.First()), "Never") {
		t.Errorf("first row: %s", text(rows.First()))
	}
	if second := text(rows.Last()); !strings.Contains(second, "Not billed") || !strings.Contains(second, "Suspended") || !strings.Contains(second, "1 Dec 2026") {
		t.Errorf("second row: %s", second)
	}
	if doc.Find("main table form, main table button, main table input").Length() != 0 {
		t.Error("a read-only list has controls")
	}
	if !strings.Contains(text(doc.Find("nav[aria-label=Pages]")), "1 to 2 of 40") || doc.Find("a[href='/organization?tab=members&page=2']").Length() != 1 {
		t.Error("the pager does not lead on")
	}
	if got := text(doc.Find("nav[aria-label=Organization] a[aria-current=page]")); got != "Members" {
		t.Errorf("current tab %q", got)
	}
}
