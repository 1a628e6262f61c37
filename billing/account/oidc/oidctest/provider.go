// Package oidctest is a small OpenID provider for tests. It speaks the protocol over HTTP with keys
// of its own and a log-in page, and can be made to answer wrongly.
package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"
)

// The client that the provider knows.
const (
	ClientID     = "usher-test"
	ClientSecret = "a secret of the test client"
)

// Person is somebody with an account at the provider.
type Person struct {
	Subject, Email, Name string
	Verified             bool // the address
}

// Provider is a running provider. Its fields are changed with Set.
type Provider struct {
	URL string // the issuer

	lock   sync.Mutex
	person Person
	away   bool
	change func(claims map[string]any)
	es256  bool
	forged bool // tokens are signed with a key that is not published
	// clientSecret is what the client has to send.
	clientSecret string

	noInfo bool // address and name are not in ID tokens
	codes  map[string]grant
	rsaKey *rsa.PrivateKey
	ecKey  *ecdsa.PrivateKey
	stray  *rsa.PrivateKey
	signed int // rounds that were completed at the log-in page
	server *httptest.Server
}

// grant is what a code stands for.
type grant struct {
	query    url.Values // of the authorization request
	person   Person
	authTime time.Time
}

// New starts a provider that ends with the test.
func New(t testing.TB) *Provider {
	t.Helper()
	p := &Provider{codes: map[string]grant{}, clientSecret: ClientSecret}
	p.rsaKey, p.stray = newRSAKey(t), newRSAKey(t)
	var err error
	if p.ecKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET /keys", p.keys)
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /authorize", p.approve)
	mux.HandleFunc("POST /token", p.token)
	mux.HandleFunc("GET /userinfo", p.userInfo)
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.lock.Lock()
		away := p.away
		p.lock.Unlock()
		if away {
			panic(http.ErrAbortHandler)
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(p.server.Close)
	p.URL = p.server.URL
	return p
}

func newRSAKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// SignIn makes a person the one who is signed in at the provider.
func (p *Provider) SignIn(person Person) { p.set(func() { p.person = person }) }

// ExpectSecret gives the client another secret than [ClientSecret].
func (p *Provider) ExpectSecret(secret string) { p.set(func() { p.clientSecret = secret }) }

func (p *Provider) secret() string {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.clientSecret
}

// Away makes the provider abort every connection, or answer again.
func (p *Provider) Away(away bool) { p.set(func() { p.away = away }) }

// Change changes the claims of each ID token before it is signed; nil: nothing is changed.
func (p *Provider) Change(change func(map[string]any)) { p.set(func() { p.change = change }) }

// Forge signs tokens with a key that the provider does not publish.
func (p *Provider) Forge(forged bool) { p.set(func() { p.forged = forged }) }

// UseES256 signs tokens with ES256 instead of RS256.
func (p *Provider) UseES256(use bool) { p.set(func() { p.es256 = use }) }

// HideFromToken leaves address and name to the UserInfo endpoint.
func (p *Provider) HideFromToken(hide bool) { p.set(func() { p.noInfo = hide }) }

func (p *Provider) set(f func()) {
	p.lock.Lock()
	defer p.lock.Unlock()
	f()
}

func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]any{
		"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
		"userinfo_endpoint": p.URL + "/userinfo", "jwks_uri": p.URL + "/keys", "response_types_supported": []string{"code"},
		"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256", "ES256"},
		"code_challenge_methods_supported": []string{"S256"}, "token_endpoint_auth_methods_supported": []string{"client_secret_basic"},
	})
}

func (p *Provider) keys(w http.ResponseWriter, _ *http.Request) {
	var x, y [32]byte
	answer(w, map[string]any{"keys": []any{
		map[string]string{
			"kty": "RSA", "kid": "rsa", "alg": "RS256", "use": "sig",
			"n": encode(p.rsaKey.N.Bytes()), "e": encode(big.NewInt(int64(p.rsaKey.E)).Bytes()),
		},
		map[string]string{
			"kty": "EC", "kid": "ec", "alg": "ES256", "use": "sig", "crv": "P-256",
			"x": encode(p.ecKey.X.FillBytes(x[:])), "y": encode(p.ecKey.Y.FillBytes(y[:])),
		},
	}})
}

var logInPage = template.Must(template.New("").Parse(`<!doctype html><html lang="en"><title>Test provider</title>
<h1>Test provider</h1><p>{{.Application}} wants to know who you are.</p>
<form method="post" action="/authorize?{{.Query}}"><button name="answer" value="yes">Continue as {{.Person.Name}}</button>
<button name="answer" value="no">Cancel</button></form></html>`))

// authorize shows the log-in page.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if query.Get("client_id") != ClientID || query.Get("response_type") != "code" || query.Get("code_challenge_method") != "S256" ||
		query.Get("code_challenge") == "" || query.Get("nonce") == "" || query.Get("state") == "" {
		http.Error(w, "invalid_request", http.StatusBadRequest)
		return
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	_ = logInPage.Execute(w, map[string]any{"Application": ClientID, "Query": template.URL(r.URL.RawQuery), "Person": p.person})
}

// approve redirects back with a code, or with an error.
func (p *Provider) approve(w http.ResponseWriter, r *http.Request) {
	to, err := p.Approve(r.URL.Query(), r.PostFormValue("answer") != "no")
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	http.Redirect(w, r, to, http.StatusFound)
}

// Approve answers an authorization request as the signed-in person and returns the address to go
// back to.
func (p *Provider) Approve(query url.Values, agree bool) (string, error) {
	to, err := url.Parse(query.Get("redirect_uri"))
	if err != nil || to.Host == "" {
		return "", fmt.Errorf("redirect_uri: %q", query.Get("redirect_uri"))
	}
	back := url.Values{"state": {query.Get("state")}, "iss": {p.URL}}
	if !agree {
		back.Set("error", "access_denied")
	} else {
		p.lock.Lock()
		code := rand.Text()
		p.codes[code] = grant{query: query, person: p.person, authTime: time.Now()}
		p.signed++
		p.lock.Unlock()
		back.Set("code", code)
	}
	to.RawQuery = back.Encode()
	return to.String(), nil
}

// token exchanges a code, once, for the client that proves to have begun the flow (RFC 7636).
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	plainSecret, _ := url.QueryUnescape(secret)
	if id != ClientID || plainSecret != p.secret() {
		refuse(w, "invalid_client")
		return
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	code := r.PostFormValue("code")
	granted, found := p.codes[code]
	delete(p.codes, code)
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	proved := subtle.ConstantTimeCompare([]byte(encode(sum[:])), []byte(granted.query.Get("code_challenge"))) == 1
	if !found || !proved || r.PostFormValue("redirect_uri") != granted.query.Get("redirect_uri") {
		refuse(w, "invalid_grant")
		return
	}
	access := rand.Text()
	p.codes[access] = granted
	answer(w, map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 60, "id_token": p.idToken(granted)})
}

func (p *Provider) userInfo(w http.ResponseWriter, r *http.Request) {
	p.lock.Lock()
	defer p.lock.Unlock()
	_, access, _ := cutBearer(r.Header.Get("Authorization"))
	granted, found := p.codes[access]
	if !found {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	answer(w, map[string]any{
		"sub": granted.person.Subject, "email": granted.person.Email, "email_verified": granted.person.Verified, "name": granted.person.Name,
	})
}

func cutBearer(header string) (scheme, token string, ok bool) {
	_, err := fmt.Sscanf(header, "%s %s", &scheme, &token)
	return scheme, token, err == nil
}

func (p *Provider) idToken(g grant) string {
	now := time.Now()
	claims := map[string]any{
		"iss": p.URL, "sub": g.person.Subject, "aud": ClientID, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		"nonce": g.query.Get("nonce"), "auth_time": g.authTime.Unix(),
	}
	if !p.noInfo {
		claims["email"], claims["email_verified"], claims["name"] = g.person.Email, g.person.Verified, g.person.Name
	}
	if p.change != nil {
		p.change(claims)
	}
	return p.sign(claims)
}

// sign returns a JWT (RFC 7515).
func (p *Provider) sign(claims map[string]any) string {
	header := map[string]string{"alg": "RS256", "kid": "rsa", "typ": "JWT"}
	if p.es256 {
		header["alg"], header["kid"] = "ES256", "ec"
	}
	head, _ := json.Marshal(header)
	body, _ := json.Marshal(claims)
	text := encode(head) + "." + encode(body)
	sum := sha256.Sum256([]byte(text))
	return text + "." + encode(p.signature(sum[:]))
}

func (p *Provider) signature(sum []byte) []byte {
	if p.es256 {
		r, s, _ := ecdsa.Sign(rand.Reader, p.ecKey, sum)
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
	key := p.rsaKey
	if p.forged {
		key = p.stray
	}
	signature, _ := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum)
	return signature
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": code})
}
