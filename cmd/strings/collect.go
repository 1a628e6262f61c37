package main

import (
	"cmp"
	"fmt"
	"html"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// phrase is a text that people can read.
type phrase struct {
	file string // path from the root, with slashes
	line int
	text string // white space is collapsed, space at the ends is kept
}

// folders are read with the folders below them. In strict ones most literals are no text: those
// have to look like a sentence.
var folders = []struct {
	path   string
	strict bool
}{
	{"views", false}, {"handlers", true}, {"billing", true}, {"stripelocal/pages", false},
}

// skippedFolders hold no text for people: sample data, test helpers and what talks to Stripe and
// the operating system.
var skippedFolders = []string{
	"views/gallery", "views/viewtest", "views/dev", "billing/stripegw", "billing/env", "billing/job", "billing/secrets", "billing/mail/smtp",
	"billing/account/oidc", "billing/account/passwords",
}

// collect reads the phrases of a repository, sorted by place.
func collect(root string) ([]phrase, error) {
	var all []phrase
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join(root, folder.path), func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			name := relative(root, path)
			if entry.IsDir() {
				if slices.Contains(skippedFolders, name) {
					return fs.SkipDir
				}
				return nil
			}
			found, err := read(path, name, folder.strict)
			all = append(all, found...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(all, func(a, b phrase) int {
		return cmp.Or(strings.Compare(a.file, b.file), a.line-b.line)
	})
	return all, nil
}

func relative(root, path string) string {
	name, err := filepath.Rel(root, path)
	if err != nil {
		return path
	}
	return filepath.ToSlash(name)
}

// read reads the phrases of one file. Files of other kinds have none.
func read(path, name string, strict bool) ([]phrase, error) {
	isGo := strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_templ.go") && !strings.HasSuffix(name, "_test.go")
	isTempl, isHTML := strings.HasSuffix(name, ".templ"), strings.HasSuffix(name, ".html")
	if !isGo && !isTempl && !isHTML {
		return nil, nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	var found []phrase
	switch {
	case isTempl:
		found, err = templPhrases(string(content))
	case isGo:
		found = goPhrases(string(content), strict)
	default:
		found = htmlPhrases(string(content))
	}
	for i := range found {
		found[i].file = name
	}
	return found, err
}

// htmlText is a text between two tags without an action of html/template.
var htmlText = regexp.MustCompile(`(?:>|\}\})([^<>{}]*\pL[^<>{}]*)(?:<|\{\{)`)

// htmlPhrases returns the texts of a template of html/template.
func htmlPhrases(content string) []phrase {
	var found []phrase
	for _, at := range htmlText.FindAllStringSubmatchIndex(content, -1) {
		text := html.UnescapeString(content[at[2]:at[3]])
		found = append(found, phrase{line: 1 + strings.Count(content[:at[2]], "\n"), text: collapse(text)})
	}
	return found
}

var space = regexp.MustCompile(`\s+`)

// collapse replaces white space by single spaces.
func collapse(s string) string { return space.ReplaceAllString(s, " ") }
