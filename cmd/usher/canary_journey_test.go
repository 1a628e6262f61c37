package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/pquerna/otp/totp"

	"usher/billing/account"
	"usher/billing/account/oidc/oidctest"
)

const (
	ownerEmail = "owner@canary.example"
	guestEmail = "guest@canary.example"
)

// record adds a response to the evidence: the body and each header, by route.
func (r *canaryRun) record(request *http.Request, response *http.Response) error {
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		return err
	}
	_, pattern := r.routes.Handler(request)
	r.evidence.add("page "+pattern, string(body))
	for name, values := range response.Header {
		r.evidence.add("header "+name+" of "+pattern, strings.Join(values, "\n"))
	}
	for _, cookie := range response.Cookies() {
		r.evidence.watch("cookie "+cookie.Name, cookie.Value)
	}
	r.evidence.lock.Lock()
	defer r.evidence.lock.Unlock()
	r.visited[pattern]++
	if response.StatusCode >= http.StatusInternalServerError {
		r.failed[pattern] = true
	}
	return nil
}

// secret returns a new canary, such as a password that somebody chooses.
func (r *canaryRun) secret(name string) string { return r.evidence.watch(name, "Kn"+rand.Text()) }

// post submits a form and follows redirects. The last answer must have the status.
func (v *visitor) post(path string, status int, fields ...string) *visitor {
	v.t.Helper()
	form := url.Values{}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, "=")
		form.Add(name, value)
	}
	response, err := v.http.PostForm(v.base+path, form)
	v.load(response, err)
	return v.want(status)
}

func (v *visitor) get(path string, status int) *visitor {
	v.t.Helper()
	v.open(path)
	return v.want(status)
}

func (v *visitor) want(status int) *visitor {
	v.t.Helper()
	if v.status != status {
		v.t.Fatalf("%s: status %d, want %d: %s", v.location, v.status, status, v.text("main"))
	}
	return v
}

// call sends a request of a program with a bearer token.
func (v *visitor) call(method, path, token string, status int, body string, headers ...string) {
	v.t.Helper()
	request, err := http.NewRequestWithContext(v.t.Context(), method, v.base+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	v.load(v.http.Do(request))
	v.want(status)
}

var mailedLink = regexp.MustCompile(`/(reset|verify|invite|email)/([A-Za-z0-9_-]{16,})`)

// link waits for an e-mail with a link of a kind to an address, and returns the path. Each link is
// returned once.
func (r *canaryRun) link(to, kind string) string {
	r.t.Helper()
	var path string
	eventually(r.t, "the e-mail with /"+kind+"/ to "+to, func() bool {
		for _, m := range r.mails.all() {
			match := mailedLink.FindStringSubmatch(m.text)
			if !strings.Contains(m.to, to) || match == nil || match[1] != kind || slices.Contains(r.links, match[0]) {
				continue
			}
			path = match[0]
			r.links = append(r.links, path)
			return true
		}
		return false
	})
	return path
}

// play is what people do in an organization, and what they get wrong.
func (r *canaryRun) play() {
	r.t.Helper()
	owner, stranger, guest := r.visitor(), r.visitor(), r.visitor()
	password := r.playPasswords(owner, stranger)
	r.playSecondFactor(owner, password)
	r.playInvitation(owner, guest)
	r.playEmailChange(guest)
	r.playProvider()
	r.playCheckout(owner)
	r.playPrograms(owner)
	r.owner, r.guest, r.stranger = owner, guest, stranger
}

// playProvider signs a person up with their identity at the provider, and sends the answer again.
func (r *canaryRun) playProvider() {
	r.t.Helper()
	person := oidctest.Person{Subject: "1", Email: "identity@canary.example", Name: "Noa Canary", Verified: true}
	r.provider.SignIn(person)
	v := r.visitor()
	begun, err := v.http.PostForm(v.base+"/login/oidc", nil)
	v.load(begun, err)
	v.want(http.StatusOK)
	_, address, _ := strings.Cut(begun.Header.Get("Refresh"), "url=")
	at, err := url.Parse(address)
	if err != nil {
		r.t.Fatal(err)
	}
	answer, err := r.provider.Approve(at.Query(), true)
	if err != nil {
		r.t.Fatal(err)
	}
	back, err := url.Parse(answer)
	if err != nil {
		r.t.Fatal(err)
	}
	r.evidence.watch("authorization code", back.Query().Get("code"))
	v.get(back.RequestURI(), http.StatusOK)
	v.post("/login/oidc/signup", http.StatusOK, "name="+person.Name, "organization=Identity Club")
	v.open(back.RequestURI()) // sent again
}

// playPasswords signs up, logs in, and changes and resets the password. It returns the last one.
func (r *canaryRun) playPasswords(owner, stranger *visitor) string {
	r.t.Helper()
	first, second, third := r.secret("password"), r.secret("password"), r.secret("password")
	owner.post("/signup", 200, "name=Nora Canary", "email="+ownerEmail, "password="+first, "organization=Canary Club")
	r.organization = owner.summary().OrganizationID

	verify := r.link(ownerEmail, "verify")
	stranger.get(verify, 200)
	owner.get(verify, 200).post(verify, 200)
	owner.get(verify, 200)

	stranger.post("/login", 422, "email="+ownerEmail, "password="+r.secret("wrong password"))
	typo := r.secret("password typed as address")
	stranger.post("/login", 422, "email="+typo, "password="+typo)
	stranger.post("/signup", 422, "name=Nora", "email="+ownerEmail, "password="+r.secret("wrong password"), "organization=Canary Club")
	owner.post("/settings/password", 422, "current="+r.secret("wrong password"), "password="+second)
	owner.post("/settings/password", 200, "current="+first, "password="+second)

	stranger.post("/forgot", 200, "email="+ownerEmail)
	reset := r.link(ownerEmail, "reset")
	stranger.get(reset, 200).post(reset, 422, "password=password").post(reset, 200, "password="+third)
	stranger.get(reset, 404).post(reset, 404, "password="+third)
	stranger.post("/forgot", 200, "email="+ownerEmail) // a link that is not used
	owner.post("/login", 200, "email="+ownerEmail, "password="+third)
	return third
}

// playSecondFactor sets up two-step verification, and logs in with it.
func (r *canaryRun) playSecondFactor(owner *visitor, password string) {
	r.t.Helper()
	owner.post("/settings/security/setup", 422, "password="+r.secret("wrong password"))
	owner.post("/settings/security/setup", 200, "password="+password)
	seed := r.evidence.watch("authenticator seed", strings.ReplaceAll(owner.text("p.font-mono"), " ", ""))
	decoded, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(seed)
	if err != nil {
		r.t.Fatal(err)
	}
	r.evidence.watch("authenticator seed", string(decoded))
	code := func(ahead time.Duration) string {
		code, err := totp.GenerateCode(seed, time.Now().Add(ahead))
		if err != nil {
			r.t.Fatal(err)
		}
		return code
	}
	owner.post("/settings/security/confirm", 422, "code=000000")
	owner.post("/settings/security/confirm", 200, "code="+code(0))
	codes := r.recoveryCodes(owner)

	owner.post("/logout", 200).post("/login", 200, "email="+ownerEmail, "password="+password)
	owner.post("/login/second-factor", 422, "code="+r.secret("wrong code"))
	owner.post("/login/second-factor", 200, "code="+codes[0])
	owner.post("/settings/security/codes", 200, "password="+password)
	r.recoveryCodes(owner)
	owner.post("/login/confirm", 422, "password="+r.secret("wrong password"), "code="+codes[1])
	owner.post("/login/confirm", 200, "password="+password, "code="+code(30*time.Second))
}

func (r *canaryRun) recoveryCodes(owner *visitor) (codes []string) {
	owner.page.Find("#recovery-codes li").Each(func(_ int, s *goquery.Selection) {
		code := r.evidence.watch("recovery code", strings.TrimSpace(s.Text()))
		r.evidence.watch("recovery code", strings.ReplaceAll(code, "-", ""))
		codes = append(codes, code)
	})
	return codes
}

// playInvitation invites a guest, who accepts, and somebody else, who does not.
func (r *canaryRun) playInvitation(owner, guest *visitor) {
	r.t.Helper()
	for _, email := range []string{guestEmail, "nobody@canary.example"} {
		owner.post("/organization/invitations", 200, "email="+email, "roleId="+account.RoleMember)
	}
	owner.get("/organization?tab=members", 200).expectText("nobody@canary.example")
	invitation := r.link(guestEmail, "invite")
	guest.get(invitation, 200)
	guest.post(invitation, 422, "name=", "password="+r.secret("password"))
	r.guestPassword = r.secret("password")
	guest.post(invitation, 200, "name=Gil Canary", "password="+r.guestPassword)
	owner.get(invitation, 404)
	owner.post("/organization/roles", 200, "name=Treasurer", "canManageBilling=on")
}

// playEmailChange asks for another address, stops that, and asks again.
func (r *canaryRun) playEmailChange(guest *visitor) {
	r.t.Helper()
	request := func() (old, new string) {
		guest.post("/settings/email", 200, "current="+r.guestPassword, "email=gil@canary.example")
		return r.link(guestEmail, "email"), r.link("gil@canary.example", "email")
	}
	guest.post("/settings/email", 422, "current="+r.secret("wrong password"), "email=gil@canary.example")
	old, _ := request()
	r.visitor().get(old, 200).post(old+"/stop", 200)
	old, new := request()
	guest.get(old, 200).post(old, 200).get(new, 200).post(new, 200)
}

// playCheckout buys a plan. Stripe refuses the key once.
func (r *canaryRun) playCheckout(owner *visitor) {
	r.t.Helper()
	r.keyFails.Store(true)
	owner.post("/billing/checkout", 502, "plan=pro", "interval=month")
	r.keyFails.Store(false)
	r.visitor().post("/billing/checkout", 200, "plan=pro", "interval=month") // remembered until the sign-up
	owner.open("/pricing?interval=month").choosePro().pay("4242424242424242").reloadUntil("the plan", "Active")
}

var apiKeyText = regexp.MustCompile(`uk_test_[0-9A-Za-z]{38}`)

var webhookSecretText = regexp.MustCompile(`whsec_[0-9A-Za-z+/]{43}=`)

// playPrograms calls the API with keys that are right and wrong, the webhook with a wrong signature
// and the metrics.
func (r *canaryRun) playPrograms(owner *visitor) {
	r.t.Helper()
	owner.post("/organization/api-keys", 201, "name=canary", "scopes="+account.ScopeEntitlementsRead, "expires=90")
	key := r.evidence.watch("API key", apiKeyText.FindString(owner.text("main")+owner.page.Find("input").AttrOr("value", "")))
	program := r.visitor()
	program.call("GET", "/api/v1/entitlements", key, 200, "")
	program.call("GET", "/billing/getSummary", key, 403, "")
	program.call("GET", "/api/v1/entitlements", r.evidence.watch("wrong API key", "uk_test_"+strings.Repeat(rand.Text(), 2)[:38]), 401, "")
	owner.get("/organization/api-keys", 200).submit(`form[action$="/revoke"]`)
	program.call("GET", "/api/v1/entitlements", key, 401, "")
	owner.post("/organization/webhooks", 201, "url=https://webhook.invalid/canary", "events=entitlements.changed")
	r.evidence.watch("webhook secret", webhookSecretText.FindString(owner.text("main")))
	owner.get(owner.get("/organization/webhooks", 200).page.Find(`main a[href^="/organization/webhooks/"]`).AttrOr("href", ""), 200).submit(`form[action$="/rotate"]`)
	r.evidence.watch("new webhook secret", webhookSecretText.FindString(owner.text("main")))
	signature := fmt.Sprintf("t=%d,v1=%s", time.Now().Unix(), strings.Repeat("0123456789abcdef", 4))
	program.call("POST", "/stripe/webhook", "", 400, `{"id":"evt_1","object":"event"}`, "Stripe-Signature", signature)
	program.call("GET", "/metrics", r.secret("wrong metrics token"), 401, "")
	program.call("GET", "/metrics", r.evidence.values("METRICS_TOKEN")[0], 200, "")
}

// breakTables provokes internal errors: tables cannot be read, and then not be written. The details
// that PostgreSQL adds to an error can hold the whole row.
func (r *canaryRun) breakTables() {
	r.t.Helper()
	tables := []string{"account_tokens", "api_keys", "second_factors", "invitations", "emails", "sessions", "users"}
	for _, table := range tables {
		r.exec(`delete from rate_limits`)
		r.exec(`alter table ` + table + ` rename to ` + table + `_away`)
		r.tryEverything()
		r.exec(`alter table ` + table + `_away rename to ` + table)
	}
	r.exec(`create function canary_refuse() returns trigger language plpgsql as
		$$ begin raise exception 'refused' using detail = 'Failing row contains ' || new::text; end $$`)
	for _, table := range tables {
		r.exec(`delete from rate_limits`)
		r.exec(`create trigger canary before insert or update on ` + table + ` for each row execute function canary_refuse()`)
		r.tryEverything()
		r.exec(`drop trigger canary on ` + table)
	}
	if len(r.failed) < 8 {
		r.t.Errorf("only %d routes failed: %v", len(r.failed), r.failed)
	}
}

func (r *canaryRun) exec(statement string) {
	r.t.Helper()
	if _, err := r.store.DB().ExecContext(r.t.Context(), statement); err != nil {
		r.t.Fatal(err)
	}
}

// tryEverything sends requests that hold secrets, whatever the answer is.
func (r *canaryRun) tryEverything() {
	visitor := r.visitor()
	try := func(path string, fields ...string) {
		form := url.Values{}
		for _, field := range fields {
			name, value, _ := strings.Cut(field, "=")
			form.Set(name, value)
		}
		response, err := visitor.http.PostForm(visitor.base+path, form)
		visitor.load(response, err)
	}
	for _, link := range r.links {
		visitor.open(link)
	}
	try("/reset/"+r.secret("unknown token"), "password="+r.secret("password"))
	try("/signup", "name=Nora", "email="+strings.ToLower(rand.Text())+"@canary.example", "password="+r.secret("password"), "organization=Canary")
	try("/login", "email=gil@canary.example", "password="+r.guestPassword)
	try("/settings/security/setup", "password="+r.guestPassword)
	try("/settings/email", "current="+r.guestPassword, "email=other@canary.example")
	request, _ := http.NewRequestWithContext(r.t.Context(), http.MethodGet, visitor.base+"/api/v1/entitlements", nil)
	request.Header.Set("Authorization", "Bearer "+r.evidence.values("API key")[0])
	visitor.load(visitor.http.Do(request))
}

// runCommands runs the doctor and others: with what works, with what is broken, and with values
// that are refused.
func (r *canaryRun) runCommands() {
	r.t.Helper()
	r.command("doctor")
	r.command("doctor", "--json")
	r.command("events", "--json", "--limit", "1000", "list")
	r.command("reconcile")
	r.mails.refuse.Store(true)
	r.keyFails.Store(true)
	r.command("doctor")
	r.command("plans", "diff")
	r.mails.refuse.Store(false)
	r.keyFails.Store(false)
	for _, refused := range []string{
		"DATABASE_URL=postgres://usher:%s@127.0.0.1:1/usher", "DATABASE_URL=mysql://usher:%s@db/usher", "DATABASE_URL=postgres://usher:%s@[/usher",
		"SMTP_URL=smtp://usher:%s@127.0.0.1:1", "SMTP_URL=http://usher:%s@mail", "SMTP_URL=smtp://usher:%s@mail?tls=off", "STRIPE_API_BASE=http://usher:%s@stripe",
		"STRIPE_SECRET_KEY=pk_test_%s", "STRIPE_SECRET_KEY=%s", "STRIPE_WEBHOOK_SECRET=%s,whsec_%[1]s!", "METRICS_TOKEN=%s é", "SECRETS_KEY=%s",
		"OIDC_CLIENT_SECRET=%s é",
	} {
		refused = fmt.Sprintf(refused, r.secret("refused value"))
		r.commandWith(append(slices.Clone(r.environment), refused), "doctor")
		r.commandWith(append(slices.Clone(r.environment), "ADDR=127.0.0.1:99999", refused), "serve")
	}
}

// openEveryPage opens every GET route as the admin, who is operator too, as a member and signed
// out, and follows the links of these pages.
func (r *canaryRun) openEveryPage() {
	r.t.Helper()
	for _, v := range []*visitor{r.owner, r.guest, r.stranger} {
		r.crawl(v)
	}
	for _, pattern := range r.patterns {
		if strings.HasPrefix(pattern, "GET") && r.visited[pattern] == 0 && !strings.HasPrefix(pattern, "GET /dev/clock") && !strings.HasPrefix(pattern, "GET /dev/mail") {
			r.t.Errorf("%s was never opened", pattern)
		}
	}
}

// pagesPerRoute is how many pages of one route are opened.
const pagesPerRoute = 4

func (r *canaryRun) crawl(v *visitor) {
	var queue []string
	for _, pattern := range r.patterns {
		if path, isGet := strings.CutPrefix(pattern, "GET "); isGet && !strings.Contains(path, "{") {
			queue = append(queue, path)
		}
	}
	queue = append(queue, "/scim/v2/ResourceTypes/User", "/scim/v2/Schemas/urn:ietf:params:scim:schemas:core:2.0:User", "/scim/v2/Users/mem_none")
	queue = append(queue, "/", "/api/v1/organizations/"+r.organization, "/admin/people?q="+ownerEmail, "/admin/profiles/goroutine", "/no/such/page", "/login?next=%2Finvite%2F"+r.secret("token in next"))
	opened, pages := map[string]bool{}, map[string]int{}
	for ; len(queue) > 0; queue = queue[1:] {
		path, _, _ := strings.Cut(queue[0], "#")
		request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, v.base+path, nil)
		if err != nil || opened[path] {
			continue
		}
		_, pattern := r.routes.Handler(request)
		if opened[path] = true; pages[pattern] >= pagesPerRoute && strings.Contains(pattern, "{") || pages[pattern] >= 5*pagesPerRoute {
			continue
		}
		pages[pattern]++
		v.open(path)
		v.page.Find("[href], [hx-get], [src]").Each(func(_ int, s *goquery.Selection) {
			link := s.AttrOr("href", s.AttrOr("hx-get", s.AttrOr("src", "")))
			if link = strings.TrimPrefix(link, v.base); strings.HasPrefix(link, "/") && !strings.HasPrefix(link, "//") {
				queue = append(queue, link)
			}
		})
	}
}

var formField = regexp.MustCompile(`(?:FormValue|Query\(\)\.Get)\("(\w+)"\)`)

// typeIntoEveryForm calls every route, as the admin, with a text in every field and parameter that
// a handler reads, and in the path. People type secrets into the wrong field: none may be logged.
func (r *canaryRun) typeIntoEveryForm() {
	r.t.Helper()
	for _, pattern := range r.patterns {
		method, path, _ := strings.Cut(pattern, " ")
		if path == "/logout" {
			continue
		}
		typed := r.secret("typed text")
		path = r.owner.base + strings.NewReplacer("{id}", typed, "{token}", typed, "{$}", "").Replace(path)
		form, body := r.everyField(typed)
		r.exec(`delete from rate_limits`)
		if method == http.MethodGet {
			r.owner.load(r.owner.http.Get(path + "?" + form.Encode()))
			continue
		}
		if method != http.MethodPost {
			request, err := http.NewRequestWithContext(r.t.Context(), method, path, bytes.NewReader(body))
			if err != nil {
				r.t.Fatal(err)
			}
			request.Header.Set("Content-Type", "application/json")
			r.owner.load(r.owner.http.Do(request))
			continue
		}
		r.owner.load(r.owner.http.PostForm(path, form))
		r.owner.load(r.owner.http.Post(path, "application/json", bytes.NewReader(body)))
	}
}

// everyField returns a form and a JSON object with a text in every field that a handler reads.
func (r *canaryRun) everyField(typed string) (url.Values, []byte) {
	form, object := url.Values{}, map[string]string{}
	for _, name := range r.fields {
		form.Set(name, typed)
		object[name] = typed
	}
	body, _ := json.Marshal(object)
	return form, body
}
