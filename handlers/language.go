package handlers

import (
	"net/http"
	"strings"

	"usher/billing/account"
	"usher/views/locale"
)

// languagePages keep the language that a browser chose: in a cookie, since visitors have no
// session, and of people who are signed in also in their account, for e-mails and other browsers.
type languagePages struct {
	*site
	users *account.Users
}

// choose keeps the language and returns to the page with the form.
func (p *languagePages) choose(w http.ResponseWriter, r *http.Request) error {
	language, known := locale.Named(r.PostFormValue("language"))
	if known {
		http.SetCookie(w, p.choiceCookie(p.languageCookie(), string(language)))
		if viewer := identityOf(r); viewer.signedIn() {
			if err := p.users.SetLanguage(r.Context(), viewer.userID, string(language)); err != nil {
				return err
			}
		}
	}
	redirect(w, r, p.referringPage(r))
	return nil
}

// language returns the language of a response: what the browser chose, otherwise the account's,
// otherwise what the browser accepts. Operators' and developers' pages, and what programs read, are
// in English. viewer may be the zero value.
func (s *site) language(r *http.Request, rt route, viewer identity) locale.Language {
	if rt.response != page || rt.policy == operator || strings.HasPrefix(rt.pattern, "/dev/") {
		return locale.English
	}
	if cookie, err := r.Cookie(s.languageCookie()); err == nil {
		if chosen, known := locale.Named(cookie.Value); known {
			return chosen
		}
	}
	if language, known := locale.Named(viewer.access.User.Language); known {
		return language
	}
	return locale.Accepted(r.Header.Get("Accept-Language"))
}

// withLanguage returns the request in the language of its response. Its texts have the name of the
// adopter's product, except in answers to programs.
func (s *site) withLanguage(r *http.Request, rt route, viewer identity) *http.Request {
	ctx := locale.With(r.Context(), s.language(r, rt, viewer))
	if rt.response == page {
		ctx = locale.WithProduct(ctx, s.brand.Name)
	}
	return r.WithContext(ctx)
}

func (s *site) languageCookie() string { return s.choiceCookieName("language") }
