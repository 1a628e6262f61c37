// Command strings lists every text that people can read, one a line with its place, so that all can
// be read in one list and be given to translators:
//
//	go run ./cmd/strings
//	go run ./cmd/strings -untranslated
//
// It reads the templates with templ's own parser, the Go code of views, handlers and billing with
// Go's scanner, and the local Stripe's pages. What is a text is decided by [isText]: identifiers,
// classes, paths, errors for the log and the like are left out. With -untranslated it lists the
// messages without a German text, see [messages].
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	untranslated := flag.Bool("untranslated", false, "list the messages without a German text")
	flag.Parse()
	root := "."
	if flag.NArg() > 0 {
		root = flag.Arg(0)
	}
	lines, err := listTexts(root)
	if *untranslated {
		lines, err = listUntranslated(root)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "strings:", err)
		os.Exit(1)
	}
	for _, line := range lines {
		fmt.Println(line)
	}
}

func listTexts(root string) (lines []string, err error) {
	phrases, err := collect(root)
	for _, p := range phrases {
		lines = append(lines, fmt.Sprintf("%s:%d\t%s", p.file, p.line, p.text))
	}
	return lines, err
}

func listUntranslated(root string) (lines []string, err error) {
	all, err := messages(root)
	if err != nil {
		return nil, err
	}
	german, err := readGerman(root)
	for _, m := range all {
		if _, ok := german[m.text]; !ok {
			lines = append(lines, fmt.Sprintf("%s:%d\t%s", m.file, m.line, m.text))
		}
	}
	return lines, err
}
