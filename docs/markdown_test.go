package docs_test

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// block is a fenced code block of a Markdown file.
type block struct {
	path     string
	line     int    // of the opening fence
	language string // sh, text, …
	test     string // what a comment <!-- test: … --> above it says; usually empty
	text     string // without the indentation of the fence
}

var (
	fence     = regexp.MustCompile("^( *)```(.*)$")
	directive = regexp.MustCompile(`^ *<!-- test: (.+) -->$`)
)

// blocksOf reads the fenced blocks of a Markdown file in their order.
func blocksOf(t *testing.T, path string) []block {
	t.Helper()
	var (
		blocks []block
		open   *block
		indent string
		test   string
	)
	for i, line := range strings.Split(string(readFile(t, path)), "\n") {
		match := fence.FindStringSubmatch(line)
		switch {
		case open != nil && match == nil:
			open.text += strings.TrimPrefix(line, indent) + "\n"
		case open != nil:
			blocks, open = append(blocks, *open), nil
		case match != nil:
			indent = match[1]
			open = &block{path: path, line: i + 1, language: match[2], test: test}
			test = ""
		case directive.MatchString(line):
			test = directive.FindStringSubmatch(line)[1]
		}
	}
	if open != nil {
		t.Errorf("%s:%d: the block is not closed", path, open.line)
	}
	return blocks
}

func markdownFiles(t *testing.T) []string {
	t.Helper()
	files := repositoryFiles(t)
	return slices.DeleteFunc(files, func(path string) bool { return filepath.Ext(path) != ".md" })
}

// TestBlocksNameTheirLanguage keeps commands from hiding in blocks that no test reads.
func TestBlocksNameTheirLanguage(t *testing.T) {
	known := append([]string{"sh", "text", "toml", "json"}, programming...)
	for _, path := range markdownFiles(t) {
		for _, b := range blocksOf(t, path) {
			if !slices.Contains(known, b.language) {
				t.Errorf("%s:%d: a block of language %q; use one of %v", b.path, b.line, b.language, known)
			}
		}
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
)

// TestLinksResolve follows every relative link, to the heading if it names one.
func TestLinksResolve(t *testing.T) {
	checked := 0
	for _, path := range markdownFiles(t) {
		for _, match := range link.FindAllStringSubmatch(string(readFile(t, path)), -1) {
			target, err := url.Parse(match[1])
			if err != nil {
				t.Errorf("%s: link %q: %v", path, match[1], err)
				continue
			}
			if target.Scheme != "" {
				continue
			}
			checked++
			checkLink(t, path, target)
		}
	}
	if checked < 30 {
		t.Errorf("only %d links were checked", checked)
	}
}

func checkLink(t *testing.T, from string, target *url.URL) {
	t.Helper()
	to := filepath.ToSlash(filepath.Join(filepath.Dir(from), target.Path))
	if target.Path == "" {
		to = from
	}
	if _, err := os.Stat(filepath.Join(root, to)); err != nil {
		t.Errorf("%s links to %s, which does not exist", from, to)
		return
	}
	if target.Fragment == "" {
		return
	}
	for _, match := range heading.FindAllStringSubmatch(string(readFile(t, to)), -1) {
		if anchor(match[1]) == target.Fragment {
			return
		}
	}
	t.Errorf("%s links to %s#%s, which has no such heading", from, to, target.Fragment)
}

// anchor is the fragment that hosted Git services give a heading.
func anchor(heading string) string {
	var out strings.Builder
	for _, r := range strings.ToLower(heading) {
		switch {
		case r == ' ':
			out.WriteByte('-')
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			out.WriteRune(r)
		}
	}
	return out.String()
}

var namedPath = regexp.MustCompile("`((?:billing|cmd|db|docs|handlers|ops|static|stripelocal|views)(?:/[\\w.-]+)*)`")

// TestNamedPathsExist checks every path of the repository that the documentation names.
func TestNamedPathsExist(t *testing.T) {
	checked := 0
	for _, path := range markdownFiles(t) {
		for _, match := range namedPath.FindAllStringSubmatch(string(readFile(t, path)), -1) {
			checked++
			if _, err := os.Stat(filepath.Join(root, match[1])); err != nil {
				t.Errorf("%s names %s, which does not exist", path, match[1])
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d paths were checked", checked)
	}
}

// TestReadmeIsShort keeps the reference in docs.
func TestReadmeIsShort(t *testing.T) {
	if lines := strings.Count(string(readFile(t, "README.md")), "\n"); lines > 150 {
		t.Errorf("README.md has %d lines, at most 150 are useful", lines)
	}
}

// programming are the languages whose blocks have to be tested.
var programming = []string{"go", "js", "python"}

// TestCodeIsTested compares Go blocks with the test they name. The blocks of docs/examples are
// files: TestExamples in cmd/usher runs them.
func TestCodeIsTested(t *testing.T) {
	for _, path := range markdownFiles(t) {
		for _, b := range blocksOf(t, path) {
			isFile := strings.HasPrefix(b.test, "file ")
			switch {
			case !slices.Contains(programming, b.language):
				continue
			case strings.HasPrefix(path, "docs/examples/"):
				if !isFile {
					t.Errorf("%s:%d: the example is no file: write <!-- test: file NAME --> above it", b.path, b.line)
				}
				continue
			case b.language != "go" || isFile:
				t.Errorf("%s:%d: no test runs this block; move it to docs/examples", b.path, b.line)
				continue
			}
			source := strings.ReplaceAll(string(readFile(t, b.test)), "\n\t", "\n")
			if strings.TrimSpace(b.text) == "" || !strings.Contains(source, b.text) {
				t.Errorf("%s:%d: the example is not in %s", b.path, b.line, b.test)
			}
		}
	}
}

// TestShownFilesAreWhole compares each block that shows a file with the file.
func TestShownFilesAreWhole(t *testing.T) {
	var shown []string
	for _, path := range markdownFiles(t) {
		for _, b := range blocksOf(t, path) {
			file, found := strings.CutPrefix(b.test, "same as ")
			if !found {
				continue
			}
			shown = append(shown, file)
			if b.text != string(readFile(t, file)) {
				t.Errorf("%s:%d: the block is not %s", b.path, b.line, file)
			}
		}
	}
	if want := []string{"cmd/usher/testdata/stripejs/pay.html", "ops/nginx.conf", "ops/Caddyfile"}; !slices.Equal(shown, want) {
		t.Errorf("the files %v are shown, want %v", shown, want)
	}
}
