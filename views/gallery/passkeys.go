package gallery

import (
	authviews "usher/views/auth"
	"usher/views/layout"
)

const passkeyRefused = "This passkey wasn't accepted. Try again, or continue without it."

func passkeyForm(path, refused string) *authviews.PasskeyForm {
	return &authviews.PasskeyForm{Action: path, Options: path + "/options", Error: refused}
}

func passkeyRows() []authviews.PasskeyRow {
	return []authviews.PasskeyRow{
		{ID: "pky_1", Name: "Chrome on a Mac", CreatedAt: days(-60), LastUsedAt: days(-1), Synced: true},
		{ID: "pky_2", Name: longName, CreatedAt: days(-2)},
	}
}

func newPasskey(name, refused, nameError string) Specimen {
	return Specimen{Name: "new-passkey" + name, Title: "Add a passkey" + name, Page: authviews.NewPasskeyPage(authviews.NewPasskeyPageProps{
		Layout: signedIn(layout.SectionNone), Form: *passkeyForm("/settings/security/passkeys", refused), Name: "Firefox on Windows", NameError: nameError,
	})}
}

func confirmWithPasskey(name, refused string, app bool) Specimen {
	return Specimen{Name: "confirm-passkey" + name, Title: "Confirm with a passkey" + name, Page: authviews.ConfirmPage(authviews.ConfirmPageProps{
		Layout: signedIn(layout.SectionNone), Email: "ana@lyric.example", Action: "/login/confirm", SecondFactor: true, App: app, RecoveryHref: "/login/confirm?with=recovery-code", Passkey: passkeyForm("/login/confirm/passkey", refused),
	})}
}

func logInWithPasskey(name, refused string) Specimen {
	return Specimen{Name: "login-passkey" + name, Title: "Sign in with a passkey" + name, Page: authviews.LoginPage(authviews.LoginPageProps{
		Layout: visitor(layout.SectionNone), Passkey: passkeyForm("/login/passkey", refused),
	})}
}
