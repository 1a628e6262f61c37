package main

import (
	"go/scanner"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// goPhrases returns the texts among the string literals of Go code, which may be a part of a file.
func goPhrases(code string, strict bool) []phrase {
	files := token.NewFileSet()
	file := files.AddFile("", files.Base(), len(code))
	var s scanner.Scanner
	s.Init(file, []byte(code), func(token.Position, string) {}, 0)
	var found []phrase
	var context literalContext
	for {
		at, tok, text := s.Scan()
		if tok == token.EOF {
			return found
		}
		if tok == token.STRING {
			if literal, err := strconv.Unquote(text); err == nil && context.isText(literal, strict) {
				found = append(found, phrase{line: file.Line(at), text: collapse(literal)})
			}
		}
		context.advance(tok, text)
	}
}

// literalContext is where a literal is: the names of the open calls, the innermost last, and the
// name of the field that it is the value of.
type literalContext struct {
	calls     []string
	name      string // the last identifier
	field     string // the identifier before the last colon in this element
	previous  token.Token
	importing bool
	tagged    bool // a literal right after a type is a tag of a field
}

func (c *literalContext) advance(tok token.Token, text string) {
	switch tok {
	case token.LPAREN, token.LBRACE, token.LBRACK:
		c.calls, c.field = append(c.calls, c.name), ""
		if c.previous == token.IMPORT {
			c.importing = true
		}
	case token.RPAREN, token.RBRACE, token.RBRACK:
		c.calls, c.field, c.importing = c.calls[:max(0, len(c.calls)-1)], "", false
	case token.COLON:
		c.field = c.name
	case token.COMMA, token.SEMICOLON:
		c.field = ""
	}
	c.tagged = tok == token.IDENT && c.previous == token.IDENT || tok == token.RBRACK
	if tok == token.IDENT {
		c.name = text
	} else if tok != token.PERIOD {
		c.name = keepName(c.name, tok)
	}
	c.previous = tok
}

// keepName forgets a name that no bracket or colon follows.
func keepName(name string, tok token.Token) string {
	if tok == token.COLON || tok == token.STRING {
		return name
	}
	return ""
}

// machineCalls take literals that no person reads.
var machineCalls = []string{
	"Errorf", "New", "panic", "MustCompile", "Info", "Warn", "Error", "Debug", "InfoContext", "WarnContext", "ErrorContext", "LogAttrs", "String", "Int", "Int64", "Any",
	"HasPrefix", "HasSuffix", "Contains", "ContainsAny", "Cut", "CutPrefix", "TrimPrefix", "TrimSuffix", "Split", "SplitSeq", "Fields", "Index", "ReplaceAll", "Replace",
	"NewReplacer", "Set", "Get", "Add", "Del", "Values", "Format", "Parse", "SafeURL", "Path", "URL", "ExecContext", "GetContext", "StripeFailed", "add", "NewDesc",
	"Script", "Getenv", "Lookup",
}

// machineFields have values that no person reads.
var machineFields = []string{
	"Name", "ID", "Href", "Action", "Class", "Kind", "Type", "Value", "InputMode", "Autocomplete", "Key", "Method", "Pattern", "MaxLength", "pattern", "href", "method",
}

// readFields have values that people read, even a single word.
var readFields = []string{"Label", "Title", "Body", "Text", "Message", "Hint", "Question", "Consequence", "title", "body", "label", "subject", "TextLabel"}

// isText reports whether people read a literal: it is not the argument of a [machineCalls], and it
// looks like words.
func (c *literalContext) isText(literal string, strict bool) bool {
	call := ""
	if len(c.calls) > 0 {
		call = c.calls[len(c.calls)-1]
	}
	switch {
	case c.importing || c.tagged || c.previous == token.IMPORT || !strings.ContainsFunc(literal, unicode.IsLetter):
		return false
	case slices.Contains(machineCalls, call) || slices.Contains(machineFields, c.field):
		return false
	case slices.Contains(readFields, c.field):
		return true
	}
	return looksLikeWords(literal, strict)
}

var (
	// codeLike is in no sentence.
	codeLike = regexp.MustCompile(`[{}<>\\=;_@#&]|://|%[dqvw]|^/|\[|select |\*`)
	// classList is a list of classes of the style sheet, with at least one that is no word.
	classList = regexp.MustCompile(`^ ?[a-z0-9:./-]+( [a-z0-9:./-]+)* ?$`)
	classLike = regexp.MustCompile(`[a-z]:[a-z]|\b(flex|grid|block|inline|hidden|truncate|border|rounded|font|text|bg|min|max|mt|mb|px|py|gap|w|h)-|\b(flex|grid|border|rounded)\b|^ ?(cursor|hover)`)
	capital   = regexp.MustCompile(`^\pLu\pLl`)
	sentence  = regexp.MustCompile(`^["'“]?\pLu.* .*\pL|\pL\pL+[.?]$`)
)

// looksLikeWords tells words from codes, classes and paths. Strict takes only what begins with a
// capital letter and has several words, or has words and ends with a full stop.
func looksLikeWords(s string, strict bool) bool {
	trimmed := strings.TrimSpace(s)
	spaced := strings.Contains(trimmed, " ")
	if codeLike.MatchString(s) || (classList.MatchString(s) && classLike.MatchString(s)) {
		return false
	}
	if strict {
		return spaced && sentence.MatchString(trimmed)
	}
	return spaced || capital.MatchString(trimmed) || (trimmed != s && len(trimmed) > 1)
}
