package stripelocal

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"usher/stripelocal/wire"
)

// A parameter that a route accepts and no handler reads has no effect. doc.go must list exactly
// these parameters.
func TestDocListsParametersWithoutEffect(t *testing.T) {
	src, built := readSource(t), maps.Clone(builtParameterNames)
	var found []string
	for _, r := range resources() {
		for _, rt := range r.routes {
			if src.handlers[rt.pattern] == nil {
				t.Fatalf("%s: no handler found in the source", rt.pattern)
			}
			root, err := wire.ParseSchema(rt.params)
			if err != nil {
				t.Fatal(err)
			}
			words := src.literalsFrom(src.handlers[rt.pattern])
			for _, path := range unread(root, "", words) {
				if byPart := partOf(path); byPart != "" {
					delete(built, byPart)
					continue
				}
				found = append(found, rt.pattern+": "+path)
			}
		}
	}
	slices.Sort(found)
	if documented := acceptedByDoc(t); !slices.Equal(found, documented) {
		t.Errorf("accepted without effect:\n%s\ndoc.go lists:\n%s", strings.Join(found, "\n"), strings.Join(documented, "\n"))
	}
	for part := range built {
		t.Errorf("no parameter begins with %s any more", part)
	}
}

// builtParameterNames are prefixes of parameter names that the code builds at run time, so that
// they are not found in the source. Other tests send them.
var builtParameterNames = map[string]bool{"subscription_": true, "invoice_metadata": true, "country_options.": true, "evidence.": true, "flow_data.subscription_": true}

func partOf(path string) string {
	for part := range builtParameterNames {
		if strings.HasPrefix(path, part) {
			return part
		}
	}
	return ""
}

// acceptedByDoc reads the list in doc.go, one line per route.
func acceptedByDoc(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, line := range regexp.MustCompile(`(?m)^//   - ((?:GET|POST|DELETE) \S+): (.+)$`).FindAllStringSubmatch(string(raw), -1) {
		for name := range strings.SplitSeq(line[2], ", ") {
			out = append(out, line[1]+": "+name)
		}
	}
	slices.Sort(out)
	return out
}

// unread returns the paths of the parameters whose names do not occur in words.
func unread(s *wire.Schema, prefix string, words map[string]bool) []string {
	var out []string
	for _, name := range s.Order {
		switch f := s.Fields[name]; {
		case len(f.Choices) == 1: // the only value says nothing
		case !words[name]:
			out = append(out, prefix+name)
		default:
			out = append(out, unread(f, prefix+name+".", words)...)
		}
	}
	return out
}

// source is the package's code: its functions, the handler of each route by
// pattern, and the object behind each identifier.
type source struct {
	bodies   map[types.Object]*ast.FuncDecl
	handlers map[string]types.Object
	uses     map[*ast.Ident]types.Object
}

// readSource type-checks the package and wire without their other imports. This still resolves
// their own functions and types.
func readSource(t *testing.T) source {
	t.Helper()
	files := token.NewFileSet()
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	lenient := types.Config{Importer: onlyWire{}, Error: func(error) {}}
	wireFiles, ownFiles := parseDir(t, files, "wire"), parseDir(t, files, ".")
	wirePackage, _ := lenient.Check("usher/stripelocal/wire", files, wireFiles, info)
	lenient.Importer = onlyWire{wirePackage}
	_, _ = lenient.Check("usher/stripelocal", files, ownFiles, info)
	src := source{bodies: map[types.Object]*ast.FuncDecl{}, handlers: map[string]types.Object{}, uses: info.Uses}
	for _, file := range append(wireFiles, ownFiles...) {
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				src.bodies[info.Defs[f.Name]] = f
			}
		}
		ast.Inspect(file, src.collectRoute)
	}
	return src
}

// parseDir parses the Go files of a directory, tests excluded.
func parseDir(t *testing.T, files *token.FileSet, dir string) []*ast.File {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var parsed []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, file)
	}
	return parsed
}

// collectRoute records the handler of a call such as on("GET /v1/prices", params, prices.list).
func (src source) collectRoute(n ast.Node) bool {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) != 3 {
		return true
	}
	f, named := call.Fun.(*ast.Ident)
	pattern, literal := call.Args[0].(*ast.BasicLit)
	method, selected := call.Args[2].(*ast.SelectorExpr)
	if !named || f.Name != "on" || !literal || !selected {
		return true
	}
	if text, err := strconv.Unquote(pattern.Value); err == nil {
		src.handlers[text] = src.uses[method.Sel]
	}
	return true
}

// isAllowList reports whether a call checks names against a literal list, which does not read the
// parameters.
func isAllowList(call *ast.CallExpr) bool {
	if _, list := first(call).(*ast.CompositeLit); !list {
		return false
	}
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name == "setOf"
	case *ast.SelectorExpr:
		return f.Sel.Name == "Contains"
	}
	return false
}

func first(call *ast.CallExpr) ast.Expr {
	if len(call.Args) == 0 {
		return nil
	}
	return call.Args[0]
}

// onlyWire imports the wire package and nothing else.
type onlyWire struct{ wire *types.Package }

func (o onlyWire) Import(path string) (*types.Package, error) {
	if o.wire != nil && path == o.wire.Path() {
		return o.wire, nil
	}
	return nil, fmt.Errorf("%s is not imported", path)
}

// literalsFrom returns the string literals in a handler and in the functions it passes parameters
// to.
func (src source) literalsFrom(handler types.Object) map[string]bool {
	words, seen, next := map[string]bool{}, map[types.Object]bool{}, []types.Object{handler}
	for len(next) > 0 {
		at := next[0]
		next = next[1:]
		f, own := src.bodies[at]
		if seen[at] || !own || at != handler && !takesParams(f) {
			continue
		}
		seen[at] = true
		next = append(next, src.literals(f, words)...)
	}
	return words
}

// takesParams reports whether a function can read parameters.
func takesParams(f *ast.FuncDecl) bool {
	fields := slices.Clone(f.Type.Params.List)
	if f.Recv != nil {
		fields = append(fields, f.Recv.List...)
	}
	readers := setOf([]string{"Params", "input", "Value", "change", "itemChange"})
	return slices.ContainsFunc(fields, func(field *ast.Field) bool {
		found := false
		ast.Inspect(field.Type, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			found = found || ok && readers[id.Name]
			return true
		})
		return found
	})
}

// literals records a function's string literals, except for the names of rendered fields, and
// returns the objects it refers to.
func (src source) literals(f *ast.FuncDecl, words map[string]bool) []types.Object {
	var named []types.Object
	rendered := map[ast.Node]bool{}
	ast.Inspect(f.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.KeyValueExpr:
			rendered[n.Key] = true
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				if ix, ok := left.(*ast.IndexExpr); ok {
					rendered[ix.Index] = true
				}
			}
		case *ast.BasicLit:
			if word, err := strconv.Unquote(n.Value); err == nil && !rendered[n] {
				words[word] = true
			}
		case *ast.CallExpr:
			if isAllowList(n) {
				return false
			}
		case *ast.Ident:
			o := src.uses[n]
			if f, ok := o.(*types.Func); ok {
				o = f.Origin()
			}
			named = append(named, o)
		}
		return true
	})
	return named
}
