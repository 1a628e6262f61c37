package gallery

import (
	"usher/billing/account"
	authviews "usher/views/auth"
	"usher/views/layout"
	organizationviews "usher/views/organization"
)

const longDomain = "donaudampfschifffahrtselektrizitaetenhauptbetriebswerk.example"

func domainSpecimens() []Specimen {
	p := organizationviews.DomainsPageProps{
		Layout: signedIn(layout.SectionOrganization), Organization: header(layout.TabGeneral), Provider: provider, Billable: true,
	}
	listed, unproved, wrong := p, p, p
	listed.Domains = []organizationviews.DomainRow{
		domainRow("lyric.example", "lyric.example"), domainRow("xn--bcher-kva.example", "bücher.example"), domainRow(longDomain, longDomain),
	}
	listed.Domains[0].VerifiedAt, listed.Domains[1].Billable = days(-3), false
	unproved.Domains = []organizationviews.DomainRow{domainRow("lyric.example", "lyric.example")}
	unproved.Domains[0].Error = account.MessageDomainNoRecord
	wrong.Name, wrong.Error = "gmail.com", "Everybody can get an address at gmail.com, so it can't be an organization's. Enter your own domain."
	return []Specimen{
		{Name: "domains-none", Title: "Domains, none yet", Page: organizationviews.DomainsPage(p)},
		{Name: "domains", Title: "Domains", Page: organizationviews.DomainsPage(listed)},
		{Name: "domains-not-verified", Title: "A domain that is not verified", Page: organizationviews.DomainsPage(unproved)},
		{Name: "domains-refused", Title: "A domain refused", Page: organizationviews.DomainsPage(wrong)},
	}
}

func domainRow(name, shown string) organizationviews.DomainRow {
	return organizationviews.DomainRow{
		ID: "dom_1", Name: name, Shown: shown, RecordName: "_usher-verification." + name, RecordValue: "usher-verification=2fQz7Vt1Jc0mXw8LrB2nYsK5dPhE3gUoA96ZqT1-x_0",
		Billable: true, CreatedBy: "Ana Lima", CreatedAt: days(-4),
	}
}

// joining are the pages for new people whose organization has verified the domain of their address.
func joining() []Specimen {
	guest := visitor(layout.SectionNone)
	signUp := authviews.ProviderSignUpPageProps{Layout: guest, Provider: provider, Email: "ana@lyric.example", Joins: longName}
	wrong := signUp
	wrong.Errors = authviews.SignupErrors{Name: "Please give your name, in 100 characters or fewer."}
	return []Specimen{
		{Name: "provider-join", Title: "New with a provider, by a domain", Page: authviews.ProviderSignUpPage(signUp)},
		{Name: "provider-join-wrong", Title: "New with a provider, by a domain, to be corrected", Page: authviews.ProviderSignUpPage(wrong)},
		{Name: "provider-full", Title: "Provider, no free seat", Page: authviews.ProviderProblemPage(authviews.ProviderProblemPageProps{
			Layout: guest, Provider: provider, Problem: authviews.ProviderOther,
			Message: "You belong to Lantern Theatre, but its plan has no free seat right now. Ask an admin there to free one or to choose a larger plan, then sign in again.",
			Retry:   authviews.ProviderFormProps{Action: "/login/oidc", Label: "Try again"}, LoginHref: "/login",
		})},
	}
}
