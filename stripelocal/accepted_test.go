package stripelocal

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A parameter that a grammar takes and no handler reads is one that is accepted
// without effect. doc.go names every one of them, and nothing else: both sides
// are compared here, so that neither can rot.
func TestParametersAcceptedWithoutEffectAreThoseOfTheDoc(t *testing.T) {
	src, built := readSource(t), maps.Clone(readByBuiltNames)
	var found []string
	for _, r := range resources() {
		for _, rt := range r.routes {
			root, err := parseShape(rt.params)
			if err != nil {
				t.Fatal(err)
			}
			words := src.wordsFrom(src.handler(rt))
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
	if said := acceptedByDoc(t); !slices.Equal(found, said) {
		t.Errorf("accepted without effect:\n%s\nthe doc says:\n%s", strings.Join(found, "\n"), strings.Join(said, "\n"))
	}
	for part := range built {
		t.Errorf("no parameter begins with %s any more", part)
	}
}

// readByBuiltNames are the beginnings of parameters whose names the code puts
// together, so that they cannot be seen to be read; other tests send them.
var readByBuiltNames = map[string]bool{"subscription_": true, "evidence.": true, "flow_data.subscription_": true}

func partOf(path string) string {
	for part := range readByBuiltNames {
		if strings.HasPrefix(path, part) {
			return part
		}
	}
	return ""
}

// acceptedByDoc reads the list in doc.go, one line for a route.
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

// unread are the parameters of a shape whose names no reachable function says,
// as paths.
func unread(s *shape, prefix string, words map[string]bool) []string {
	var out []string
	for _, name := range s.order {
		switch f := s.fields[name]; {
		case !words[name]:
			out = append(out, prefix+name)
		default:
			out = append(out, unread(f, prefix+name+".", words)...)
		}
	}
	return out
}

// source is the package's code: its functions, and what each name in them means.
type source struct {
	bodies map[types.Object]*ast.FuncDecl
	uses   map[*ast.Ident]types.Object
}

// readSource checks the package without what it imports, which leaves its own
// functions and types resolved.
func readSource(t *testing.T) source {
	t.Helper()
	files := token.NewFileSet()
	own := func(i fs.FileInfo) bool { return !strings.HasSuffix(i.Name(), "_test.go") }
	parsed, err := parser.ParseDir(files, ".", own, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []*ast.File
	for _, file := range parsed["stripelocal"].Files {
		all = append(all, file)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	lenient := types.Config{Importer: nothing{}, Error: func(error) {}}
	_, _ = lenient.Check("stripelocal", files, all, info)
	src := source{bodies: map[types.Object]*ast.FuncDecl{}, uses: info.Uses}
	for _, file := range all {
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				src.bodies[info.Defs[f.Name]] = f
			}
		}
	}
	return src
}

// allows says whether a call only asks whether a name is on a list that stands
// in the code, which is not to read what was sent under it.
func allows(call *ast.CallExpr) bool {
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

type nothing struct{}

func (nothing) Import(path string) (*types.Package, error) {
	return nil, fmt.Errorf("%s is not looked at", path)
}

// handler is the function behind a route; nil where it is a closure, whose
// parameters are then looked for in all that its file's function says.
func (src source) handler(rt route) types.Object {
	name := runtime.FuncForPC(reflect.ValueOf(rt.do).Pointer()).Name()
	name = strings.TrimPrefix(name, "usher/stripelocal.")
	name = strings.TrimPrefix(name, "(*act).")
	name, _, _ = strings.Cut(name, ".")
	for o, f := range src.bodies {
		if f.Name.Name == name {
			return o
		}
	}
	return nil
}

// wordsFrom are the strings said by a handler and by what it passes parameters
// on to.
func (src source) wordsFrom(handler types.Object) map[string]bool {
	words, seen, next := map[string]bool{}, map[types.Object]bool{}, []types.Object{handler}
	for len(next) > 0 {
		at := next[0]
		next = next[1:]
		f, own := src.bodies[at]
		if seen[at] || !own || at != handler && !takesParams(f) {
			continue
		}
		seen[at] = true
		next = append(next, src.said(f, words)...)
	}
	return words
}

// takesParams says whether a function could read parameters at all.
func takesParams(f *ast.FuncDecl) bool {
	fields := slices.Clone(f.Type.Params.List)
	if f.Recv != nil {
		fields = append(fields, f.Recv.List...)
	}
	readers := setOf([]string{"params", "input", "node", "change", "itemChange"})
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

// said notes a function's strings, but for the names of what it renders, and
// gives what it names.
func (src source) said(f *ast.FuncDecl, words map[string]bool) []types.Object {
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
			if allows(n) {
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
