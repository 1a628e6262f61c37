package docs_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
)

// maxMethods is the largest number of methods of a type. One that gets near to it has more than one
// responsibility.
const maxMethods = 60

func TestTypesHaveFewMethods(t *testing.T) {
	sources := map[string]string{}
	for _, file := range repositoryFiles(t) {
		if strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") {
			sources[file] = string(readFile(t, file))
		}
	}
	for _, large := range typesAbove(t, maxMethods, sources) {
		t.Errorf("%s: split it by responsibility", large)
	}
}

func TestTypesHaveFewMethodsCanFail(t *testing.T) {
	sources := map[string]string{
		"a/a.go": "package a\ntype T struct{}\nfunc (T) A() {}\nfunc (t *T) B() {}\nfunc C() {}",
		"a/b.go": "package a\nfunc (t *T) D() {}\ntype G[K any] struct{}\nfunc (g *G[K]) A() {}\nfunc (g G[K]) B() {}\nfunc (g *G[_]) C() {}",
		"b/a.go": "package b\ntype T struct{}\nfunc (T) A() {}",
	}
	found, want := typesAbove(t, 2, sources), []string{"a.G has 3 methods", "a.T has 3 methods"}
	if !slices.Equal(found, want) {
		t.Errorf("found %q, want %q", found, want)
	}
}

// typesAbove describes the types of Go files, by path, that have more than limit methods.
func typesAbove(t *testing.T, limit int, sources map[string]string) []string {
	t.Helper()
	methods := map[string]int{}
	for file, source := range sources {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range parsed.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && f.Recv != nil {
				methods[path.Dir(file)+"."+receiverName(f.Recv.List[0].Type)]++
			}
		}
	}
	var above []string
	for name, n := range methods {
		if n > limit {
			above = append(above, fmt.Sprintf("%s has %d methods", name, n))
		}
	}
	slices.Sort(above)
	return above
}

// receiverName is the name of a receiver's type, without its star and type parameters.
func receiverName(receiver ast.Expr) string {
	switch e := receiver.(type) {
	case *ast.StarExpr:
		return receiverName(e.X)
	case *ast.IndexExpr:
		return receiverName(e.X)
	case *ast.IndexListExpr:
		return receiverName(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}
