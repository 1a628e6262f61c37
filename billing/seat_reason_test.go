package billing_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"usher/billing"
	"usher/billing/account"
)

// Every reason that the seat ledger stores has a text that can be translated.
func TestEveryReasonHasAPhrase(t *testing.T) {
	checked := 0
	for _, folder := range []string{".", "account"} {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			for name, text := range reasonConstants(t, file) {
				if strings.Contains(text, "_") {
					continue // a code
				}
				checked++
				if name == "ReasonRole" {
					text += "Admin"
				}
				if billing.ReasonPhrase(text).IsVerbatim() {
					t.Errorf("%s: %s, %q, has no phrase", file, name, text)
				}
			}
		}
	}
	if checked < 15 {
		t.Errorf("only %d reasons were found", checked)
	}
	for stored, want := range map[string]string{account.ReasonLeft: "left the organization", account.ReasonRole + "Buyer": "was made Buyer", "an old text": "an old text", "": ""} {
		if got := billing.ReasonPhrase(stored).String(); got != want {
			t.Errorf("%q is shown as %q, want %q", stored, got, want)
		}
	}
}

// reasonConstants returns the string constants of a file whose name begins with reason.
func reasonConstants(t *testing.T, path string) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, is := n.(*ast.ValueSpec)
		if !is || len(spec.Names) != 1 || len(spec.Values) != 1 || !strings.HasPrefix(strings.ToLower(spec.Names[0].Name), "reason") {
			return true
		}
		if literal, is := spec.Values[0].(*ast.BasicLit); is && literal.Kind == token.STRING {
			found[spec.Names[0].Name], _ = strconv.Unquote(literal.Value)
		}
		return true
	})
	return found
}
