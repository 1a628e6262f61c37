package main

import (
	"fmt"
	"html"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/a-h/templ/parser/v2"
)

// readAttributes are the attributes whose values are shown or read out.
var readAttributes = []string{"title", "alt", "aria-label", "aria-description", "placeholder", "label", "data-label", "data-failed", "data-offline", "data-canceled", "data-exists"}

// templPhrases returns the texts of a template: literal text, the values of [readAttributes], and
// the literals in its Go code.
func templPhrases(content string) ([]phrase, error) {
	file, err := parser.ParseString(content)
	if err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	w := &templWalker{}
	w.walk(reflect.ValueOf(file.Nodes))
	return w.found, nil
}

// templWalker walks through the nodes of a template. It uses reflection, since children and
// expressions have other fields in each type of node.
type templWalker struct{ found []phrase }

func (w *templWalker) walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if !v.IsNil() {
			w.walk(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			w.walk(v.Index(i))
		}
	case reflect.Struct:
		w.visit(v)
	}
}

func (w *templWalker) visit(v reflect.Value) {
	switch node := v.Interface().(type) {
	case parser.Text:
		w.add(node.Range.From.Line, html.UnescapeString(node.Value))
	case parser.ConstantAttribute:
		if slices.Contains(readAttributes, node.Key.String()) {
			w.add(node.Range.From.Line, html.UnescapeString(node.Value))
		}
	case parser.ExpressionAttribute:
		if slices.Contains(readAttributes, node.Key.String()) {
			w.code(node.Expression)
		}
	case parser.Expression:
		w.code(node)
	default:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				w.walk(v.Field(i))
			}
		}
	}
}

// add adds a text; lines of the parser are counted from 0.
func (w *templWalker) add(line uint32, text string) {
	if strings.ContainsFunc(text, unicode.IsLetter) {
		w.found = append(w.found, phrase{line: int(line) + 1, text: collapse(text)})
	}
}

func (w *templWalker) code(e parser.Expression) {
	for _, p := range goPhrases(e.Value, false) {
		p.line += int(e.Range.From.Line)
		w.found = append(w.found, p)
	}
}
