// Package gallery shows every page and component in every state, with sample props, at /dev/ui in
// development. People review the design there, and tests check its pages.
//
// Kept out: real data. No page reads or changes anything, and none is served in production.
package gallery

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"usher/views/locale"

	"github.com/a-h/templ"
)

// english is the context of texts that the samples hold ready.
var english = locale.With(context.Background(), locale.English)

// Specimen is one page in one state.
type Specimen struct {
	Name  string // value of the query parameter show
	Title string
	Group string
	Page  templ.Component
	// Embedded is a page in a frame of the adopter's product, which has no header and footer.
	Embedded bool
}

// Href is the path at which [Handler] serves the specimen.
func (s Specimen) Href() string { return "/dev/ui?" + url.Values{"show": {s.Name}}.Encode() }

// Handler serves the index of the gallery with all components, or the specimen named by ?show=.
func Handler() http.Handler {
	specimens := Specimens()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.URL.Query().Get("show")
		if name == "" {
			templ.Handler(indexPage(specimens)).ServeHTTP(w, r)
			return
		}
		for _, specimen := range specimens {
			if specimen.Name == name {
				templ.Handler(specimen.Page).ServeHTTP(w, r)
				return
			}
		}
		http.NotFound(w, r)
	})
}

// Specimens returns every page in every state, in the order of the index. Names are unique.
func Specimens() []Specimen {
	var all []Specimen
	for _, group := range []struct {
		title     string
		specimens []Specimen
	}{
		{"Pricing", pricingSpecimens()},
		{"Accounts", accountSpecimens()},
		{"Two-step verification", securitySpecimens()},
		{"Identity provider", oidcSpecimens()},
		{"Recovery and e-mail", recoverySpecimens()},
		{"Dashboard", dashboardSpecimens()},
		{"Organization", organizationSpecimens()},
		{"Members", memberSpecimens()},
		{"Billing", billingSpecimens()},
		{"Seat panel", seatSpecimens()},
		{"Change of seats", slices.Concat(seatChangeSpecimens(), seatBarSpecimens())},
		{"Operations", operationsSpecimens()},
		{"Errors", errorSpecimens()},
		{"Brand", brandSpecimens()},
	} {
		for _, specimen := range group.specimens {
			specimen.Group = group.title
			all = append(all, specimen)
		}
	}
	return all
}
