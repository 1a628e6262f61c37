package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/leonelquinteros/gotext"
)

// message is a text that translations have: the argument of a function of package locale, or the
// message of an error.
type message struct {
	file string // path from the root, with slashes
	line int
	text string
	many string // the form for several, of texts that depend on a number
}

// germanFile has the German texts, from the root.
const germanFile = "views/locale/de.po"

func readGerman(root string) (map[string]*gotext.Translation, error) {
	content, err := os.ReadFile(filepath.Join(root, germanFile))
	if err != nil {
		return nil, fmt.Errorf("read translations: %w", err)
	}
	po := gotext.NewPo()
	po.Parse(content)
	return po.GetDomain().GetTranslations(), nil
}

// messageFolders hold the texts of visitors, members and billing admins, with the folders below
// them. Operators' and developers' pages are in English.
var messageFolders = []string{"billing", "db", "handlers", "views"}

// englishFolders have no translations.
var englishFolders = []string{"views/admin", "views/dev", "views/gallery"}

// englishFiles have messages that only programs, operators and developers read.
var englishFiles = []string{
	"billing/credits.go", "billing/link_customer.go", "billing/reconcile_run.go", "billing/stripegw/event.go", "billing/stripegw/portal.go", "billing/stripegw/price_push.go",
	"billing/stripegw/schedule.go", "handlers/api.go", "handlers/dev.go", "handlers/json.go",
}

// englishTexts are messages of programs in files with others.
var englishTexts = []string{
	"No Stripe customer found", "Invalid price ID", "Webhook signature failed", "There is no such scope. The scopes are %s.",
	"A key of the installation needs the header Usher-Organization: org_….",
}

// messageCalls are the functions that take a text, by package, with its position among the
// arguments.
var messageCalls = map[string]int{
	"locale.T": 1, "locale.N": 1, "locale.Mark": 0, "apperr.Errorf": 1, "apperr.FieldError": 1,
	"phrase.Of": 0, "phrase.Count": 1,
}

// messages reads the messages of a repository, sorted by place. Templates are read in the Go code
// that templ generates from them.
func messages(root string) ([]message, error) {
	var all []message
	for _, folder := range messageFolders {
		files := map[string]*ast.File{}
		set := token.NewFileSet()
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			name := relative(root, path)
			switch {
			case err != nil:
				return err
			case entry.IsDir() && slices.Contains(englishFolders, name):
				return fs.SkipDir
			case entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || slices.Contains(englishFiles, name):
				return nil
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return fmt.Errorf("read %s: %w", name, err)
			}
			files[name], err = parser.ParseFile(set, name, content, parser.SkipObjectResolution)
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, name := range slices.Sorted(maps.Keys(files)) {
			ast.Inspect(files[name], func(n ast.Node) bool {
				if m, ok := messageOf(n, files[name].Name.Name); ok && !slices.Contains(englishTexts, m.text) {
					m.file, m.line = name, set.Position(n.Pos()).Line
					all = append(all, m)
				}
				return true
			})
		}
	}
	return all, nil
}

// messageOf returns the message that a node of a package holds.
func messageOf(n ast.Node, home string) (message, bool) {
	switch n := n.(type) {
	case *ast.CallExpr:
		return messageOfCall(n, home)
	case *ast.ValueSpec: // const messageLastAdmin = "…"
		if len(n.Names) == 1 && len(n.Values) == 1 && strings.HasPrefix(strings.ToLower(n.Names[0].Name), "message") {
			text, ok := literal(n.Values[0])
			return message{text: text}, ok
		}
	case *ast.KeyValueExpr: // apperr.Error{Message: "…"}
		if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Message" {
			text, ok := literal(n.Value)
			return message{text: text}, ok
		}
	}
	return message{}, false
}

func messageOfCall(call *ast.CallExpr, home string) (message, bool) {
	var function string
	switch called := call.Fun.(type) {
	case *ast.Ident:
		function = called.Name
	case *ast.SelectorExpr:
		imported, ok := called.X.(*ast.Ident)
		if !ok {
			return message{}, false
		}
		home, function = imported.Name, called.Sel.Name
	}
	at, ok := messageCalls[home+"."+function]
	if !ok || len(call.Args) <= at {
		return message{}, false
	}
	text, ok := literal(call.Args[at])
	if !ok || text == "" {
		return message{}, false
	}
	m := message{text: text}
	if function == "N" || function == "Count" {
		m.many, ok = literal(call.Args[at+1])
	}
	return m, ok
}

// literal returns the value of a string literal, or of several joined with +.
func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, ok := literal(e.X)
		right, also := literal(e.Y)
		return left + right, ok && also && e.Op == token.ADD
	case *ast.ParenExpr:
		return literal(e.X)
	}
	return "", false
}
