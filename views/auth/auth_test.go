package auth_test

import (
	"strings"
	"testing"

	"usher/billing/catalog"
	authviews "usher/views/auth"
	"usher/views/ui"
	"usher/views/viewtest"
)

func TestSignupComesBackWithValuesAndMessages(t *testing.T) {
	page := authviews.SignupPageProps{
		Name: `Ana "Quote" <b>Lima</b>`, Email: "ana@lyric", Organization: "مسرح", Fields: []ui.Hidden{{Name: "plan", Value: "pro"}, {Name: "interval", Value: ""}},
		Errors: authviews.SignupErrors{Email: "The address is not complete.", Password: "10 characters or more."},
	}
	doc := viewtest.Render(t, authviews.SignupPage(page))
	for name, want := range map[string]string{"name": page.Name, "email": page.Email, "organization": page.Organization, "password": ""} {
		if got := doc.Find("#"+name).AttrOr("value", ""); got != want {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{"email": "The address is not complete.", "password": "10 characters or more."} {
		input := doc.Find("#" + name)
		described := strings.Fields(input.AttrOr("aria-describedby", ""))
		if input.AttrOr("aria-invalid", "") != "true" || len(described) == 0 || viewtest.Text(doc.Find("#"+described[0])) != want {
			t.Errorf("%s: the message is not beside the field: %s", name, viewtest.Outline(input))
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
	if !strings.HasPrefix(viewtest.Text(doc.Find("title")), "Please check: ") {
		t.Errorf("title %q", viewtest.Text(doc.Find("title")))
	}
}

func TestAccountPagesSayWhereTheyLead(t *testing.T) {
	intent := &authviews.PlanIntent{Plan: "Pro", Interval: catalog.Yearly}
	for name, doc := range map[string]string{
		"signup": viewtest.Text(viewtest.Render(t, authviews.SignupPage(authviews.SignupPageProps{Intent: intent})).Selection),
		"login":  viewtest.Text(viewtest.Render(t, authviews.LoginPage(authviews.LoginPageProps{Intent: intent})).Selection),
	} {
		if !strings.Contains(doc, "Pro, yearly") {
			t.Errorf("%s does not say what follows", name)
		}
	}
	doc := viewtest.Render(t, authviews.LoginPage(authviews.LoginPageProps{Email: "ana@lyric.example", Errors: authviews.LoginErrors{Form: "They do not belong together."}, SignupHref: "/signup?plan=pro"}))
	if viewtest.Text(doc.Find("[role=alert] p")) != "They do not belong together." || doc.Find("#email").AttrOr("value", "") != "ana@lyric.example" {
		t.Error("a refused log-in is not said, or loses the address")
	}
	if doc.Find("main a[href='/signup?plan=pro']").Length() != 1 || doc.Find("form[action='/login'][method=post]").Length() != 1 {
		t.Error("links or form of the log-in are missing")
	}
}
