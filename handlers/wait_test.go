package handlers

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An action that takes longer than its page continues after the request has ended.
func TestActionContinuesAfterTheRequest(t *testing.T) {
	h := newTestEnv(t)
	h.server.site.answerTimeout = time.Millisecond
	request, end := context.WithCancel(t.Context())
	release := make(chan struct{})
	_, err := await(request, h.server.site, time.Minute, func(ctx context.Context) (int, error) {
		<-release
		return 0, errors.Join(ctx.Err(), errors.New("the action's error"))
	})
	if !errors.Is(err, errContinues) {
		t.Fatal(err)
	}
	end()
	close(release)
	waitFor(t, "the error in the log", func() bool { return strings.Contains(h.log.String(), "the action's error") })
	if log := h.log.String(); strings.Contains(log, context.Canceled.Error()) {
		t.Error("the action ended with its request")
	}
}

// TestClosuresUseTheirContext fails where a function that gets a context takes the request's: an
// action that continues after the response would end with it.
func TestClosuresUseTheirContext(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, name := range files {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if closure, ok := n.(*ast.FuncLit); ok && takesContext(closure.Type) {
				ast.Inspect(closure.Body, func(n ast.Node) bool {
					if call, ok := n.(*ast.CallExpr); ok && callsContextOfRequest(call) {
						t.Errorf("%s: use the function's own context", fset.Position(call.Pos()))
					}
					return true
				})
			}
			return true
		})
	}
}

func takesContext(f *ast.FuncType) bool {
	for _, param := range f.Params.List {
		if selector, ok := param.Type.(*ast.SelectorExpr); ok && selector.Sel.Name == "Context" && len(param.Names) > 0 && param.Names[0].Name != "_" {
			return true
		}
	}
	return false
}

func callsContextOfRequest(call *ast.CallExpr) bool {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != "Context" || len(call.Args) > 0 {
		return false
	}
	receiver, ok := selector.X.(*ast.Ident)
	return ok && receiver.Name == "r"
}
