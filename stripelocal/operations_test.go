package stripelocal_test

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"usher/stripelocal"
)

var writeOperations = flag.Bool("write-operations", false, "write docs/local-stripe-operations.md instead of comparing it")

const operationsPage = "../docs/local-stripe-operations.md"

// TestOperationsPageIsCurrent compares the page with the code: the calls with the routes, and the
// divergences with the package's documentation.
func TestOperationsPageIsCurrent(t *testing.T) {
	want := operationsText(t)
	if *writeOperations {
		if err := os.WriteFile(operationsPage, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(operationsPage)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("docs/local-stripe-operations.md is not what the code says (%v): run `make local-stripe-operations`", err)
	}
}

func operationsText(t *testing.T) []byte {
	t.Helper()
	spec, err := loadedSpec()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	routes := slices.SortedFunc(maps.Keys(stripelocal.RouteParams()), comparePatterns)
	specified := 0
	for _, pattern := range routes {
		method, path, _ := strings.Cut(pattern, " ")
		if _, ok := spec.operation(method, strings.NewReplacer("{", "x", "}", "x").Replace(path)); ok {
			specified++
		}
	}
	fmt.Fprintf(&out, "# What the local Stripe supports\n\n`make local-stripe-operations` writes this page from the code; a test compares the two.\n\n"+
		"It supports %d calls: %d of the %d operations of Stripe's specification (stripe-mock\nv0.190.0), /v1/invoice_payments of newer versions, the contents of files, and what the official\nCLI calls besides. Any other call is a 404, and a parameter that is not listed a 400 with its\nname.\n\n"+
		"## Calls and their parameters\n\n"+
		"The names are those of API version %s. Names in brackets are the fields of the one before. All\ncalls take `expand`. [API versions](#api-versions) tells what newer versions change.\n\n",
		len(routes), specified, len(spec.routes), stripelocal.APIVersion)
	for _, pattern := range routes {
		fmt.Fprintf(&out, "- `%s`%s\n", pattern, paramText(stripelocal.RouteParams()[pattern]))
	}
	out.WriteString("\n" + divergencesText(t))
	return out.Bytes()
}

// comparePatterns sorts by path, then by method.
func comparePatterns(a, b string) int {
	methodA, pathA, _ := strings.Cut(a, " ")
	methodB, pathB, _ := strings.Cut(b, " ")
	return cmp.Or(cmp.Compare(pathA, pathB), cmp.Compare(methodA, methodB))
}

func paramText(params []stripelocal.Param) string {
	var names []string
	for _, p := range params {
		if p.Name != "expand" {
			names = append(names, p.Name+fieldText(p.Fields))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return ": " + strings.Join(names, ", ")
}

func fieldText(fields []stripelocal.Param) string {
	var names []string
	for _, p := range fields {
		names = append(names, p.Name+fieldText(p.Fields))
	}
	if len(names) == 0 {
		return ""
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// divergencesText is the package documentation from its assumptions on, as Markdown.
func divergencesText(t *testing.T) string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(file.Doc.Text(), "# Assumptions and divergences")
	if !found {
		t.Fatal("doc.go has no section on assumptions and divergences")
	}
	var p comment.Parser
	printer := comment.Printer{HeadingLevel: 2, HeadingID: func(*comment.Heading) string { return "" }}
	return string(printer.Markdown(p.Parse("# Assumptions and divergences" + text)))
}
