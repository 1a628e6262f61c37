package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher/db"
	"usher/db/dbtest"
	"usher/stripelocal"
)

// TestReverseProxies runs the configurations of docs/reverse-proxy.md in nginx and Caddy, each in
// front of two replicas. The second one stops.
func TestReverseProxies(t *testing.T) {
	t.Parallel()
	dsn := dbtest.New(t, db.Migrate)
	_, stripeURL := startStripe(t, stripelocal.Options{}, http.Handler.ServeHTTP)
	environment := []string{
		"BASE_URL=https://" + proxiedName, "DATABASE_URL=" + dsn, "TRUSTED_PROXIES=127.0.0.1",
		"STRIPE_SECRET_KEY=sk_test_proxiedproxied", "STRIPE_WEBHOOK_SECRET=whsec_proxied", "STRIPE_API_BASE=" + stripeURL,
	}
	if code, _, stderr := runCommand(t, []string{"plans", "push"}, environment...); code != exitOK {
		t.Fatal(stderr)
	}
	start := func(t *testing.T, shutdownDelay string) proxiedReplica {
		address := freeAddress(t)
		return proxiedReplica{startServer(t, append(slices.Clone(environment), "ADDR="+address, "SHUTDOWN_DELAY="+shutdownDelay)...), address}
	}
	first := start(t, "0s")
	for name, startProxy := range reverseProxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first.reportFailure(t)
			second := start(t, "3s") // longer than Caddy needs to notice
			p := &proxied{reverseProxy: startProxy(t, [2]string{first.address, second.address}), t: t, name: name, replicas: []proxiedReplica{first, second}}
			p.clients = p.clientFrom(t, "127.0.0.2").http
			p.testRedirect()
			p.testLogIn()
			p.testClientAddress()
			p.testWebhook()
			p.testLimits()
			p.testHidden()
			p.testEncodings()
			p.testTokens()
			p.testStop(second)
			p.testTokens()
		})
	}
}

type proxiedReplica struct {
	*testServer
	address string
}

// proxied is an installation behind a proxy.
type proxied struct {
	*reverseProxy
	t        *testing.T
	name     string
	replicas []proxiedReplica
	clients  *http.Client // from 127.0.0.2

	organization string
}

// request sends a request, without following redirects, and returns the answer with its body.
func (p *proxied) request(client *http.Client, method, address, body string, headers ...string) (*http.Response, string) {
	p.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = "https://" + proxiedName + address
	}
	request, err := http.NewRequestWithContext(p.t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	direct := *client
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := direct.Do(request)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, address, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, address, err)
	}
	return response, string(text)
}

// expect sends a request and expects the status of the answer.
func (p *proxied) expect(status int, method, address, body string, headers ...string) (*http.Response, string) {
	p.t.Helper()
	response, text := p.request(p.clients, method, address, body, headers...)
	if response.StatusCode != status {
		p.t.Errorf("%s %s: status %s, want %d: %.300s", method, address, response.Status, status, text)
	}
	return response, text
}

// testRedirect leads pages to https, and refuses what may have sent a key without TLS.
func (p *proxied) testRedirect() {
	p.t.Helper()
	response, _ := p.expect(http.StatusMovedPermanently, http.MethodGet, "http://"+proxiedName+"/pricing?interval=year", "")
	if to := response.Header.Get("Location"); to != "https://"+proxiedName+"/pricing?interval=year" {
		p.t.Errorf("http leads to %s", to)
	}
	p.expect(http.StatusForbidden, http.MethodGet, "http://"+proxiedName+"/api/v1/members", "", "Authorization", "Bearer usher_key")
}

// testLogIn signs a person up and logs them in again. Every cookie is for https only.
func (p *proxied) testLogIn() {
	p.t.Helper()
	email := p.name + "@example.com"
	p.organization = p.clientFrom(p.t, "127.0.0.2").open("/signup").signUp(email).summary().OrganizationID
	again := p.clientFrom(p.t, "127.0.0.2").open("/login").submit(`form[action="/login"]`, "email="+email, "password=front of house")
	if again.status != http.StatusOK || again.location.String() != again.base+"/dashboard" {
		p.t.Errorf("log-in: %d at %s", again.status, again.location)
	}
	response, _ := p.expect(http.StatusSeeOther, http.MethodPost, "/login", url.Values{"email": {email}, "password": {"front of house"}}.Encode(),
		"Content-Type", "application/x-www-form-urlencoded")
	for _, cookie := range response.Cookies() {
		if !cookie.Secure || !strings.HasPrefix(cookie.Name, "__Host-") {
			p.t.Errorf("the cookie %s is not for this https origin only", cookie.Name)
		}
	}
	if hsts := response.Header.Values("Strict-Transport-Security"); len(response.Cookies()) < 2 || len(hsts) != 1 {
		p.t.Errorf("%d cookies, Strict-Transport-Security %q", len(response.Cookies()), hsts)
	}
}

// testClientAddress sends forged headers, also from an address that Usher trusts: a proxy that
// appends to them would be believed.
func (p *proxied) testClientAddress() {
	p.t.Helper()
	for _, address := range []string{"127.0.0.2", "127.0.0.1"} {
		response, _ := p.request(p.clientFrom(p.t, address).http, http.MethodGet, "/pricing", "",
			"X-Forwarded-For", "203.0.113.9", "X-Real-Ip", "203.0.113.9", "Forwarded", "for=203.0.113.9")
		id := response.Header.Get("X-Request-Id")
		if line := p.lineOf(id); id == "" || !strings.Contains(line, " client_address="+address+" ") {
			p.t.Errorf("a request from %s is logged as %q", address, line)
		}
	}
}

// lineOf returns the line of a request in the log of the replica that answered it.
func (p *proxied) lineOf(requestID string) (line string) {
	p.t.Helper()
	eventually(p.t, "the line of the request "+requestID, func() bool {
		for _, replica := range p.replicas {
			log, _ := replica.stderr.read()
			for _, one := range strings.Split(log, "\n") {
				if strings.Contains(one, "request_id="+requestID) {
					line = one
				}
			}
		}
		return line != ""
	})
	return line
}

// testWebhook sends a signed event that is larger than nginx keeps in memory, with bytes that
// nothing may rewrite.
func (p *proxied) testWebhook() {
	p.t.Helper()
	at := time.Now().Unix()
	body := fmt.Sprintf(`{ "id":"evt_%s", "object":"event","type":"something.new","api_version":"2024-06-20","created":%d,"livemode":false,`+"\r\n"+
		`"data":{"object":{"id":"cus_1", "object":"customer","name":"%s"}} }`+"\n\n", p.name, at, strings.Repeat(`é\u00e9  \/`, 1<<14))
	mac := hmac.New(sha256.New, []byte("whsec_proxied"))
	fmt.Fprintf(mac, "%d.%s", at, body)
	signature := fmt.Sprintf("t=%d,v1=%s", at, hex.EncodeToString(mac.Sum(nil)))
	p.expect(http.StatusOK, http.MethodPost, "/stripe/webhook", body, "Content-Type", "application/json; charset=utf-8", "Stripe-Signature", signature)
	p.expect(http.StatusBadRequest, http.MethodPost, "/stripe/webhook", body+" ", "Stripe-Signature", signature)
}

// testLimits sends bodies below and above Usher's limits. The largest that Usher accepts arrive.
func (p *proxied) testLimits() {
	p.t.Helper()
	code, stdout, stderr := runCommand(p.t, []string{"api-key", "create", "--all", "--name", p.name, "--scopes", productScopes, "--json"}, p.replicas[0].environment...)
	var key apiKeyView
	if err := json.Unmarshal([]byte(stdout), &key); code != exitOK || err != nil {
		p.t.Fatalf("api-key create: %d, %v: %s", code, err, stderr)
	}
	members := func(size int) string { return `{"members":[{"name":"` + strings.Repeat("a", size) }
	as := []string{"Authorization", "Bearer " + key.Key, "Usher-Organization", p.organization, "Content-Type", "application/json"}
	if response, text := p.request(p.clients, http.MethodPut, "/api/v1/members", members(4<<20-100), as...); response.StatusCode != http.StatusBadRequest {
		p.t.Errorf("4 MB of members: %s: %.300s", response.Status, text)
	}
	began := time.Now()
	p.expect(http.StatusRequestEntityTooLarge, http.MethodPut, "/api/v1/members", members(4<<20), as...)
	p.expect(http.StatusRequestEntityTooLarge, http.MethodPost, "/stripe/webhook", strings.Repeat("a", 2<<20))
	_, text := p.expect(http.StatusRequestEntityTooLarge, http.MethodPost, "/login", "email="+strings.Repeat("a", 100<<10),
		"Content-Type", "application/x-www-form-urlencoded")
	if took := time.Since(began); took > 10*time.Second || !strings.Contains(text, "too much at once") {
		p.t.Errorf("large bodies are refused after %s: %.300s", took, text)
	}
}

// testHidden asks for the metrics, which the replicas serve to everybody in this test.
func (p *proxied) testHidden() {
	p.t.Helper()
	if _, text := p.request(http.DefaultClient, http.MethodGet, "http://"+p.replicas[0].address+"/metrics", ""); !strings.Contains(text, "usher_build_info") {
		p.t.Errorf("the replica has no metrics: %.300s", text)
	}
	p.expect(http.StatusNotFound, http.MethodGet, "/metrics", "")
	for _, path := range []string{"/metrics?", "/%6detrics", "//metrics", "/metrics/", "/./metrics", "/a/../metrics", "/METRICS"} {
		if response, text := p.request(p.clients, http.MethodGet, path, ""); response.StatusCode == http.StatusOK || strings.Contains(text, "usher_build_info") {
			p.t.Errorf("%s: %s: %.300s", path, response.Status, text)
		}
	}
}

var styleSheet = regexp.MustCompile(`/static/usher\.\w+\.css`)

// testEncodings expects Usher's own compression: pages, and no answers with a secret. Caches keep
// what Usher says.
func (p *proxied) testEncodings() {
	p.t.Helper()
	response, _ := p.expect(http.StatusOK, http.MethodGet, "/pricing", "", "Accept-Encoding", "gzip")
	if got := response.Header.Get("Content-Encoding"); got != "gzip" {
		p.t.Errorf("a page has the Content-Encoding %q", got)
	}
	response, text := p.expect(http.StatusOK, http.MethodPost, "/login/passkey/options", "", "Accept-Encoding", "gzip")
	if got := response.Header.Get("Content-Encoding"); got != "" || !strings.Contains(text, "challenge") {
		p.t.Errorf("an answer with a secret has the Content-Encoding %q: %.300s", got, text)
	}
	_, page := p.expect(http.StatusOK, http.MethodGet, "/pricing", "")
	response, _ = p.expect(http.StatusOK, http.MethodGet, styleSheet.FindString(page), "")
	if got := response.Header.Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
		p.t.Errorf("the style sheet has the Cache-Control %q", got)
	}
}

// testTokens opens links with tokens, and looks for these in everything that the proxy has logged.
func (p *proxied) testTokens() {
	p.t.Helper()
	const token = loggedNowhere
	link := "https://" + proxiedName + "/reset/" + token
	for _, path := range []string{"/reset/", "/verify/", "/email/", "/invite/", "/handover?token=", "/login/oidc/callback?state=1&code="} {
		p.request(p.clients, http.MethodGet, path+token, "", "Referer", link, "Hx-Current-Url", link, "Authorization", "Bearer "+token)
		p.request(p.clients, http.MethodPost, path+token, "", "Cookie", "session="+token)
		p.request(p.clients, http.MethodGet, "http://"+proxiedName+path+token, "", "Referer", link)
	}
	for _, area := range []string{"/reset", "/handover", "/login"} {
		eventually(p.t, area+" in the log", func() bool { return strings.Contains(p.accessLog(), `"`+area+`"`) })
	}
	p.expectNoToken()
}

// loggedNowhere is a token of links.
const loggedNowhere = "tokenthatmustnotbelogged"

func (p *proxied) expectNoToken() {
	p.t.Helper()
	if before, _, found := strings.Cut(p.logs(), loggedNowhere); found {
		p.t.Errorf("a token is logged: …%s", before[max(0, len(before)-300):])
	}
}

// testStop stops a replica while pages are requested. After that, forms arrive too: Caddy has
// noticed meanwhile, and nginx notices by a refused connection.
func (p *proxied) testStop(replica proxiedReplica) {
	p.t.Helper()
	var stopped atomic.Bool
	var stopping sync.WaitGroup
	stopping.Go(func() {
		replica.stop()
		stopped.Store(true)
	})
	for !stopped.Load() {
		p.expect(http.StatusOK, http.MethodGet, "/pricing", "")
		time.Sleep(5 * time.Millisecond) // other tests need the machine too
	}
	stopping.Wait()
	for range 10 {
		p.expect(http.StatusSeeOther, http.MethodPost, "/theme", "theme=dark", "Content-Type", "application/x-www-form-urlencoded")
		p.expect(http.StatusOK, http.MethodGet, "/pricing", "")
	}
}

// TestReverseProxiesSendFormsOnce has a first replica that takes requests and closes the connection
// without an answer, as one that crashes. Pages are requested again from the second replica, and
// forms are not. What the proxies log about it has no token.
func TestReverseProxiesSendFormsOnce(t *testing.T) {
	t.Parallel()
	for name, startProxy := range reverseProxies {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			t.Run(name+" "+method, func(t *testing.T) {
				t.Parallel()
				crashing, sound := newStubReplica(t, true), newStubReplica(t, false)
				p := &proxied{reverseProxy: startProxy(t, [2]string{crashing.address(), sound.address()}), t: t}
				p.clients = p.clientFrom(t, "127.0.0.2").http
				var statuses []int
				for range 8 {
					response, _ := p.request(p.clients, method, "/reset/"+loggedNowhere, map[string]string{http.MethodPost: "amount=1"}[method])
					statuses = append(statuses, response.StatusCode)
				}
				failed := slices.Contains(statuses, http.StatusBadGateway)
				sent := crashing.requests.Load() + sound.requests.Load()
				switch {
				case crashing.requests.Load() == 0:
					t.Error("the crashing replica got no request")
				case method == http.MethodGet && failed:
					t.Errorf("pages: %v", statuses)
				case method == http.MethodPost && (!failed || sent != 8):
					t.Errorf("8 forms arrived %d times: %v", sent, statuses)
				}
				p.expectNoToken()
			})
		}
	}
}

// TestReverseProxiesPassOverStoppedReplica has a first replica that has just stopped and refuses
// connections. Pages come from the second one at once, and forms go there soon: one that was sent
// on a connection which the replica closes at that moment is not repeated.
func TestReverseProxiesPassOverStoppedReplica(t *testing.T) {
	t.Parallel()
	for name, startProxy := range reverseProxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stopped, sound := newStubReplica(t, false), newStubReplica(t, false)
			p := &proxied{reverseProxy: startProxy(t, [2]string{stopped.address(), sound.address()}), t: t}
			p.clients = p.clientFrom(t, "127.0.0.2").http
			eventually(t, "both replicas to get requests", func() bool {
				p.expect(http.StatusOK, http.MethodPost, "/", "amount=1")
				return stopped.requests.Load() > 0 && sound.requests.Load() > 0
			})
			stopped.Close()
			refused := 0
			for range 4 {
				before := sound.requests.Load()
				form, _ := p.request(p.clients, http.MethodPost, "/", "amount=1")
				if name == "nginx" && form.StatusCode != http.StatusOK {
					refused++
					if arrived := sound.requests.Load() - before; arrived > 0 || refused > 1 { // it kept one connection to the stopped replica
						t.Errorf("form %d refused with %s, arrived %d times", refused, form.Status, arrived)
					}
				}
				p.expect(http.StatusOK, http.MethodGet, "/", "")
			}
			eventually(t, "eight forms to arrive", func() bool {
				for range 8 {
					if form, _ := p.request(p.clients, http.MethodPost, "/", "amount=1"); form.StatusCode != http.StatusOK {
						return false
					}
				}
				return true
			})
		})
	}
}

// TestCaddyChecksReadiness has a first replica that is not ready.
func TestCaddyChecksReadiness(t *testing.T) {
	t.Parallel()
	draining, sound := newStubReplica(t, false), newStubReplica(t, false)
	draining.notReady.Store(true)
	p := &proxied{reverseProxy: startCaddy(t, [2]string{draining.address(), sound.address()}), t: t}
	p.clients = p.clientFrom(t, "127.0.0.2").http
	eventually(t, "ten requests to go to the other replica", func() bool {
		before := draining.requests.Load()
		for range 10 {
			p.expect(http.StatusOK, http.MethodPost, "/", "amount=1")
		}
		return draining.requests.Load() == before
	})
}

// stubReplica counts the requests that it gets.
type stubReplica struct {
	*httptest.Server
	requests atomic.Int64
	notReady atomic.Bool
}

func newStubReplica(t *testing.T, crashes bool) *stubReplica {
	t.Helper()
	s := &stubReplica{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/readyz" && s.notReady.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.URL.Path == "/readyz":
		case r.Host != proxiedName:
			w.WriteHeader(http.StatusMisdirectedRequest)
		default:
			s.requests.Add(1)
			if _, err := io.Copy(io.Discard, r.Body); err != nil || crashes {
				panic(http.ErrAbortHandler) // closes the connection
			}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *stubReplica) address() string { return s.Listener.Addr().String() }
