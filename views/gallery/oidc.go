package gallery

import (
	"net/http"
	"slices"

	"usher/billing/account"
	authviews "usher/views/auth"
	"usher/views/layout"
	"usher/views/ui"
)

const provider = "accounts.lyric.example"

func providerForm() authviews.ProviderFormProps {
	return authviews.ProviderFormProps{Action: "/login/oidc", Label: "Continue with " + provider}
}

func oidcSpecimens() []Specimen {
	guest, viewer := visitor(layout.SectionNone), signedIn(layout.SectionNone)
	signUp := authviews.ProviderSignUpPageProps{Layout: guest, Provider: provider, Email: "ana@lyric.example", Name: "Ana Lima"}
	wrong := signUp
	wrong.Name, wrong.Errors = "", authviews.SignupErrors{Name: "Please give your name, in 100 characters or fewer.", Organization: "Please name your organization, in 100 characters or fewer."}
	link := authviews.ProviderLinkPageProps{Layout: guest, Provider: provider, Email: "ana@lyric.example", LoginHref: "/login"}
	off, in := link, link
	off.PasswordsOff = true
	in.Layout, in.SignedInAs = viewer, "ana@lyric.example"
	return append([]Specimen{
		{Name: "login-provider", Title: "Sign in, with a provider", Page: authviews.LoginPage(authviews.LoginPageProps{Layout: guest, Provider: providerForm()})},
		{Name: "login-provider-only", Title: "Sign in, without passwords", Page: authviews.LoginPage(authviews.LoginPageProps{Layout: guest, Provider: providerForm(), PasswordsOff: true})},
		{Name: "signup-provider", Title: "Sign up, with a provider", Page: authviews.SignupPage(authviews.SignupPageProps{Layout: guest, Provider: providerForm()})},
		{Name: "handover", Title: "Hand-over", Page: authviews.HandoverPage(authviews.HandoverPageProps{
			Layout: guest, Action: "/handover", Token: "eyJ", Email: "ana@lyric.example", Organization: longName, SignsOut: "ben@lyric.example",
		})},
		{Name: "handover-refused", Title: "Hand-over, refused", Page: authviews.HandoverProblemPage(authviews.HandoverProblemPageProps{Layout: guest})},
		{Name: "frame-stripe", Embedded: true, Title: "In a frame: on to Stripe", Page: layout.LeaveFramePage(layout.LeaveFramePageProps{
			Layout: layout.Props{Embedded: true}, Href: "https://checkout.stripe.com", Window: layout.WholeWindow, Stripe: true,
		})},
		{Name: "frame-tab", Embedded: true, Title: "In a frame: a page of its own", Page: layout.LeaveFramePage(layout.LeaveFramePageProps{
			Layout: layout.Props{Embedded: true}, Href: "/settings", Window: layout.NewTab,
		})},
		{Name: "frame-signed-out", Embedded: true, Title: "In a frame: no longer signed in", Page: layout.ErrorPage(layout.ErrorPageProps{
			Layout: layout.Props{Embedded: true}, Status: http.StatusUnauthorized,
		})},
		{Name: "signup-invite", Title: "Sign up, by invitation", Page: authviews.SignupPage(authviews.SignupPageProps{Layout: guest, InviteOnly: true})},
		{Name: "signup-invite-provider", Title: "Sign up, by invitation or with a provider", Page: authviews.SignupPage(authviews.SignupPageProps{Layout: guest, InviteOnly: true, Provider: providerForm()})},
		{Name: "provider", Title: "Sign in with a provider", Page: authviews.ProviderPage(authviews.ProviderPageProps{Layout: guest, Provider: provider})},
		{Name: "provider-redirect", Title: "On the way to the provider", Page: authviews.ProviderRedirectPage(authviews.ProviderRedirectPageProps{Layout: guest, Provider: provider, Href: "/login"})},
		{Name: "provider-signup", Title: "New with a provider", Page: authviews.ProviderSignUpPage(signUp)},
		{Name: "provider-signup-wrong", Title: "New with a provider, to be corrected", Page: authviews.ProviderSignUpPage(wrong)},
		{Name: "provider-link", Title: "Address of an account", Page: authviews.ProviderLinkPage(link)},
		{Name: "provider-link-off", Title: "Address of an account, without passwords", Page: authviews.ProviderLinkPage(off)},
		{Name: "provider-link-confirm", Title: "Link an identity", Page: authviews.ProviderLinkPage(in)},
		invited("", authviews.InvitationPageProps{Provider: providerForm()}),
		invited("-only", authviews.InvitationPageProps{Provider: providerForm(), PasswordsOff: true}),
		invited("-identity", authviews.InvitationPageProps{IdentityProvider: provider, IdentityEmail: "noa@lyric.example", Name: "Noa Levi"}),
		confirm("-provider", ", password or provider", authviews.ConfirmPageProps{Provider: providerForm()}),
		confirm("-provider-only", ", provider only", authviews.ConfirmPageProps{Provider: providerForm(), NoPassword: true}),
		confirm("-provider-code", ", code after the provider", authviews.ConfirmPageProps{AtProvider: true, NoPassword: true, SecondFactor: true, App: true}),
		security("-provider", "provider not linked", authviews.SecurityPageProps{SignIn: authviews.SignInProps{Provider: provider, HasPassword: true}}),
		security("-linked", "provider linked", authviews.SecurityPageProps{SignIn: identities(true)}),
		security("-no-password", "no password", authviews.SecurityPageProps{NoPassword: true, SignIn: identities(false)}),
		security("-no-password-on", "no password, on", authviews.SecurityPageProps{NoPassword: true, Since: days(-30), CodesLeft: 8, SignIn: identities(false)}),
		{Name: "settings-no-password", Title: "Settings, no password", Page: authviews.SettingsPage(authviews.SettingsPageProps{
			Layout: viewer, Name: "Ana Lima", Email: "ana@lyric.example", Verified: true, Sessions: sessionList(1), NoPassword: true,
		})},
	}, slices.Concat(joining(), problems())...)
}

func identities(password bool) authviews.SignInProps {
	return authviews.SignInProps{Provider: provider, HasPassword: password, Identities: []authviews.IdentityRow{
		{Provider: provider, Email: "ana@lyric.example", Since: days(-30), Fields: []ui.Hidden{{Name: "issuer", Value: "https://" + provider}, {Name: "subject", Value: "248289761001"}}},
	}}
}

func problems() []Specimen {
	var all []Specimen
	for _, state := range []struct {
		name, title string
		problem     authviews.ProviderProblem
		message     string
	}{
		{"refused", "answer refused", authviews.ProviderRefused, ""},
		{"expired", "too late", authviews.ProviderExpired, ""},
		{"canceled", "canceled", authviews.ProviderCanceled, ""},
		{"away", "away", authviews.ProviderAway, ""},
		{"not-fresh", "not signed in again", authviews.ProviderNotFresh, ""},
		{"other", "linked to another account", authviews.ProviderOther, account.MessageIdentityTaken},
	} {
		p := authviews.ProviderProblemPageProps{
			Layout: visitor(layout.SectionNone), Provider: provider, Problem: state.problem, Message: state.message,
			Retry: authviews.ProviderFormProps{Action: "/login/oidc", Label: "Try again"}, LoginHref: "/login",
		}
		if state.problem == authviews.ProviderNotFresh || state.problem == authviews.ProviderOther {
			p.Layout, p.LoginHref = signedIn(layout.SectionNone), ""
		}
		all = append(all, Specimen{Name: "provider-" + state.name, Title: "Provider, " + state.title, Page: authviews.ProviderProblemPage(p)})
	}
	return all
}

func invited(name string, p authviews.InvitationPageProps) Specimen {
	p.Layout, p.State, p.Organization, p.Inviter, p.Role = visitor(layout.SectionNone), authviews.InvitationSignup, organizationName, "Ana Lima", "Member"
	p.Email, p.ExpiresAt, p.Action, p.LoginHref = "noa.levi@lyric.example", days(6), "/invite/abc", "/login?next=%2Finvite%2Fabc"
	return Specimen{Name: "invite-provider" + name, Title: "An invitation, with a provider" + name, Page: authviews.InvitationPage(p)}
}
