package handlers

import (
	"net/http"
	"net/url"

	"usher/views/ui"
)

// themePages keep the colors that a browser chose, in a cookie: visitors have no session.
type themePages struct{ *site }

// themeLifetime is how long the choice is kept, in seconds.
const themeLifetime = 365 * 24 * 60 * 60

// choose keeps the theme and returns to the page with the form. The operating system's is what
// browsers without the cookie use.
func (p *themePages) choose(w http.ResponseWriter, r *http.Request) error {
	// #nosec G124 -- Secure unless BASE_URL is http, which production refuses
	cookie := &http.Cookie{
		Name: p.themeCookie(), Path: "/", MaxAge: -1, Secure: p.baseURL.Scheme == "https", HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	if theme := themeNamed(r.PostFormValue("theme")); theme != ui.SystemTheme {
		cookie.Value, cookie.MaxAge = string(theme), themeLifetime
	}
	http.SetCookie(w, cookie)
	redirect(w, r, p.referringPage(r))
	return nil
}

// referringPage returns the page with the form, from the Referer header: the address of a page may
// hold a token, which must not be in the page. Such pages send no referrer, so "/" follows.
func (p *themePages) referringPage(r *http.Request) string {
	from, err := url.Parse(r.Referer())
	if err != nil || from.Scheme != p.baseURL.Scheme || from.Host != p.baseURL.Host || localPath(from.RequestURI()) == "" {
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

func (s *site) themeCookie() string {
	if s.baseURL.Scheme == "https" {
		return "__Host-usher_theme"
	}
	return "usher_theme"
}

func themeNamed(name string) ui.Theme {
	if theme := ui.Theme(name); theme == ui.LightTheme || theme == ui.DarkTheme {
		return theme
	}
	return ui.SystemTheme
}
