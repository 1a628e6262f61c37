package gallery

import (
	"usher/billing/account"
	"usher/billing/catalog"
	authviews "usher/views/auth"
	"usher/views/layout"
	organizationviews "usher/views/organization"
)

const wrongCode = "This code doesn't match, or was used already. Please type the next one that your app shows."

func securitySpecimens() []Specimen {
	specimens := []Specimen{
		secondStep("", "code", authviews.SecondStepPageProps{App: true}),
		secondStep("-wrong", "code refused", authviews.SecondStepPageProps{App: true, Error: wrongCode}),
		secondStep("-recovery", "recovery code", authviews.SecondStepPageProps{App: true, Recovery: true}),
		secondStep("-recovery-wrong", "recovery code refused", authviews.SecondStepPageProps{App: true, Recovery: true, Error: "This is not one of your unused recovery codes."}),
		secondStep("-intent", "then Checkout", authviews.SecondStepPageProps{App: true, Intent: &authviews.PlanIntent{
			Plan: "Pro", Interval: catalog.Monthly, Price: dollars(2900), PerSeat: true, People: 8, First: dollars(2900), Total: dollars(23200)}}),
		secondStep("-passkey", "passkey", authviews.SecondStepPageProps{Passkey: passkeyForm("/login/second-factor/passkey", "")}),
		secondStep("-passkey-refused", "passkey refused", authviews.SecondStepPageProps{Passkey: passkeyForm("/login/second-factor/passkey", passkeyRefused)}),
		secondStep("-app-and-passkey", "code or passkey", authviews.SecondStepPageProps{App: true, Passkey: passkeyForm("/login/second-factor/passkey", "")}),
		secondStep("-recovery-of-passkey", "recovery code instead of a passkey", authviews.SecondStepPageProps{Recovery: true, Passkey: passkeyForm("/login/second-factor/passkey", "")}),
		security("-off", "off", authviews.SecurityPageProps{CanAdd: true}),
		security("-off-no-passkeys", "off, passkeys not possible", authviews.SecurityPageProps{}),
		security("-passkeys", "with passkeys", authviews.SecurityPageProps{CanAdd: true, CodesLeft: account.RecoveryCodes, Passkeys: passkeyRows()}),
		security("-both", "with app and passkeys", authviews.SecurityPageProps{CanAdd: true, Since: days(-30), CodesLeft: 8, Passkeys: passkeyRows()}),
		security("-passkey-name", "name of a passkey refused", authviews.SecurityPageProps{CanAdd: true, CodesLeft: 8, Passkeys: []authviews.PasskeyRow{
			{ID: "pky_1", Name: "Firefox on Windows", CreatedAt: days(-30), Error: "Please name the passkey, in 100 characters or fewer."}}}),
		newPasskey("", "", ""), newPasskey("-refused", passkeyRefused, ""), newPasskey("-name", "", "Please name the passkey, in 100 characters or fewer."),
		confirmWithPasskey("", "", false), confirmWithPasskey("-refused", passkeyRefused, false), confirmWithPasskey("-and-app", "", true),
		logInWithPasskey("", ""), logInWithPasskey("-refused", passkeyRefused),
		security("-off-wrong", "off, wrong password", authviews.SecurityPageProps{CanAdd: true, Errors: authviews.SecurityErrors{Begin: "This is not your password."}}),
		security("-on", "on", authviews.SecurityPageProps{CanAdd: true, Since: days(-30), CodesLeft: account.RecoveryCodes}),
		security("-few-codes", "few recovery codes", authviews.SecurityPageProps{CanAdd: true, Since: days(-30), CodesLeft: 1}),
		security("-on-wrong", "wrong password", authviews.SecurityPageProps{CanAdd: true, Since: days(-30), CodesLeft: 8, Errors: authviews.SecurityErrors{Disable: "This is not your password."}}),
		security("-organization", "required by the organization", authviews.SecurityPageProps{CanAdd: true, RequiredBy: authviews.RequiredByOrganization, Organization: longName}),
		security("-billing", "required of billing managers", authviews.SecurityPageProps{CanAdd: true, RequiredBy: authviews.RequiredOfBilling}),
		security("-operators", "required of operators", authviews.SecurityPageProps{CanAdd: true, RequiredBy: authviews.RequiredOfOperators}),
		security("-all", "required of everybody", authviews.SecurityPageProps{CanAdd: true, RequiredBy: authviews.RequiredOfAll}),
		authenticator("", "Authenticator app", ""),
		authenticator("-wrong", "Authenticator app, code refused", wrongCode),
	}
	return append(specimens, recoveryCodes("", true), recoveryCodes("-renewed", false),
		requirement("", organizationviews.SecondFactorProps{}),
		requirement("-refused", organizationviews.SecondFactorProps{Required: true, Error: "Set up two-step verification for yourself first."}),
		requirement("-required", organizationviews.SecondFactorProps{Required: true, Ready: true}))
}

func secondStep(name, title string, p authviews.SecondStepPageProps) Specimen {
	p.Layout, p.CodeHref, p.RecoveryHref = visitor(layout.SectionNone), "/login/second-factor", "/login/second-factor?with=recovery-code"
	return Specimen{Name: "second-step" + name, Title: "Second step, " + title, Page: authviews.SecondStepPage(p)}
}

func security(name, title string, p authviews.SecurityPageProps) Specimen {
	p.Layout = signedIn(layout.SectionNone)
	return Specimen{Name: "security" + name, Title: "Account security, " + title, Page: authviews.SecurityPage(p)}
}

func authenticator(name, title, wrong string) Specimen {
	const key = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	return Specimen{Name: "authenticator" + name, Title: title, Page: authviews.AuthenticatorPage(authviews.AuthenticatorPageProps{
		Layout: signedIn(layout.SectionNone), Key: key, Error: wrong,
		URL: "otpauth://totp/Usher%20%28usher.example%29:ana@lyric.example?algorithm=SHA1&digits=6&issuer=Usher%20%28usher.example%29&period=30&secret=" + key,
	})}
}

func recoveryCodes(name string, enabled bool) Specimen {
	return Specimen{Name: "recovery-codes" + name, Title: "Recovery codes" + name, Page: authviews.RecoveryCodesPage(authviews.RecoveryCodesPageProps{
		Layout: signedIn(layout.SectionNone), Enabled: enabled, Site: "usher.example",
		Codes: []string{
			"k3vqzn-7xw2ab-m4cdfe-p5hjrt", "aq2wsx-3edc4r-fvtgby-hnujmi", "zxcvbn-mkjhgf-dsaqwe-rtyuio", "p2o3i4-u5y6t7-rewqas-dfghjk", "lmnbvc-xz2345-67abcd-efghij",
			"qpwoei-ruty23-456789-lkjhgf", "mznxbc-vlkajs-hdgf76-54qwer", "tyuiop-asdfgh-jklzxc-vbnm23", "plokij-uhygtf-rdeswa-q23456", "wsxedc-rfvtgb-yhnujm-ikolp7",
		},
	})}
}

func requirement(name string, p organizationviews.SecondFactorProps) Specimen {
	props := general(signedIn(layout.SectionOrganization), header(layout.TabGeneral))
	props.SecondFactor = &p
	return Specimen{Name: "general-security" + name, Title: "General, security of members" + name, Page: organizationviews.GeneralPage(props)}
}
