package handlers

import (
	"net/http"
	"net/url"

	"usher/views/ui"
)

// themePages keep the colors that a browser chose, in a cookie: visitors have no session.
type themePages struct{ *site }

// choiceLifetime is how long the choice is kept, in seconds.
const choiceLifetime = 365 * 24 * 60 * 60

// choose keeps the theme and returns to the page with the form. The operating system's is what
// browsers without the cookie use.
func (p *themePages) choose(w http.ResponseWriter, r *http.Request) error {
	http.SetCookie(w, p.choiceCookie(p.themeCookie(), string(themeNamed(r.PostFormValue("theme")))))
	redirect(w, r, p.referringPage(r))
	return nil
}

// choiceCookie is a cookie that keeps a choice of the browser; an empty one is deleted.
func (s *site) choiceCookie(name, value string) *http.Cookie {
	// #nosec G124 -- Secure unless BASE_URL is http, which production refuses
	cookie := &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: choiceLifetime, Secure: s.baseURL.Scheme == "https", HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	if value == "" {
		cookie.MaxAge = -1
	}
	return cookie
}

// choiceCookieName is the name of a cookie for a choice of the browser.
func (s *site) choiceCookieName(choice string) string {
	if s.baseURL.Scheme == "https" {
		return "__Host-usher_" + choice
	}
	return "usher_" + choice
}

// referringPage returns the page with the form, from the Referer header: the address of a page may
// hold a token, which must not be in the page. Such pages send no referrer, so "/" follows.
func (s *site) referringPage(r *http.Request) string {
	from, err := url.Parse(r.Referer())
	if err != nil || from.Scheme != s.baseURL.Scheme || from.Host != s.baseURL.Host || localPath(from.RequestURI()) == "" {
		return "/"
	}
	return from.RequestURI()
}

// theme returns what the browser chose.
func (s *site) theme(r *http.Request) ui.Theme {
	cookie, err := r.Cookie(s.themeCookie())
	if err != nil {
		return ui.SystemTheme
	}
	return themeNamed(cookie.Value)
}

func (s *site) themeCookie() string { return s.choiceCookieName("theme") }

func themeNamed(name string) ui.Theme {
	if theme := ui.Theme(name); theme == ui.LightTheme || theme == ui.DarkTheme {
		return theme
	}
	return ui.SystemTheme
}
