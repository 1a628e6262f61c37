// Command strings lists every text that people can read, one a line with its place, so that all can
// be read in one list and be given to translators:
//
//	go run ./cmd/strings
//
// It reads the templates with templ's own parser, the Go code of views, handlers and billing with
// Go's scanner, and the local Stripe's pages. What is a text is decided by [isText]: identifiers,
// classes, paths, errors for the log and the like are left out.
package main

import (
	"fmt"
	"os"
)

func main() {
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	phrases, err := collect(root)
	if err != nil {
		fmt.Fprintln(os.Stderr, "strings:", err)
		os.Exit(1)
	}
	for _, p := range phrases {
		fmt.Printf("%s:%d\t%s\n", p.file, p.line, p.text)
	}
}
