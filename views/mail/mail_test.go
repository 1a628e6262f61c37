package mail_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"usher/billing/catalog"
	"usher/billing/mail"
	"usher/billing/phrase"
	mailviews "usher/views/mail"
	"usher/views/viewtest"
)

var december = time.Date(2026, time.December, 1, 12, 0, 0, 0, time.UTC)

// fullMail has every field set.
func fullMail() mail.Data {
	return mail.Data{
		Name: "Ana Lima", Organization: "Lyric Street", Inviter: "Bo Lind", Role: "Member", Plan: "Pro", Interval: catalog.Yearly, FormerPlan: "Starter", FormerInterval: catalog.Monthly,
		Amount: catalog.Money{Minor: 261000, Currency: "usd"}, Reason: "the card was declined", Step: "Use another card.", Card: "4242", Seats: 9, FormerSeats: 8, Credits: 1500, CodesLeft: 7, Passkey: "Firefox on Windows", Provider: "accounts.example.com",
		Lines: []phrase.Phrase{phrase.Of("%s, by %s", phrase.In(phrase.Of("%s %s", phrase.Name("Chidi"), phrase.In(phrase.Of("was added")))), phrase.Name("Bo"))}, URL: "https://usher.test/the/link?a=1&b=2", Endpoint: "https://example.com/hook", Address: "olu@new.example",
		ExpiresAt: december.Add(time.Hour), At: december, NextAt: december.AddDate(0, 0, 3),
	}
}

func renderMail(t *testing.T, kind mail.Kind, data mail.Data) mail.Rendered {
	t.Helper()
	rendered, err := mailviews.Renderer{}.Render(context.Background(), mail.Message{Kind: kind, Data: data})
	if err != nil {
		t.Fatal(err)
	}
	return rendered
}

func mailDoc(t *testing.T, m mail.Rendered) *goquery.Document {
	t.Helper()
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(m.HTML))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestEveryKindOfMailSaysWhatItKnows(t *testing.T) {
	says := map[mail.Kind][]string{
		mail.KindInvitation:      {"Bo Lind invited you to Lyric Street", "as Member", "works until 1 Dec 2026, 13:00 UTC"},
		mail.KindVerifyEmail:     {"Confirm your e-mail address", "1 Dec 2026"},
		mail.KindPasswordReset:   {"Choose a new password", "once, until 1 Dec 2026, 13:00 UTC", "your password stays the same"},
		mail.KindPasswordChanged: {"Your password was changed", "on 1 Dec 2026, 12:00 UTC", "the card was declined", "If it wasn't you", "Choose a new password now"},
		mail.KindEmailChange:     {"Confirm your change of e-mail address", "to olu@new.example", "until 1 Dec 2026, 13:00 UTC", "stop the change"},
		mail.KindNewEmail:        {"Confirm your new e-mail address", "until 1 Dec 2026, 13:00 UTC", "you can ignore this e-mail"},
		mail.KindEmailTaken:      {"This address already has an account", "nothing has changed"},
		mail.KindEmailChanged:    {"Your e-mail address was changed", "From now on, sign in with olu@new.example."},
		mail.KindPaymentFailed:   {"Pay $2,610.00 for Lyric Street", "to pay for Lyric Street", "$2,610.00 could not be collected on 1 Dec 2026: the card was declined.", "Pro, yearly", "Use another card.", "Next try on 4 Dec 2026.", "Pay $2,610.00"},
		mail.KindActionRequired:  {"Confirm the payment of $2,610.00 for Lyric Street", "to confirm for Lyric Street", "Your bank wants the payment of $2,610.00 confirmed.", "Confirm payment"},
		mail.KindCardExpiring:    {"Update the card for Lyric Street", "4242 expires on 30 Nov 2026, before the next charge on 4 Dec 2026.", "Update card"},
		mail.KindTrialEnding:     {"ends on 1 Dec 2026", "then continues for $2,610.00 USD, for 9 seats"},
		mail.KindRenewalNotice:   {"Lyric Street renews on 1 Dec 2026 for $2,610.00", "plan of Lyric Street (Pro, yearly) renews", "for $2,610.00 USD", "charged on 1 Dec 2026", "Chidi was added, by Bo"},
		mail.KindPriceChange:     {"The price for Lyric Street changes on 1 Dec 2026", "from Starter, monthly to Pro, yearly", "is $2,610.00 USD"},
		mail.KindRenewed:         {"Receipt: $2,610.00 for Lyric Street", "paid for Lyric Street", "was renewed", "Paid: $2,610.00 USD", "For: 9 seats", "Renews on: 4 Dec 2026"},
		mail.KindCanceled:        {"Lyric Street keeps Pro until 1 Dec 2026", "you won't be charged again"},
		mail.KindResumed:         {"Lyric Street keeps Pro", "renews on 4 Dec 2026"},
		mail.KindPackReceipt:     {"Receipt: 1,500 credits for Lyric Street", "Paid: $2,610.00 USD", "Date: 1 Dec 2026", "paid for 1,500 credits"},
		mail.KindSeatSummary:     {"Lyric Street now has 9 seats", "from 8 to 9", "Chidi was added, by Bo"},

		mail.KindDuplicateCanceled:    {"A duplicate plan for Lyric Street was canceled", "canceled the second plan on 1 Dec 2026", "The $2,610.00 USD paid for it will be refunded"},
		mail.KindSecondFactorOn:       {"Two-step verification is on", "a code from your authenticator app", "This happened on 1 Dec 2026, 12:00 UTC.", "If it wasn't you"},
		mail.KindSecondFactorOff:      {"Two-step verification is off", "You now sign in with your password only", "1 Dec 2026, 12:00 UTC", "If it wasn't you"},
		mail.KindRecoveryCodeUsed:     {"A recovery code was used to sign in", "You have 7 recovery codes left.", "If it wasn't you"},
		mail.KindRecoveryCodesRenewed: {"You have new recovery codes", "The previous ones no longer work.", "If it wasn't you"},

		mail.KindPasskeyAdded:     {"You have a new passkey", "added to your account: \u201cFirefox on Windows\u201d.", "without your password", "If it wasn't you, remove it"},
		mail.KindPasskeyRemoved:   {"A passkey was removed", "\u201cFirefox on Windows\u201d", "You now sign in with your password only", "If it wasn't you"},
		mail.KindIdentityLinked:   {"Sign-in with accounts.example.com is on", "olu@new.example at accounts.example.com can now sign in to your account", "1 Dec 2026, 12:00 UTC", "unlink it"},
		mail.KindIdentityUnlinked: {"Sign-in with accounts.example.com is off", "olu@new.example at accounts.example.com can no longer sign in", "If it wasn't you"},

		mail.KindWebhookDisabled: {"A webhook of Lyric Street is off", "https://example.com/hook", "Messages have failed since 1 Dec 2026", "turn the webhook on again"},

		mail.KindDeletion: {"Lyric Street will be deleted on 1 Dec 2026", "Bo Lind asked to delete", "can keep the organization"},
	}
	for _, kind := range mail.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			data := fullMail()
			m := renderMail(t, kind, data)
			doc := mailDoc(t, m)
			shown := viewtest.Text(doc.Find("body"))
			if len(says[kind]) == 0 {
				t.Fatal("nobody says what it should say")
			}
			all := m.Subject + " " + m.Text + " " + shown
			for _, want := range says[kind] {
				if !strings.Contains(all, want) {
					t.Errorf("%q is missing in\n%s\n%s", want, m.Text, shown)
				}
			}
			for _, paragraph := range strings.Split(strings.TrimSpace(m.Text), "\n\n")[1:] {
				if line, _, _ := strings.Cut(strings.TrimPrefix(paragraph, "- "), "\n"); line != "--" && line != "-- " && !strings.Contains(shown, strings.TrimSuffix(line, ":")) {
					t.Errorf("only the text says %q", line)
				}
			}
			if !strings.Contains("\n"+m.Text, "\n"+data.URL+"\n") {
				t.Errorf("the link stands on no line of its own: %s", m.Text)
			}
			if doc.Find("a[href='"+data.URL+"']").Length() != 2 {
				t.Errorf("the link is not in the HTML: %s", m.HTML)
			}
			if !strings.Contains(m.Text, "Hello Ana Lima,") || !strings.Contains(shown, "Hello Ana Lima,") {
				t.Error("no greeting")
			}
		})
	}
}

// Unknown facts are left out without a trace such as a double space or an empty amount.
func TestMailWithLittleKnownReadsWell(t *testing.T) {
	for _, kind := range mail.Kinds() {
		m := renderMail(t, kind, mail.Data{Organization: "Lyric Street", URL: "https://usher.test/x"})
		all := m.Subject + "\n" + m.Text
		for _, wrong := range []string{"  ", " .", " ,", "..", "()", "1 Jan 0001", "0001", "%!", "of  ", "!", "\n\n\n"} {
			if strings.Contains(all, wrong) {
				t.Errorf("%s says %q: %s", kind, wrong, all)
			}
		}
		if m.Subject == "" || !strings.HasPrefix(m.Text, "Hello,\n") {
			t.Errorf("%s: %s", kind, all)
		}
	}
}

// The list of a letter is in the recipient's language. Lines that the previous version queued stay
// English.
func TestListedLinesInGerman(t *testing.T) {
	data := fullMail()
	data.Changes = []string{"Bo added Di"}
	m, err := mailviews.Renderer{}.Render(t.Context(), mail.Message{Kind: mail.KindSeatSummary, Data: data, Language: "de"})
	if err != nil || !strings.Contains(m.Text, "- Bo added Di\n- Chidi wurde hinzugefügt, durch Bo\n") {
		t.Errorf("%v: %s", err, m.Text)
	}
}

// An invitation is in the language of its recipient, or else of its sender.
func TestLanguageOfInvitation(t *testing.T) {
	for languages, want := range map[[2]string]string{
		{"", "de"}: "eingeladen", {"en", "de"}: "invited", {"de", ""}: "eingeladen", {"", ""}: "invited", {"", "xx"}: "invited",
	} {
		data := fullMail()
		data.SenderLanguage = languages[1]
		m, err := mailviews.Renderer{}.Render(t.Context(), mail.Message{Kind: mail.KindInvitation, Data: data, Language: languages[0]})
		if err != nil || !strings.Contains(m.Subject+m.Text, want) {
			t.Errorf("of the recipient %q and the sender %q: %v: %s", languages[0], languages[1], err, m.Text)
		}
	}
}

// Names are input of other people: they add no header line, hide no text and are no markup.
func TestNamesInMailAreHarmless(t *testing.T) {
	data := fullMail()
	data.Organization = "Lyric\r\nBcc: evil@example.com\u2028\u202Egnp.exe<script>alert(1)</script>"
	data.Inviter, data.Name, data.Role = data.Organization, data.Organization, data.Organization
	data.Plan, data.Reason, data.Lines = data.Organization, data.Organization, []phrase.Phrase{phrase.Verbatim(data.Organization)}
	for _, kind := range mail.Kinds() {
		m := renderMail(t, kind, data)
		if strings.ContainsAny(m.Subject, "\r\n\u2028\u202E") || strings.ContainsAny(m.Text+m.HTML, "\r\u2028\u202E") {
			t.Errorf("%s: subject %q, text %q", kind, m.Subject, m.Text)
		}
		if strings.Contains(m.Text, "\nBcc:") || mailDoc(t, m).Find("script").Length() > 0 {
			t.Errorf("%s: something of the name counts: %s", kind, m.HTML)
		}
	}
	if _, err := (mailviews.Renderer{}).Render(context.Background(), mail.Message{Kind: "poem"}); err == nil {
		t.Error("a kind without words was rendered")
	}
}

// An e-mail loads nothing when it is opened, so that opening it is not tracked.
func TestMailFetchesNothing(t *testing.T) {
	for _, kind := range mail.Kinds() {
		m := renderMail(t, kind, fullMail())
		if n := mailDoc(t, m).Find("img, link, script, [src], [background], table, form").Length(); n > 0 {
			t.Errorf("%s: %d things that are fetched or should not be there", kind, n)
		}
		if strings.Contains(m.HTML, "url(") || strings.Contains(m.HTML, "@import") {
			t.Errorf("%s: the styles fetch something", kind)
		}
	}
}

// Every letter has landmarks, one heading and dark colors. The heading is the amount where money is
// the point.
func TestMailHasStructure(t *testing.T) {
	amounts := map[mail.Kind]bool{}
	for _, kind := range mail.Kinds() {
		m := renderMail(t, kind, fullMail())
		doc := mailDoc(t, m)
		for _, part := range []string{"body header", "body main", "body footer", "main h1", "html[lang]", `meta[name="color-scheme"][content="light dark"]`} {
			if n := doc.Find(part).Length(); n != 1 {
				t.Errorf("%s: %d of %s, want 1", kind, n, part)
			}
		}
		if !strings.Contains(doc.Find("style").Text(), "prefers-color-scheme:dark") {
			t.Errorf("%s has no dark colors", kind)
		}
		if heading := viewtest.Text(doc.Find("h1")); strings.HasPrefix(heading, "$2,610.00 ") {
			amounts[kind] = true
		} else if heading != m.Subject {
			t.Errorf("%s: heading %q, subject %q", kind, heading, m.Subject)
		}
	}
	for _, kind := range []mail.Kind{mail.KindPaymentFailed, mail.KindActionRequired, mail.KindRenewalNotice, mail.KindRenewed, mail.KindPackReceipt, mail.KindPriceChange} {
		if !amounts[kind] {
			t.Errorf("the heading of %s is not the amount", kind)
		}
	}
}

// An invitation by a program is not that of the owner of an imported organization, which says what
// changes for a plan that runs already.
func TestInvitationsWithoutAnInviter(t *testing.T) {
	for subject, data := range map[string]mail.Data{
		"Someone at Lyric Street invited you to Lyric Street": {Organization: "Lyric Street", Role: "Admin"},
		"Manage the plan of Lyric Street":                     {Organization: "Lyric Street", Role: "Admin", OfImport: true},
	} {
		m, err := mailviews.Renderer{}.Render(t.Context(), mail.Message{Kind: mail.KindInvitation, Data: data})
		if err != nil || m.Subject != subject {
			t.Errorf("subject %q, want %q (%v)", m.Subject, subject, err)
		}
	}
}
