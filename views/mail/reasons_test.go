package mail

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"usher/billing"
)

// Every reason and step of a failed payment is marked, so that it has a translation.
func TestReasonsOfPackageBillingAreMarked(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../../billing/decline.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		literal, ok := n.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING || !strings.Contains(literal.Value, " ") {
			return true
		}
		text, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		found++
		if !slices.Contains(billingTexts, text) {
			t.Errorf("%q is not marked", text)
		}
		return true
	})
	if generic := billing.DeclineOf(""); found < 20 || !slices.Contains(billingTexts, generic.Reason) || !slices.Contains(billingTexts, generic.Step) {
		t.Errorf("%d texts were found in billing/decline.go", found)
	}
}
