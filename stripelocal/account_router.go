package stripelocal

import (
	"net/http"
	"slices"
	"strings"

	"usher/stripelocal/wire"
)

// dashboardCookie has the name of the account that the dashboard shows.
const dashboardCookie = "usher_account"

// accountRouter passes a request to the account that it is for: that of its key, or of the object
// in the address of a hosted page, or of the dashboard's choice.
type accountRouter struct {
	defaultAccount *Server
	own            http.Handler // of the default account alone
}

func (ar accountRouter) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	target, err := ar.accountFor(w, req)
	switch {
	case err != nil:
		c := apiCall{Server: ar.defaultAccount, req: req, info: ar.defaultAccount.newRequestInfo(req)}
		c.write(w, c.fail(wire.AsError(err)))
	case target == ar.defaultAccount:
		ar.own.ServeHTTP(w, req)
	default:
		target.handler.ServeHTTP(w, req)
	}
}

func (ar accountRouter) accountFor(w http.ResponseWriter, req *http.Request) (*Server, error) {
	if name := keyAccount(apiKey(req)); name != "" {
		ar.defaultAccount.mu.Lock()
		origin := ar.defaultAccount.origin
		ar.defaultAccount.mu.Unlock()
		return ar.defaultAccount.namedAccounts.open(name, origin)
	}
	path := req.URL.Path
	if id, ok := strings.CutPrefix(path, cliSubscribePath+"acct_"); ok {
		return ar.orDefault(ar.defaultAccount.namedAccounts.find(id)), nil
	}
	if strings.HasPrefix(path, "/c/") || strings.HasPrefix(path, "/i/") || strings.HasPrefix(path, "/p/") || strings.HasPrefix(path, "/links/") {
		return ar.ownerOfPage(path), nil
	}
	if path == "/" || strings.HasPrefix(path, "/_usher/") {
		return ar.chosen(w, req)
	}
	return ar.defaultAccount, nil
}

// chosen is the account that /_usher/ is about without a key: that of the parameter account, which
// a browser remembers, or the default one.
func (ar accountRouter) chosen(w http.ResponseWriter, req *http.Request) (*Server, error) {
	if !req.URL.Query().Has("account") {
		cookie, err := req.Cookie(dashboardCookie)
		if err != nil {
			return ar.defaultAccount, nil
		}
		return ar.orDefault(ar.defaultAccount.namedAccounts.find(cookie.Value)), nil
	}
	name := req.URL.Query().Get("account")
	found := ar.defaultAccount.namedAccounts.find(name)
	if name != "" && found == nil {
		return nil, wire.NotFound("account", name, "account")
	}
	http.SetCookie(w, &http.Cookie{Name: dashboardCookie, Value: name, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return ar.orDefault(found), nil
}

func (ar accountRouter) orDefault(named *Server) *Server {
	if named == nil {
		return ar.defaultAccount
	}
	return named
}

// ownerOfPage is the account whose object a hosted page is about. Ids are random, so that no two
// accounts have the same.
func (ar accountRouter) ownerOfPage(path string) *Server {
	segments := strings.Split(path, "/")
	for _, named := range ar.defaultAccount.namedAccounts.all() {
		if slices.ContainsFunc(segments, named.hasPage) {
			return named
		}
	}
	return ar.defaultAccount
}
