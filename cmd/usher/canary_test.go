package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"usher/billing/account/oidc/oidctest"
	"usher/db"
	"usher/db/dbtest"
	"usher/stripelocal"
)

// shown lists where a secret rightly stands: the beginnings of the places, and why. Everything else
// is a leak. An entry that nothing needs any more is an error too.
var shown = []struct {
	canary, why string
	places      []string
}{
	{"API key", "shown once, when it is made", []string{"page POST /organization/api-keys"}},
	{"webhook secret", "shown once, when it is made", []string{"page POST /organization/webhooks"}},
	{"new webhook secret", "shown once, when it is made", []string{"page POST /organization/webhooks/{id}/rotate"}},
	{"authenticator seed", "for the app, until a code from it is typed", []string{"page GET /settings/security/setup", "page POST /settings/security/confirm"}},
	{"recovery code", "shown once, when they are made", []string{"page POST /settings/security/confirm", "page POST /settings/security/codes"}},
	{"cookie usher_session", "the cookie itself, which no GET request sets but the way back from the identity provider",
		[]string{"header Set-Cookie of POST ", "header Set-Cookie of GET /login/oidc/callback"}},
	{"cookie usher_device", "the cookie itself, which no GET request sets", []string{"header Set-Cookie of POST "}},
	{"verify token", "the link, and the form behind it", []string{"mail Confirm your e-mail address", "page GET /verify/{token}"}},
	{"reset token", "the link, and the form behind it", []string{"mail Choose a new password", "page GET /reset/{token}", "page POST /reset/{token}"}},
	{"invite token", "the link, and the form behind it", []string{"mail Nora Canary invited you to Canary Club", "page GET /invite/{token}", "page POST /invite/{token}"}},
	{"email token", "the links, and the form behind them", []string{
		"mail Confirm your change of e-mail address", "mail Confirm your new e-mail address", "page GET /email/{token}",
	}},
	{"password typed as address", "the field keeps what was typed", []string{"page POST /login"}},
	{"typed text", "pages keep what was typed, and names are stored", []string{"page ", "table public."}},
	{"token in next", "leads on after the log-in", []string{"page GET /login", "header Location of GET /login"}},
}

// canaryRun is a run of the whole program whose secrets are canaries.
type canaryRun struct {
	t        *testing.T
	evidence *evidence
	server   *testServer
	store    *db.Store
	mails    *mailCatcher
	stripe   *stripelocal.Server
	keyFails atomic.Bool // Stripe refuses the key
	routes   *http.ServeMux
	fields   []string // that handlers read, of forms and queries
	patterns []string // of routes.go, such as "GET /login"
	visited  map[string]int
	failed   map[string]bool // patterns with an answer of 500 or more

	environment            []string
	owner, guest, stranger *visitor
	organization           string
	guestPassword          string
	provider               *oidctest.Provider
	links                  []string // of e-mails, as they were read
}

// TestCanarySecrets plays what people do, and what goes wrong, with the real program, and looks for
// every secret in everything that comes out of it.
func TestCanarySecrets(t *testing.T) {
	r := newCanaryRun(t)
	r.play()
	r.breakTables()
	r.runCommands()
	r.openEveryPage()
	r.typeIntoEveryForm()
	r.collect()
	r.report()
}

// secretTemplates are values of secret variables with a canary in them. The others need more, see
// secretEnvironment.
var secretTemplates = map[string]string{
	"STRIPE_SECRET_KEY": "sk_test_%s", "STRIPE_WEBHOOK_SECRET": "whsec_%s", "METRICS_TOKEN": "%s", "OIDC_CLIENT_SECRET": "%s", "OTEL_EXPORTER_OTLP_HEADERS": "X-Key=%s",
}

// publicVariables may be shown. A new variable is either here or in secretVariables.
var publicVariables = strings.Fields(`ADDR APP_ENV BASE_URL BILLING_CANCEL_URL BILLING_RETURN_URL BILLING_SUCCESS_URL DATA_DIR LOG_FORMAT LOG_LEVEL
	DATABASE_POOL DEMO_HISTORY EMBED_ORIGINS MAIL_FROM OIDC_CLIENT_ID OIDC_ISSUER OPERATOR_EMAILS OTEL_EXPORTER_OTLP_ENDPOINT OTEL_TRACES_SAMPLER_ARG PASSWORD_LOGIN PLANS_FILE RATE_LIMITS REQUIRE_2FA SHUTDOWN_DELAY SIGNUP STRIPE_API_BASE STRIPE_PRICE_ID
	BRAND_COLOR BRAND_LOGO BRAND_NAME PRIVACY_URL SUPPORT_URL TERMS_URL TRUSTED_PROXIES`)

func TestEveryVariableIsSecretOrPublic(t *testing.T) {
	for _, name := range variablesRead(t) {
		if secretVariables[name] == slices.Contains(publicVariables, name) {
			t.Errorf("%s is neither or both", name)
		}
	}
}

// secretEnvironment returns every secret variable with a canary. Those that the program reads are
// known from its configuration: a new one without a value here fails.
func (r *canaryRun) secretEnvironment(dsn string) (environment []string) {
	r.t.Helper()
	for _, name := range variablesRead(r.t) {
		if !secretVariables[name] {
			continue
		}
		secret := rand.Text()
		template, known := secretTemplates[name]
		value := strings.Replace(template, "%s", secret, 1)
		switch name {
		case "DATABASE_URL", "MIGRATE_DATABASE_URL", "READ_DATABASE_URL":
			value = r.withPassword(dsn, secret)
		case "SMTP_URL":
			value = "smtp://mailer:" + secret + "@" + r.mails.address
		case "SECRETS_KEY":
			key, former := secret+"-32byte", rand.Text()+"-former"
			r.evidence.watch("SECRETS_KEY", key[:32])
			value = base64.StdEncoding.EncodeToString([]byte(key[:32])) + "," + base64.StdEncoding.EncodeToString([]byte(former[:32]))
			secret = value[:44]
		case "HANDOVER_KEY":
			value = base64.StdEncoding.EncodeToString([]byte((secret + "-32byte")[:32]))
			secret = value
		default:
			if !known {
				r.t.Fatalf("%s is secret and has no canary: add it to secretTemplates", name)
			}
		}
		r.evidence.watch(name, secret)
		environment = append(environment, name+"="+value)
	}
	return environment
}

// withPassword returns the DSN with a password. PostgreSQL identifies the user of its socket
// without one; a server from the environment gets a user of its own.
func (r *canaryRun) withPassword(dsn, password string) string {
	r.t.Helper()
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return dsn + " password=" + password
	}
	role := "canary_" + strings.ToLower(rand.Text()[:8])
	if _, err := r.store.DB().ExecContext(r.t.Context(), `create role `+role+` login superuser password '`+password+`'`); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _, _ = r.store.DB().ExecContext(context.Background(), `drop role `+role) })
	u.User = url.UserPassword(role, password)
	return u.String()
}

func newCanaryRun(t *testing.T) *canaryRun {
	t.Helper()
	r := &canaryRun{t: t, evidence: newEvidence(), mails: newMailCatcher(t), visited: map[string]int{}, failed: map[string]bool{}}
	r.readRoutes()
	dsn := dbtest.New(t, db.Migrate)
	store, err := db.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	r.store = store
	r.provider = oidctest.New(t)
	r.environment = append(r.secretEnvironment(dsn), "OIDC_ISSUER="+r.provider.URL, "OIDC_CLIENT_ID="+oidctest.ClientID, "STRIPE_API_BASE="+r.startStripe(), "DATA_DIR="+newDataDir(t),
		"LOG_LEVEL=debug", "OPERATOR_EMAILS="+ownerEmail, "RATE_LIMITS=on")
	r.command("plans", "push")
	r.server = startServer(t, r.environment...)
	r.environment = append(r.environment, "BASE_URL="+r.server.url)
	r.provider.ExpectSecret(r.evidence.values("OIDC_CLIENT_SECRET")[0])
	webhookSecret := "whsec_" + r.evidence.values("STRIPE_WEBHOOK_SECRET")[0]
	r.stripe.EnsureWebhookEndpoint(r.server.url+"/stripe/webhook", webhookSecret)
	return r
}

// startStripe starts a Stripe that can refuse the key.
func (r *canaryRun) startStripe() (origin string) {
	r.t.Helper()
	r.stripe, origin = startStripe(r.t, stripelocal.Options{}, func(stripe http.Handler, w http.ResponseWriter, request *http.Request) {
		if r.keyFails.Load() && strings.HasPrefix(request.URL.Path, "/v1/") {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"error":{"type":"invalid_request_error","message":"Invalid API Key provided: sk_test_****"}}`))
			return
		}
		stripe.ServeHTTP(w, request)
	})
	return origin
}

// command runs a subcommand; what it prints is evidence.
func (r *canaryRun) command(args ...string) {
	r.t.Helper()
	r.commandWith(r.environment, args...)
}

func (r *canaryRun) commandWith(environment []string, args ...string) {
	r.t.Helper()
	_, stdout, stderr := runCommand(r.t, args, environment...)
	r.evidence.add("usher "+args[0], stdout+stderr)
}

// routeMethods are the methods by their names in the route map.
var routeMethods = map[string]string{"get": http.MethodGet, "post": http.MethodPost, "put": http.MethodPut, "patch": http.MethodPatch, "remove": http.MethodDelete}

// readRoutes reads the patterns of the route map from its source.
func (r *canaryRun) readRoutes() {
	r.t.Helper()
	constants := map[string]ast.Expr{}
	var composites []*ast.CompositeLit
	files, _ := filepath.Glob("../../handlers/*.go")
	for _, path := range files {
		source, err := os.ReadFile(path)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, match := range formField.FindAllSubmatch(source, -1) {
			if name := string(match[1]); name != "organizationId" {
				r.fields = append(r.fields, name)
			}
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, source, 0)
		if err != nil {
			r.t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.ValueSpec:
				for n, value := range node.Values {
					constants[node.Names[n].Name] = value
				}
			case *ast.CompositeLit:
				if filepath.Base(path) == "routes.go" {
					composites = append(composites, node)
				}
			}
			return true
		})
	}
	r.routes = http.NewServeMux()
	for _, composite := range composites {
		fields := map[string]ast.Expr{}
		for _, element := range composite.Elts {
			if pair, ok := element.(*ast.KeyValueExpr); ok {
				fields[fmt.Sprint(pair.Key)] = pair.Value
			}
		}
		method, path := routeMethods[fmt.Sprint(fields["method"])], textOf(fields["pattern"], constants)
		if method == "" || path == "" {
			continue
		}
		pattern := method + " " + path
		r.routes.Handle(pattern, http.NotFoundHandler())
		r.patterns = append(r.patterns, pattern)
	}
	if len(r.patterns) < 100 {
		r.t.Fatalf("only %d routes were read", len(r.patterns))
	}
}

// textOf returns the text of a literal, a constant or a sum of them; empty for anything else.
func textOf(expression ast.Expr, constants map[string]ast.Expr) string {
	switch expression := expression.(type) {
	case *ast.BasicLit:
		return strings.Trim(expression.Value, `"`)
	case *ast.Ident:
		return textOf(constants[expression.Name], constants)
	case *ast.BinaryExpr:
		return textOf(expression.X, constants) + textOf(expression.Y, constants)
	}
	return ""
}

// visitor is a client whose responses are evidence.
type visitor struct {
	*client
	run *canaryRun
}

func (r *canaryRun) visitor() *visitor {
	r.t.Helper()
	v := &visitor{client: r.server.client(r.t), run: r}
	v.http.Transport = recordingTransport{run: r}
	return v
}

// recordingTransport adds the responses of the program to the evidence, and its cookies to the
// canaries.
type recordingTransport struct{ run *canaryRun }

// RoundTrip implements [http.RoundTripper].
func (rt recordingTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil || "http://"+request.URL.Host != rt.run.server.url {
		return response, err
	}
	return response, rt.run.record(request, response)
}

// collect reads the log, the e-mails and every table, after the outbox is empty.
func (r *canaryRun) collect() {
	r.t.Helper()
	r.exec(`update emails set next_attempt_at = now() where status = 'queued'`) // the broken tables have put them off
	eventually(r.t, "the e-mails to be sent", func() bool {
		var queued int
		if err := r.store.DB().GetContext(r.t.Context(), &queued, `select count(*) from emails where status <> 'sent'`); err != nil {
			r.t.Fatal(err)
		}
		return queued == 0
	})
	stdout, _ := r.server.stdout.read()
	stderr, _ := r.server.stderr.read()
	r.evidence.add("standard output", stdout)
	r.evidence.add("log", stderr)
	for _, m := range r.mails.all() {
		r.evidence.add("mail "+m.subject, m.text)
		for _, match := range mailedLink.FindAllStringSubmatch(m.text, -1) {
			r.evidence.watch(match[1]+" token", match[2])
		}
	}
	var tables []string
	err := r.store.DB().SelectContext(r.t.Context(), &tables, `select quote_ident(table_schema) || '.' || quote_ident(table_name) from information_schema.tables
		where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, table := range tables {
		r.dump(table)
	}
}

// dump adds every value of a table to the evidence, binary ones as they are.
func (r *canaryRun) dump(table string) {
	r.t.Helper()
	rows, err := r.store.DB().QueryxContext(r.t.Context(), `select * from `+table)
	if err != nil {
		r.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		values, err := rows.SliceScan()
		if err != nil {
			r.t.Fatal(err)
		}
		for _, value := range values {
			switch value := value.(type) {
			case []byte:
				r.evidence.add("table "+table, string(value))
			case string:
				r.evidence.add("table "+table, value)
			}
		}
	}
	if rows.Err() != nil {
		r.t.Fatal(rows.Err())
	}
}

// report fails for every secret that is found where it must not be, and for every public text that
// is not found where it is: the evidence would be incomplete.
func (r *canaryRun) report() {
	r.t.Helper()
	canaries := slices.Collect(maps.Keys(r.evidence.canaries))
	hits := r.evidence.find(canaries)
	needed := map[string]bool{}
	for _, where := range slices.Sorted(maps.Keys(hits)) {
		if entry := entryOf(where); entry != "" {
			needed[entry] = true
			continue
		}
		r.t.Errorf("%s (%s)", where, hits[where])
	}
	for _, entry := range entries() {
		if !needed[entry] {
			r.t.Errorf("nothing is shown at %q any more", entry)
		}
	}
	public := r.evidence.find([]canary{
		{"organization", r.organization}, {"name", "Canary Club"}, {"address", ownerEmail}, {"log-in page", "/login?next="}, {"session data", "authenticated.methods"},
		{"metric", "usher_security_events_total"}, {"database", "every migration is applied"}, {"mail server", "accepts mail"},
	})
	for _, where := range []string{
		"organization: log", "organization: table public.organizations", "organization: usher events", "name: page GET /dashboard", "name: page GET /admin/organizations/{id}",
		"log-in page: header Location of GET /settings", "address: mail Confirm your e-mail address", "address: table public.users",
		"session data: table public.sessions", "metric: page GET /metrics", "database: usher doctor", "mail server: usher doctor",
	} {
		if _, found := public[where]; !found {
			r.t.Errorf("%q is not found", where)
		}
	}
	r.printCounts(canaries, hits)
}

// entries returns the entries of shown as "canary: beginning of the place".
func entries() (all []string) {
	for _, s := range shown {
		for _, place := range s.places {
			all = append(all, s.canary+": "+place)
		}
	}
	return all
}

// entryOf returns the entry that a hit is covered by; empty if it is a leak.
func entryOf(where string) string {
	for _, entry := range entries() {
		if strings.HasPrefix(where, entry) {
			return entry
		}
	}
	return ""
}

func (r *canaryRun) printCounts(canaries []canary, hits map[string]string) {
	kinds, length, texts := map[string]int{}, 0, 0
	for _, c := range canaries {
		kinds[c.name]++
	}
	for _, all := range r.evidence.texts {
		texts += len(all)
		for _, text := range all {
			length += len(text)
		}
	}
	opened := 0
	for _, pattern := range r.patterns {
		if r.visited[pattern] > 0 {
			opened++
		}
	}
	r.t.Logf("%d canaries (%v) in %d forms each; %d places with %d texts of %d kB; %d of %d routes called, %d of them failed; found at %d places, which the list of %d entries allows",
		len(canaries), kinds, len(forms("canary secret")), len(r.evidence.texts), texts, length/1000, opened, len(r.patterns), len(r.failed), len(hits), len(entries()))
}
