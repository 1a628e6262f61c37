package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// inside lists what each package may import of this module. A package that is not listed has no
// place in docs/architecture.md yet.
var inside = map[string][]string{
	"usher/cmd/usher":          {"usher/"},                                                              // wires everything
	"usher/cmd/usher/scenario": slices.Concat(domain, []string{"usher/stripelocal", "usher/views/dev"}), // acts from outside
	"usher/cmd/simulation":     {"usher/"},                                                              // wires everything and injects faults
	"usher/cmd/bench":          {"usher/"},                                                              // wires everything and measures it
	"usher/cmd/ha":             {"usher/db", "usher/stripelocal"},                                       // starts programs and reads what they stored
	"usher/cmd/peers":          {"usher/db/privatepg", "usher/stripelocal"},                             // starts programs of others
	"usher/cmd/strings":        {},                                                                      // reads files
	"usher/handlers": slices.Concat(domain, areas,
		[]string{"usher/billing/account/oidc", "usher/static", "usher/views/brand", "usher/views/ui", "usher/views/layout", "usher/views/gallery", "usher/views/locale"}),

	// Pages show the domain's plain types. Components and the frame of a page are below them, so
	// that a page can change alone.
	"usher/views":              {},                                                                            // documents the packages below it and tests all pages at once
	"usher/views/locale":       {"usher/billing/catalog", "usher/billing/phrase"},                             // shows amounts and texts in a language
	"usher/views/brand":        {},                                                                            // colors, and what may be shown
	"usher/views/ui":           {"usher/billing/catalog", "usher/views/brand", "usher/views/locale"},          // shows amounts and intervals
	"usher/views/layout":       {"usher/views/brand", "usher/views/ui", "usher/views/locale", "usher/static"}, // the head links to the style sheet
	"usher/views/admin":        slices.Concat(domain, frame),
	"usher/views/auth":         slices.Concat(domain, frame),
	"usher/views/billing":      slices.Concat(domain, frame),
	"usher/views/dev":          frame,
	"usher/views/mail":         {"usher/billing/catalog", "usher/billing/mail", "usher/views/brand", "usher/views/ui", "usher/views/locale"}, // no page around it
	"usher/views/organization": slices.Concat(domain, frame),
	"usher/views/gallery":      slices.Concat(domain, frame, areas),
	"usher/views/viewtest":     {}, // helpers for tests

	// The domain: billing uses account, account uses what both need.
	"usher/billing": {
		"usher/billing/account", "usher/billing/catalog", "usher/billing/mail", "usher/billing/phrase",
		"usher/billing/apperr", "usher/billing/env", "usher/billing/job", "usher/billing/secrets", "usher/billing/webhook",
	},
	// Outgoing webhooks know who manages them; billing loads what they carry.
	"usher/billing/webhook":               {"usher/billing/account", "usher/billing/mail", "usher/billing/apperr", "usher/billing/env", "usher/billing/job", "usher/billing/secrets"},
	"usher/billing/webhook/sender":        {"usher/billing/webhook"},
	"usher/billing/account":               {"usher/billing/mail", "usher/billing/phrase", "usher/billing/secrets", "usher/billing/apperr", "usher/billing/env", "usher/billing/job"},
	"usher/billing/account/dns":           {},                        // looks records up
	"usher/billing/account/dns/dnstest":   {},                        // a server for tests
	"usher/billing/account/oidc":          {"usher/billing/account"}, // what the provider says becomes an assertion
	"usher/billing/account/oidc/oidctest": {},                        // a provider for tests
	"usher/billing/mail":                  {"usher/billing/catalog", "usher/billing/phrase", "usher/billing/apperr", "usher/billing/env", "usher/billing/job"},
	"usher/billing/catalog":               {"usher/billing/apperr"},
	"usher/billing/phrase":                {"usher/billing/catalog"}, // amounts in texts
	"usher/billing/env":                   {"usher/billing/job"},
	"usher/billing/job":                   {},
	"usher/billing/apperr":                {},
	"usher/billing/secrets":               {},

	"usher/billing/mail/smtp":     {"usher/billing/mail"},
	"usher/billing/stripegw":      domain,
	"usher/db":                    domain, // implements the storage interfaces of the domain
	"usher/db/privatepg":          {},
	"usher/db/dbtest":             {"usher/db/privatepg"},
	"usher/stripelocal":           {"usher/stripelocal/wire", "usher/stripelocal/pages", "usher/stripelocal/websocket"},
	"usher/stripelocal/wire":      {},
	"usher/stripelocal/pages":     {},
	"usher/stripelocal/websocket": {},
	"usher/static":                {},
	"usher/docs":                  {}, // only tests of the documentation
}

// domain are the packages of the domain that others may use. Env is passed through New only.
var domain = []string{
	"usher/billing", "usher/billing/account", "usher/billing/catalog", "usher/billing/mail", "usher/billing/apperr",
	"usher/billing/phrase", "usher/billing/job", "usher/billing/webhook",
}

// frame is what every page is made with.
var frame = []string{"usher/views/brand", "usher/views/ui", "usher/views/layout", "usher/views/locale"}

// areas are the packages of pages. They share components through ui and layout and do not import
// each other.
var areas = []string{
	"usher/views/admin", "usher/views/auth", "usher/views/billing", "usher/views/dev", "usher/views/mail", "usher/views/organization",
}

// pages are the packages that make HTML.
var pages = append([]string{"usher/views/brand", "usher/views/ui", "usher/views/layout", "usher/views/gallery"}, areas...)

// outside lists every module that the program may use, who may import it, and why no one else.
var outside = []struct {
	module    string
	importers []string
	reason    string
}{
	{"github.com/stripe/stripe-go/v79", []string{"usher/billing/stripegw"}, "Stripe's types and errors are mapped in one place, so that its next version is one package's work"},
	{"github.com/jmoiron/sqlx", []string{"usher/db"}, "SQL lives in db"},
	{"github.com/lib/pq", []string{"usher/db", "usher/db/privatepg", "usher/db/dbtest", "usher/cmd/bench"}, "PostgreSQL's errors are mapped in db"},
	{"github.com/pressly/goose/v3", []string{"usher/db"}, "migrations are db's"},
	{"github.com/riverqueue/river", []string{"usher/db"}, "jobs are rows of PostgreSQL, inserted in the transaction of the change"},
	{"github.com/alexedwards/scs/v2", []string{"usher/handlers", "usher/db"}, "sessions belong to the HTTP edge and are stored by db"},
	{"github.com/a-h/templ", append([]string{"usher/handlers", "usher/views/viewtest", "usher/cmd/strings"}, pages...), "HTML is made in views and written by handlers"},
	{"github.com/PuerkitoBio/goquery", []string{"usher/views/viewtest"}, "HTML is parsed in tests only"},
	{"github.com/joho/godotenv", []string{"usher/cmd/usher"}, "only the program itself reads its configuration"},
	{"github.com/BurntSushi/toml", []string{"usher/billing/catalog"}, "the plan file is read in one place"},
	{"github.com/bojanz/currency", []string{"usher/billing/catalog"}, "money has one type"},
	{"github.com/wneessen/go-mail", []string{"usher/billing/mail/smtp"}, "SMTP is spoken in one place"},
	{"github.com/klauspost/compress", []string{"usher/handlers"}, "responses are compressed over HTTP"},
	{"github.com/prometheus/client_golang", []string{"usher/handlers"}, "metrics are served over HTTP"},
	{"go.opentelemetry.io/otel", []string{"usher/handlers", "usher/db", "usher/billing/stripegw", "usher/cmd/usher"}, "requests, statements, calls and jobs are traced where they begin"},
	{"go.opentelemetry.io/otel/sdk", []string{"usher/cmd/usher"}, "the program sends traces"},
	{"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp", []string{"usher/cmd/usher"}, "the program sends traces"},
	{"github.com/pquerna/otp", []string{"usher/billing/account"}, "one-time codes are checked in one place"},
	{"github.com/go-webauthn/webauthn", []string{"usher/billing/account"}, "passkeys are checked in one place"},
	{"github.com/boombuler/barcode", []string{"usher/views/ui"}, "a QR code is drawn in one place"},
	{"github.com/coreos/go-oidc/v3", []string{"usher/billing/account/oidc"}, "ID tokens are verified in one place"},
	{"github.com/go-jose/go-jose/v4", []string{"usher/billing/account"}, "hand-over tokens are verified in one place"},
	{"golang.org/x/net", []string{"usher/billing/account", "usher/billing/account/dns/dnstest"}, "domains of addresses are compared in one form; a server for tests speaks DNS"},
	{"golang.org/x/oauth2", []string{"usher/billing/account/oidc"}, "the code flow is spoken in one place"},
	{"golang.org/x/crypto", []string{"usher/billing/account"}, "passwords are hashed in one place"},
	{"golang.org/x/term", []string{"usher/cmd/usher"}, "a key that is typed is not shown"},
	{"golang.org/x/text", []string{"usher/billing/account", "usher/views/locale"}, "passwords are compared in one normal form; languages are matched in one place"},
	{"github.com/leonelquinteros/gotext", []string{"usher/views/locale", "usher/cmd/strings"}, "translations are read in one place"},
}

// forbidden lists parts of the standard library (and of modules) that a package has no business
// with.
var forbidden = []struct {
	importers []string
	imported  []string
	reason    string
}{
	{
		[]string{
			"usher/billing", "usher/billing/account", "usher/billing/catalog", "usher/billing/mail", "usher/billing/apperr",
			"usher/billing/env", "usher/billing/job", "usher/billing/secrets", "usher/billing/webhook",
		},
		[]string{"net", "net/http", "html", "html/template", "database/sql", "os", "os/exec"},
		"rules decide and perform no I/O",
	},
	{pages, []string{"net", "database/sql", "os", "os/exec", "io/fs", "crypto/rand", "math/rand", "math/rand/v2"}, "a view is a function of its props"},
	{[]string{"usher/handlers", "usher/static"}, []string{"database/sql", "os", "os/exec"}, "the HTTP edge reaches data through billing"},
	{[]string{"usher/billing/stripegw"}, []string{"database/sql", "html/template", "os"}, "it speaks to Stripe and decides nothing"},
	{[]string{"usher/billing/mail/smtp"}, []string{"database/sql", "html/template", "log", "log/slog", "net/http", "os"}, "it hands mail over and decides nothing"},
	{[]string{"usher/billing/webhook/sender"}, []string{"database/sql", "html/template", "log", "log/slog", "os"}, "it sends messages and decides nothing"},
	{[]string{"usher/db"}, []string{"net/http", "html/template"}, "it speaks to PostgreSQL alone"},
}

// topFolders are the folders of the design; what begins with a dot, and node_modules, is not part
// of the program.
var topFolders = []string{"billing", "cmd", "db", "docs", "handlers", "node_modules", "ops", "static", "stripelocal", "views"}

func TestImportGraph(t *testing.T) {
	graph := importGraph(t)
	if len(graph) < 5 {
		t.Fatalf("only %d packages were read", len(graph))
	}
	for _, violation := range violations(graph) {
		t.Error(violation)
	}
}

// importGraph reads which package imports which, tests left out.
func importGraph(t *testing.T) map[string][]string {
	t.Helper()
	list := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	list.Dir, list.Stderr = root, os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	graph := map[string][]string{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
		var listed struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&listed); err != nil {
			t.Fatal(err)
		}
		graph[listed.ImportPath] = listed.Imports
	}
	return graph
}

// testSupport are packages that only tests import.
var testSupport = []string{"usher/billing/account/dns/dnstest", "usher/billing/account/oidc/oidctest", "usher/db/dbtest", "usher/views/viewtest"}

// violations tells every edge of the graph that a rule forbids.
func violations(graph map[string][]string) []string {
	var found []string
	for importer, imports := range graph {
		if _, known := inside[importer]; !known {
			found = append(found, importer+" is in no rule: say here what it may import, and draw it in docs/architecture.md")
			continue
		}
		for _, imported := range imports {
			if reason := whyNot(importer, imported); reason != "" {
				found = append(found, fmt.Sprintf("%s imports %s: %s", importer, imported, reason))
			}
		}
	}
	slices.Sort(found)
	return found
}

// whyNot is the reason of the rule against an edge, or nothing.
func whyNot(importer, imported string) string {
	switch first, _, _ := strings.Cut(imported, "/"); {
	case first == "usher":
		return whyNotInside(importer, imported)
	case strings.Contains(first, "."):
		return whyNotOutside(importer, imported)
	}
	for _, rule := range forbidden {
		if slices.Contains(rule.importers, importer) && slices.Contains(rule.imported, imported) {
			return rule.reason
		}
	}
	if imported == "testing" && !slices.Contains(testSupport, importer) {
		return "the program carries no test support"
	}
	return ""
}

func whyNotInside(importer, imported string) string {
	if imported == "usher/views/gallery" && importer != "usher/handlers" {
		return "only handlers serve the gallery"
	}
	allowed := inside[importer]
	if slices.Contains(allowed, imported) || slices.Contains(allowed, "usher/") && !slices.Contains(testSupport, imported) {
		return ""
	}
	if slices.Contains(areas, importer) && slices.Contains(areas, imported) {
		return "pages of different areas share components through ui and layout, so that each area can be changed alone"
	}
	return "imports run one way: cmd -> handlers -> views -> billing, db -> billing, stripegw -> billing -> account -> mail -> catalog; " +
		"stripelocal is usable alone"
}

func whyNotOutside(importer, imported string) string {
	for _, rule := range outside {
		if imported != rule.module && !strings.HasPrefix(imported, rule.module+"/") {
			continue
		}
		if slices.Contains(rule.importers, importer) {
			return ""
		}
		return rule.reason
	}
	return "this module is in no rule: decide who needs it, and why, before the program depends on it"
}

func TestImportRulesCanFail(t *testing.T) {
	tests := []struct{ importer, imported, because string }{
		{"usher/billing", "usher/db", "one way"},
		{"usher/billing", "usher/views/mail", "one way"},
		{"usher/billing", "usher/billing/stripegw", "one way"},
		{"usher/billing", "net/http", "perform no I/O"},
		{"usher/billing", "database/sql", "perform no I/O"},
		{"usher/billing", "github.com/stripe/stripe-go/v79", "one package's work"},
		{"usher/billing", "github.com/google/uuid", "in no rule"},
		{"usher/views/billing", "usher/handlers", "one way"},
		{"usher/views/billing", "usher/db", "one way"},
		{"usher/views/billing", "usher/views/organization", "share components"},
		{"usher/views/admin", "usher/views/gallery", "only handlers"},
		{"usher/cmd/usher", "usher/views/gallery", "only handlers"},
		{"usher/cmd/usher", "usher/views/viewtest", "one way"},
		{"usher/views/ui", "usher/views/layout", "one way"},
		{"usher/views/layout", "usher/billing", "one way"},
		{"usher/views/layout", "usher/views/auth", "one way"},
		{"usher/views/ui", "crypto/rand", "function of its props"},
		{"usher/views/gallery", "os", "function of its props"},
		{"usher/views/mail", "net", "function of its props"},
		{"usher/views/billing", "testing", "no test support"},
		{"usher/views/billing", "github.com/PuerkitoBio/goquery", "tests only"},
		{"usher/handlers", "usher/db", "one way"},
		{"usher/handlers", "usher/billing/stripegw", "one way"},
		{"usher/handlers", "usher/stripelocal", "one way"},
		{"usher/handlers", "database/sql", "through billing"},
		{"usher/handlers", "github.com/jmoiron/sqlx", "SQL lives in db"},
		{"usher/handlers", "github.com/stripe/stripe-go/v79/webhook", "one package's work"},
		{"usher/db", "usher/handlers", "one way"},
		{"usher/db", "usher/billing/stripegw", "one way"},
		{"usher/db", "net/http", "PostgreSQL alone"},
		{"usher/db", "github.com/stripe/stripe-go/v79/form", "one package's work"},
		{"usher/db/privatepg", "usher/db", "one way"},
		{"usher/billing/stripegw", "usher/db", "one way"},
		{"usher/billing/stripegw", "database/sql", "decides nothing"},
		{"usher/stripelocal", "usher/billing", "usable alone"},
		{"usher/stripelocal", "github.com/stripe/stripe-go/v79", "one package's work"},
		{"usher/stripelocal", "github.com/getkin/kin-openapi/openapi3", "in no rule"},
		{"usher/static", "usher/views/ui", "one way"},
		{"usher/billing", "usher/billing/mail/smtp", "one way"},
		{"usher/handlers", "github.com/wneessen/go-mail", "one place"},
		{"usher/billing/mail/smtp", "log/slog", "decides nothing"},
		{"usher/billing/webhook", "net/http", "perform no I/O"},
		{"usher/billing", "usher/billing/webhook/sender", "one way"},
		{"usher/billing/webhook/sender", "log/slog", "decides nothing"},
		{"usher/cmd/usher", "github.com/lib/pq", "mapped in db"},
		{"usher/cmd/usher", "usher/db/dbtest", "one way"},
		{"usher/cmd/usher", "testing", "no test support"},
		{"usher/common", "fmt", "in no rule"},
	}
	for _, test := range tests {
		found := violations(map[string][]string{test.importer: {"fmt", test.imported}})
		if len(found) != 1 || !strings.Contains(found[0], test.because) {
			t.Errorf("%s importing %s is told as %q, want one violation saying %q", test.importer, test.imported, found, test.because)
		}
	}
}

func TestImportRulesAllow(t *testing.T) {
	allowed := map[string][]string{
		"usher/cmd/usher":        {"usher/db", "usher/db/privatepg", "usher/stripelocal", "net/http"},
		"usher/handlers":         {"usher/billing", "usher/views/auth", "usher/views/gallery", "net/http"},
		"usher/views/billing":    {"usher/billing", "usher/views/ui", "usher/views/layout", "github.com/a-h/templ/runtime"},
		"usher/views/gallery":    {"usher/views/dev", "net/http"},
		"usher/views/viewtest":   {"testing", "github.com/PuerkitoBio/goquery"},
		"usher/billing/stripegw": {"usher/billing", "github.com/stripe/stripe-go/v79/webhook"},
		"usher/db":               {"usher/billing", "database/sql", "github.com/lib/pq/pqerror"},
		"usher/stripelocal":      {"net/http", "html/template"},
	}
	if found := violations(allowed); len(found) > 0 {
		t.Errorf("refused is %q", found)
	}
}

func TestTopFolders(t *testing.T) {
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") && !slices.Contains(topFolders, entry.Name()) {
			t.Errorf("folder %s: the design has a place for everything in %v", entry.Name(), topFolders)
		}
	}
}

// Views may name a status (http.StatusNotFound) but must not speak HTTP, and imports alone do not
// tell the two apart.
func TestViewsSpeakNoHTTP(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "views", "*", "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no views were found: %v", err)
	}
	for _, file := range files {
		if folder := filepath.Base(filepath.Dir(file)); folder == "gallery" || strings.HasSuffix(file, "_test.go") {
			continue // the gallery has a handler
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range spokenHTTP(t, source) {
			t.Errorf("%s uses http.%s: a view is a function of its props", file, name)
		}
	}
}

// spokenHTTP lists what a file uses of net/http besides the names of statuses.
func spokenHTTP(t *testing.T, source []byte) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "view.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	ast.Inspect(file, func(node ast.Node) bool {
		selector, ok := node.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if from, ok := selector.X.(*ast.Ident); ok && from.Name == "http" && !strings.HasPrefix(selector.Sel.Name, "Status") {
			names = append(names, selector.Sel.Name)
		}
		return true
	})
	return names
}

func TestSpokenHTTPIsFound(t *testing.T) {
	found := spokenHTTP(t, []byte("package views\nimport \"net/http\"\nfunc f() int { http.Get(\"\"); return http.StatusOK }\n"))
	if !slices.Equal(found, []string{"Get"}) {
		t.Errorf("found is %q, want Get alone", found)
	}
}
