package handlers

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/account/oidc/oidctest"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/mail"
	"usher/billing/secrets"
	"usher/billing/stripegw"
	webhooks "usher/billing/webhook"
	"usher/db"
	"usher/db/dbtest"
	"usher/static"
	"usher/stripelocal"
	"usher/views/brand"
	mailviews "usher/views/mail"
)

const (
	testSecret   = "whsec_handlertests"
	testPassword = "correct horse battery"
)

// busyLimit replaces the limits of what a person waits for. It is enough for a busy machine.
const busyLimit = 15 * time.Second

// testEnv is the whole site with PostgreSQL and a local Stripe. It has two organizations; the user
// "stranger" is the admin of the other one.
type testEnv struct {
	t               testing.TB
	server          *server
	url             string
	service         *billing.Service
	store           *db.Store
	stripe          *stripelocal.Server
	gateway         *stripegw.Gateway
	stripeHangs     atomic.Bool  // Stripe's API accepts requests and never responds
	stripeDown      atomic.Bool  // Stripe's API aborts every connection
	webhooksDropped atomic.Bool  // webhooks are answered with 503
	clockOffset     atomic.Int64 // nanoseconds added to the site's clock
	wallOffset      atomic.Int64 // nanoseconds added to the service's wall clock
	started         time.Time
	stripeLimit     time.Duration // of the service; 0: that of production
	log             *syncBuffer
	// trustedProxies and limited configure the server, see [limited].
	trustedProxies []netip.Prefix
	limited        bool
	handler        atomic.Pointer[http.Handler]
	origin         string // Stripe's

	organization      account.Organization // of the users admin, billing and member
	otherOrganization account.Organization // of the stranger
	users             map[string]account.User
	mailer            mail.Sender        // nil: /dev/mail shows the e-mails
	webhookClient     webhooks.Client    // nil: outgoing webhooks are not sent
	provider          *oidctest.Provider // nil: there is none
	signInPolicy      account.SignInPolicy
	resolver          account.DomainResolver // nil: DNS does not answer
	operatorEmails    []string
	brand             brand.Brand
	assets            []static.Asset
	handoverKeys      []secrets.Key
	embedOrigins      []string
}

// syncBuffer is a log buffer for concurrent writers.
type syncBuffer struct {
	lock sync.Mutex
	text bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.text.String()
}

// newTestEnv starts a test environment, which prepare can configure. The test runs in parallel with
// others.
func newTestEnv(t testing.TB, prepare ...func(*testEnv)) *testEnv {
	t.Helper()
	if parallel, can := t.(interface{ Parallel() }); can { // fuzz tests run sequentially
		parallel.Parallel()
	}
	h := &testEnv{t: t, users: map[string]account.User{}, log: &syncBuffer{}, stripeLimit: busyLimit}
	for _, f := range prepare {
		f(h)
	}
	h.openDatabase()
	t.Cleanup(h.printLog)
	web := httptest.NewUnstartedServer(nil)
	h.url = "http://" + web.Listener.Addr().String()
	origin, gateway := h.startStripe()
	h.gateway = gateway
	h.startService(gateway, catalog.BuiltInPlans())
	h.startServer(origin, busyLimit)
	web.Config.Handler = http.HandlerFunc(h.serveHTTP)
	web.Start()
	t.Cleanup(web.Close)
	h.createUsers()
	return h
}

// serveHTTP serves the site and drops webhooks if webhooksDropped is set.
func (h *testEnv) serveHTTP(w http.ResponseWriter, r *http.Request) {
	if h.webhooksDropped.Load() && strings.HasPrefix(r.URL.Path, "/stripe") {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	(*h.handler.Load()).ServeHTTP(w, r)
}

// hangStripe makes Stripe hang, and starts a service that waits as long for it as in production.
func (h *testEnv) hangStripe() {
	h.t.Helper()
	h.stripeLimit = 0
	h.startService(h.gateway, catalog.BuiltInPlans())
	h.startServer(h.origin, busyLimit)
	h.stripeHangs.Store(true)
}

// startServer creates the server. A test can replace it with one that has a shorter time-out.
func (h *testEnv) startServer(origin string, returnTimeout time.Duration) {
	h.t.Helper()
	h.origin = origin
	h.server = newServer(Options{
		Billing: h.service, Sessions: db.NewSessionStore(h.store.DB()), Ready: h.store.Ready,
		BaseURL: mustParse(h.t, h.url), Development: true, MailPage: true, Provider: h.oidcProvider(), ReturnURL: h.url + billingPath, CheckoutOrigins: []string{origin}, EmbedOrigins: h.embedOrigins,
		Now: func() time.Time { return time.Now().Add(time.Duration(h.clockOffset.Load())) },
		Log: h.logger(), Brand: h.brand, Assets: h.assets,
	})
	h.server.trustedProxies = h.trustedProxies
	if h.limited {
		h.server.rateLimits = h.service.RateLimits
	}
	h.server.checkout.returnTimeout = returnTimeout
	if h.stripeLimit > 0 {
		h.server.answerTimeout = h.stripeLimit
	}
	handler := h.server.handler()
	h.handler.Store(&handler)
}

func (h *testEnv) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// printLog prints the warnings and errors that were logged before a test failed.
func (h *testEnv) printLog() {
	if !h.t.Failed() {
		return
	}
	for line := range strings.SplitSeq(h.log.String(), "\n") {
		if strings.Contains(line, `"level":"WARN"`) || strings.Contains(line, `"level":"ERROR"`) {
			h.t.Log(line)
		}
	}
}

func (h *testEnv) openDatabase() {
	h.t.Helper()
	store, err := db.Open(h.t.Context(), dbtest.New(h.t, db.Migrate))
	if err != nil {
		h.t.Fatal(err)
	}
	h.store = store
	h.t.Cleanup(func() { _ = store.Close() })
}

// startStripe starts the local Stripe with the built-in plans and sends its webhooks to this
// environment.
func (h *testEnv) startStripe() (origin string, gateway *stripegw.Gateway) {
	h.t.Helper()
	local, err := stripelocal.New(stripelocal.Options{})
	if err != nil {
		h.t.Fatal(err)
	}
	h.stripe = local
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.stripeHangs.Load() && strings.HasPrefix(r.URL.Path, "/v1/") {
			<-r.Context().Done()
			return
		}
		if h.stripeDown.Load() && strings.HasPrefix(r.URL.Path, "/v1/") {
			panic(http.ErrAbortHandler)
		}
		local.Handler().ServeHTTP(w, r)
	}))
	local.SetOrigin(web.URL)
	h.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = local.Close(ctx)
		web.CloseClientConnections()
		web.Close()
	})
	local.EnsureWebhookEndpoint(h.url+"/stripe/webhook", testSecret)
	gateway = stripegw.New(stripegw.Options{SecretKey: "sk_test_handlertests", APIBase: web.URL, WebhookSecrets: []string{testSecret}})
	h.pushPrices(gateway)
	return web.URL, gateway
}

func (h *testEnv) pushPrices(gateway *stripegw.Gateway) {
	h.t.Helper()
	for _, price := range stripegw.PlanPrices(catalog.BuiltInPlans()) {
		if _, _, err := gateway.EnsurePrice(h.t.Context(), price); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *testEnv) startService(gateway *stripegw.Gateway, plans catalog.Catalog) {
	h.t.Helper()
	h.started = time.Now()
	h.service = billing.New(billing.Options{
		WallClock:  h.wallNow, // keeps every rate limit window open during a test
		HashMemory: testHashMemory, Secrets: testKeyring(), SignIn: h.signInPolicy, Resolver: h.resolver, OperatorEmails: h.operatorEmails,
		Store: h.store, Gateway: gateway, Catalog: plans, KeyFingerprint: "test",
		SuccessURL: h.url + billingPath + "&success=true", CancelURL: h.url + billingPath + "&canceled=true",
		Log: h.logger(), ReturnURL: h.url + billingPath, AllowedOrigins: []string{h.url},
		Renderer: mailviews.Renderer{Brand: h.brand}, Product: h.brand.Name, Mailer: h.mailer, BaseURL: h.url, StripeLimit: h.stripeLimit,
		WebhookClient: h.webhookClient, HandoverKeys: h.handoverKeys,
	})
	if err := h.service.Prices.Start(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = h.service.Worker.Run(ctx)
	}()
	h.t.Cleanup(func() {
		stop()
		<-done
	})
}

// wallNow is the wall clock of the service. It stands still unless a test puts it ahead.
func (h *testEnv) wallNow() time.Time { return h.started.Add(time.Duration(h.wallOffset.Load())) }

// testHashMemory is the least that argon2id takes, in KiB.
const testHashMemory = 8

func testKeyring() *secrets.Keyring {
	var key secrets.Key
	rand.Read(key[:])
	return secrets.NewKeyring(key)
}

// disconnectStripe makes Stripe abort every connection.
func (h *testEnv) disconnectStripe() { h.stripeDown.Store(true) }

// createUsers creates the users and organizations.
func (h *testEnv) createUsers() {
	h.t.Helper()
	h.organization = h.signUp("admin", "Lantern Theatre")
	h.otherOrganization = h.signUp("stranger", "Elsewhere")
	h.addMember("billing", account.RoleBillingAdmin)
	h.addMember("member", account.RoleMember)
}

func email(name string) string { return name + "@example.com" }

func (h *testEnv) signUp(name, organization string) account.Organization {
	h.t.Helper()
	user, founded, err := h.service.Users.SignUp(h.t.Context(), account.SignUp{
		Name: "The " + name, Email: email(name), Password: testPassword, Organization: organization,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.users[name] = user
	return founded
}

func (h *testEnv) addMember(name, role string) {
	h.t.Helper()
	user, err := h.service.Users.CreateMember(h.t.Context(), h.organization.ID, account.NewMember{
		Name: "The " + name, Email: email(name), Password: testPassword, RoleID: role, Billable: true,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.users[name] = user
}

// addToOrganization makes a user an admin of another organization too.
func (h *testEnv) addToOrganization(name string, organization account.Organization) {
	h.t.Helper()
	err := h.store.Members().Insert(h.t.Context(), account.Member{
		ID: "mem_" + name + "_also", OrganizationID: organization.ID, UserID: h.users[name].ID, Role: account.Role{ID: account.RoleAdmin},
		Status: account.MemberActive, JoinedAt: time.Now(),
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *testEnv) count(query string, args ...any) int {
	h.t.Helper()
	var n int
	if err := h.store.DB().GetContext(h.t.Context(), &n, query, args...); err != nil {
		h.t.Fatal(err)
	}
	return n
}

// browser keeps cookies and does not follow redirects.
type browser struct {
	t      testing.TB
	client *http.Client
	base   string
}

func (h *testEnv) newBrowser() *browser {
	h.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return &browser{t: h.t, base: h.url, client: &http.Client{
		Jar: jar, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// signIn returns a browser with a session of the user. It skips the log-in form, whose password
// hash is slow.
func (h *testEnv) signIn(name string) *browser {
	h.t.Helper()
	b := h.newBrowser()
	ctx, err := h.server.sessions.Load(h.t.Context(), "")
	if err != nil {
		h.t.Fatal(err)
	}
	first, err := h.server.sessions.firstOrganization(ctx, h.users[name].ID)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.server.sessions.signIn(ctx, h.users[name].ID, first); err != nil {
		h.t.Fatal(err)
	}
	token, _, err := h.server.sessions.Commit(ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	b.client.Jar.SetCookies(mustParse(h.t, h.url), []*http.Cookie{{Name: "usher_session", Value: token, Path: "/"}})
	return b
}

// newBrowserWith returns a browser with this session cookie.
func (h *testEnv) newBrowserWith(token string) *browser {
	h.t.Helper()
	b := h.newBrowser()
	b.client.Jar.SetCookies(mustParse(h.t, h.url), []*http.Cookie{{Name: "usher_session", Value: token, Path: "/"}})
	return b
}

// session returns the browser's session cookie.
func (b *browser) session() string {
	b.t.Helper()
	for _, cookie := range b.client.Jar.Cookies(mustParse(b.t, b.base)) {
		if cookie.Name == "usher_session" {
			return cookie.Value
		}
	}
	return ""
}

// response is what the server sent.
type response struct {
	t       testing.TB
	request string
	status  int
	header  http.Header
	body    string
}

func (b *browser) send(method, address, body string, headers ...string) response {
	b.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.base + address
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	got, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer got.Body.Close()
	content, err := io.ReadAll(got.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return response{b.t, method + " " + address, got.StatusCode, got.Header, string(content)}
}

func (b *browser) get(address string, headers ...string) response {
	b.t.Helper()
	return b.send(get, address, "", headers...)
}

func (b *browser) post(address string, form url.Values, headers ...string) response {
	b.t.Helper()
	return b.send(post, address, form.Encode(), append([]string{"Content-Type", formType}, headers...)...)
}

func (b *browser) postJSON(address, body string) response {
	b.t.Helper()
	return b.send(post, address, body, "Content-Type", "application/json")
}

// follow follows redirects, at most ten.
func (b *browser) follow(a response) response {
	b.t.Helper()
	for range 10 {
		if a.status != http.StatusSeeOther && a.status != http.StatusFound {
			return a
		}
		a = b.get(a.header.Get("Location"))
	}
	b.t.Fatalf("%s: too many redirects", a.request)
	return a
}

func (a response) wantStatus(status int) response {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: %d, want %d\n%s", a.request, a.status, status, a.body)
	}
	return a
}

func (a response) wantRedirect(location string) response {
	a.t.Helper()
	if got := a.header.Get("Location"); a.status != http.StatusSeeOther || got != location {
		a.t.Fatalf("%s: %d to %q, want 303 to %q\n%s", a.request, a.status, got, location, a.body)
	}
	return a
}

func (a response) doc() *goquery.Document {
	a.t.Helper()
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(a.body))
	if err != nil {
		a.t.Fatal(err)
	}
	return doc
}

// text returns the text of the elements that match a selector, with white space collapsed.
func (a response) text(selector string) string {
	a.t.Helper()
	return strings.Join(strings.Fields(a.doc().Find(selector).Text()), " ")
}

// wantText fails unless the main part of the page contains every text.
func (a response) wantText(texts ...string) response {
	a.t.Helper()
	main := a.text("main")
	for _, text := range texts {
		if !strings.Contains(main, text) {
			a.t.Errorf("%s: %q is not in: %s", a.request, text, main)
		}
	}
	return a
}

// wantNoText fails if the main part of the page contains a text.
func (a response) wantNoText(texts ...string) response {
	a.t.Helper()
	main := a.text("main")
	for _, text := range texts {
		if strings.Contains(main, text) {
			a.t.Errorf("%s: %q is in: %s", a.request, text, main)
		}
	}
	return a
}

// wantError fails unless the response is this JSON error.
func (a response) wantError(status int, code apperr.Code, message string) response {
	a.t.Helper()
	if a.header.Get("Content-Type") == scimMediaType {
		return a.wantSCIMError(status, "", message)
	}
	var got errorResponse
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		a.t.Errorf("%s: %v in %s", a.request, err, a.body)
	}
	if a.status != status || got.Error.Code != code || got.Error.Message != message {
		a.t.Errorf("%s: %d %+v, want %d %s %q", a.request, a.status, got.Error, status, code, message)
	}
	return a
}

// submit sends a form of the page with its hidden fields and the given values.
func (b *browser) submit(a response, selector string, typed url.Values, headers ...string) response {
	b.t.Helper()
	form := a.doc().Find(selector).First()
	if form.Length() == 0 {
		b.t.Fatalf("%s: no form %s in %s", a.request, selector, a.body)
	}
	values := url.Values{}
	form.Find("input[type=hidden]").Each(func(_ int, field *goquery.Selection) {
		values.Set(field.AttrOr("name", ""), field.AttrOr("value", ""))
	})
	for name, texts := range typed {
		values[name] = slices.Clone(texts)
	}
	_, address, _ := strings.Cut(a.request, " ")
	target, err := mustParse(b.t, address).Parse(form.AttrOr("action", address))
	if err != nil {
		b.t.Fatal(err)
	}
	return b.post(target.String(), values, headers...)
}

var goodCard = url.Values{
	"email": {"admin@example.com"}, "cardNumber": {"4242 4242 4242 4242"}, "cardExpiry": {"12 / 34"}, "cardCvc": {"123"}, "billingName": {"The admin"},
}

// subscribe opens Checkout and pays; it returns the redirect back to the site.
func (b *browser) subscribe(plan, interval string) response {
	b.t.Helper()
	opened := b.post("/billing/checkout", url.Values{"plan": {plan}, "interval": {interval}}).wantStatus(http.StatusSeeOther)
	hosted := b.get(opened.header.Get("Location")).wantStatus(http.StatusOK)
	return b.submit(hosted, "form", goodCard).wantStatus(http.StatusSeeOther)
}

// waitFor polls a condition, at most one minute.
func waitFor(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting for %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
