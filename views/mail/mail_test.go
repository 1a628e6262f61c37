package mail_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"usher/billing/catalog"
	"usher/billing/mail"
	mailviews "usher/views/mail"
	"usher/views/viewtest"
)

var december = time.Date(2026, time.December, 1, 12, 0, 0, 0, time.UTC)

// fullMail has every field set.
func fullMail() mail.Data {
	return mail.Data{
		Name: "Ana Lima", Organization: "Lyric Street", Inviter: "Bo Lind", Role: "Member", Plan: "Pro", Interval: catalog.Yearly, FormerPlan: "Starter", FormerInterval: catalog.Monthly,
		Amount: catalog.Money{Minor: 261000, Currency: "usd"}, Reason: "the card was declined", Step: "Use another card.", Card: "4242", Seats: 9, FormerSeats: 8, Credits: 1500, CodesLeft: 7, Passkey: "Firefox on Windows", Provider: "accounts.example.com",
		Changes: []string{"Bo added Chidi"}, URL: "https://usher.test/the/link?a=1&b=2", Address: "olu@new.example",
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
		mail.KindInvitation:      {"Bo Lind invites you to Lyric Street", "as Member", "works until 1 Dec 2026, 13:00 UTC"},
		mail.KindVerifyEmail:     {"Please confirm your e-mail address", "1 Dec 2026"},
		mail.KindPasswordReset:   {"Choose a new password", "once, until 1 Dec 2026, 13:00 UTC", "your password stays as it is"},
		mail.KindPasswordChanged: {"Your password was changed", "on 1 Dec 2026, 12:00 UTC", "the card was declined", "If it was not you", "choose a new password"},
		mail.KindEmailChange:     {"Confirm the change of your e-mail address", "to olu@new.example", "until 1 Dec 2026, 13:00 UTC", "stop the change"},
		mail.KindNewEmail:        {"Confirm your new e-mail address", "until 1 Dec 2026, 13:00 UTC", "ignore this e-mail"},
		mail.KindEmailTaken:      {"This address already has an account", "Nothing has changed"},
		mail.KindEmailChanged:    {"Your e-mail address was changed", "with olu@new.example from now on"},
		mail.KindPaymentFailed:   {"A payment for Lyric Street failed", "$2,610.00 could not be collected on 1 Dec 2026: the card was declined.", "Pro, yearly", "Use another card.", "Next try on 4 Dec 2026.", "Pay $2,610.00"},
		mail.KindActionRequired:  {"needs your confirmation", "Your bank wants the payment of $2,610.00 confirmed.", "Confirm payment"},
		mail.KindCardExpiring:    {"The card of Lyric Street expires soon", "4242 expires on 30 Nov 2026, before the next charge on 4 Dec 2026.", "Update card"},
		mail.KindTrialEnding:     {"ends on 1 Dec 2026", "$2,610.00 USD", "for 9 seats"},
		mail.KindRenewalNotice:   {"Lyric Street renews on 1 Dec 2026", "Pro, yearly", "$2,610.00 USD is charged", "Bo added Chidi"},
		mail.KindPriceChange:     {"The price for Lyric Street changes on 1 Dec 2026", "from Starter, monthly to Pro, yearly", "is $2,610.00 USD"},
		mail.KindRenewed:         {"is renewed", "Paid: $2,610.00 USD", "For: 9 seats", "Renews next on 4 Dec 2026"},
		mail.KindCanceled:        {"ends on 1 Dec 2026", "Until then everything works as before"},
		mail.KindResumed:         {"goes on", "renews on 4 Dec 2026"},
		mail.KindPackReceipt:     {"Receipt: 1,500 credits for Lyric Street", "Paid: $2,610.00 USD", "On: 1 Dec 2026"},
		mail.KindSeatSummary:     {"Lyric Street now has 9 seats", "from 8 to 9", "Bo added Chidi"},

		mail.KindDuplicateCanceled:    {"A second plan for Lyric Street was ended", "ended on 1 Dec 2026", "The $2,610.00 USD paid for it go back"},
		mail.KindSecondFactorOn:       {"Two-step verification is on", "a code from your authenticator app", "That was on 1 Dec 2026, 12:00 UTC.", "If it wasn't you"},
		mail.KindSecondFactorOff:      {"Two-step verification is off", "Your password alone now lets you in", "1 Dec 2026, 12:00 UTC", "If it wasn't you"},
		mail.KindRecoveryCodeUsed:     {"A recovery code was used to sign in", "You have 7 recovery codes left.", "If it wasn't you"},
		mail.KindRecoveryCodesRenewed: {"You have new recovery codes", "The former ones no longer work.", "If it wasn't you"},

		mail.KindPasskeyAdded:     {"You have a new passkey", "added to your account: \u201cFirefox on Windows\u201d.", "without your password", "If it wasn't you, remove it"},
		mail.KindPasskeyRemoved:   {"A passkey was removed", "\u201cFirefox on Windows\u201d", "Your password alone now lets you in", "If it wasn't you"},
		mail.KindIdentityLinked:   {"Sign-in with accounts.example.com is on", "olu@new.example there can now sign in to your account here", "1 Dec 2026, 12:00 UTC", "unlink it"},
		mail.KindIdentityUnlinked: {"Sign-in with accounts.example.com is off", "olu@new.example there can no longer sign in", "If it wasn't you"},

		mail.KindDeletion: {"Lyric Street is to be deleted", "Bo Lind has asked", "deleted on 1 Dec 2026", "take it back"},
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
			for _, want := range says[kind] {
				if !strings.Contains(m.Subject+" "+m.Text, want) || !strings.Contains(shown, want) {
					t.Errorf("%q is missing in\n%s\n%s", want, m.Text, shown)
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

// Names are input of other people: they add no header line, hide no text and are no markup.
func TestNamesInMailAreHarmless(t *testing.T) {
	data := fullMail()
	data.Organization = "Lyric\r\nBcc: evil@example.com\u2028\u202Egnp.exe<script>alert(1)</script>"
	data.Inviter, data.Name, data.Role = data.Organization, data.Organization, data.Organization
	data.Plan, data.Reason, data.Changes = data.Organization, data.Organization, []string{data.Organization}
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
		if n := mailDoc(t, renderMail(t, kind, fullMail())).Find("img, link, script, [src], [background], style, table").Length(); n > 0 {
			t.Errorf("%s: %d things that are fetched or should not be there", kind, n)
		}
	}
}
