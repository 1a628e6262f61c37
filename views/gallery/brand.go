package gallery

import (
	"usher/views/brand"
	"usher/views/layout"

	authviews "usher/views/auth"
)

// brandSpecimens are pages of an adopter whose name is long, or from right to left.
func brandSpecimens() []Specimen {
	links := brand.Brand{SupportURL: "mailto:help@lantern.example", TermsURL: "https://lantern.example/terms", PrivacyURL: "https://lantern.example/privacy"}
	branded := func(p layout.Props, name, logo string) layout.Props {
		p.Brand = links
		p.Brand.Name, p.Brand.Logo = name, logo
		return p
	}
	guest, member := visitor(layout.SectionNone), signedIn(layout.SectionNone)
	return []Specimen{
		{Name: "brand-long", Title: "A long name", Page: layout.ErrorPage(layout.ErrorPageProps{Layout: branded(member, "Donaudampfschifffahrtselektrizitätenhauptbetriebswerk & Söhne", ""), Status: 404})},
		{Name: "brand-rtl", Title: "A name from right to left", Page: authviews.SignupPage(authviews.SignupPageProps{Layout: branded(guest, "مسرح الفانوس الكبير", "")})},
		{Name: "brand-picture", Title: "A picture", Page: authviews.SignupPage(authviews.SignupPageProps{Layout: branded(guest, "Lantern", "/static/none.svg")})},
	}
}
