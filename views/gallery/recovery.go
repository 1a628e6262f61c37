package gallery

import (
	authviews "usher/views/auth"
	devviews "usher/views/dev"
	"usher/views/layout"
	"usher/views/ui"
)

func recoverySpecimens() []Specimen {
	guest := visitor(layout.SectionNone)
	reset := authviews.ResetPageProps{Layout: guest, Action: "/reset/token", Email: "ana@lyric.example"}
	wrong := reset
	wrong.Error = "Please choose a password of at least 8 characters."
	return []Specimen{
		{Name: "forgot", Title: "Forgot the password", Page: authviews.ForgotPage(authviews.ForgotPageProps{Layout: guest})},
		{Name: "forgot-wrong", Title: "Forgot the password, to be mended", Page: authviews.ForgotPage(authviews.ForgotPageProps{
			Layout: guest, Email: "ana", Error: "Please give an e-mail address such as ana@example.com."})},
		{Name: "forgot-sent", Title: "A link is on its way", Page: authviews.ForgotPage(authviews.ForgotPageProps{Layout: guest, Sent: true, MailHref: "/dev/mail"})},
		{Name: "reset", Title: "New password", Page: authviews.ResetPage(reset)},
		{Name: "reset-wrong", Title: "New password, refused", Page: authviews.ResetPage(wrong)},
		{Name: "link-spent", Title: "A link that works no more", Page: authviews.ExpiredLinkPage(authviews.LinkPageProps{
			Layout: guest, Link: ui.LinkButtonProps{Label: "Ask for a new link", Href: "/forgot"}})},
		verifySpecimen("", "to be confirmed", authviews.VerifyReady), verifySpecimen("-signed-out", "signed out", authviews.VerifySignedOut),
		verifySpecimen("-other", "another account", authviews.VerifyOtherAccount),
		{Name: "verified", Title: "Address confirmed", Page: authviews.VerifiedPage(authviews.LinkPageProps{
			Layout: guest, Link: ui.LinkButtonProps{Label: "To the dashboard", Href: "/dashboard"}})},
		emailChangeSpecimen("", "to be confirmed", authviews.VerifyReady), emailChangeSpecimen("-signed-out", "signed out", authviews.VerifySignedOut),
		emailChangeSpecimen("-other", "another account", authviews.VerifyOtherAccount),
		{Name: "email-change-stopped", Title: "Change of address stopped", Page: authviews.EmailChangeStoppedPage(authviews.LinkPageProps{
			Layout: guest, Link: ui.LinkButtonProps{Label: "To the dashboard", Href: "/dashboard"}})},
		{Name: "mailbox", Title: "E-mail that is not sent", Page: devviews.MailboxPage(devviews.MailboxPageProps{Layout: signedIn(layout.SectionNone), Mails: mails()})},
		{Name: "mailbox-empty", Title: "No e-mail yet", Page: devviews.MailboxPage(devviews.MailboxPageProps{Layout: guest})},
	}
}

func mails() []devviews.Message {
	return []devviews.Message{
		{ID: "eml_2", To: "ana@lyric.example", QueuedAt: now, Subject: "Choose a new password",
			Text: "Hello Ana Lima,\n\nSomebody, most likely you, asked for a new password for the account with this address.\n\nChoose a new password:\n" +
				"https://usher.example/reset/x1TLb9Yt0c8wQn4vRzK2pMdE7hGfJ5sUaWiOqXyBkNo\n\n-- \nUsher\n"},
		{ID: "eml_1", To: "elfriede.von-und-zu-hohenzollern-sigmaringen@donaudampfschifffahrt.example", QueuedAt: days(-1),
			Subject: unbroken + " invites you to " + rightToLeft, Text: "Hello,\n\n- 9 seats\n- paid on 1 Dec 2026\n"},
	}
}

func emailChangeSpecimen(name, title string, state authviews.VerifyState) Specimen {
	frame := visitor(layout.SectionNone)
	if state != authviews.VerifySignedOut {
		frame = signedIn(layout.SectionNone)
	}
	return Specimen{Name: "email-change" + name, Title: "Change of address, " + title, Page: authviews.EmailChangePage(authviews.EmailChangePageProps{
		Layout: frame, State: state, NewEmail: "ana@lyric-street.example", Action: "/email/token", StopAction: "/email/token/stop", LoginHref: "/login",
	})}
}

func verifySpecimen(name, title string, state authviews.VerifyState) Specimen {
	frame := visitor(layout.SectionNone)
	if state != authviews.VerifySignedOut {
		frame = signedIn(layout.SectionNone)
	}
	return Specimen{Name: "verify" + name, Title: "Confirm an address, " + title, Page: authviews.VerifyPage(authviews.VerifyPageProps{
		Layout: frame, State: state, Email: "ana@lyric.example", Action: "/verify/token", LoginHref: "/login",
	})}
}
