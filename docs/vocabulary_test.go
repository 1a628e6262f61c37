package docs_test

import (
	"fmt"
	"go/scanner"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// term is a private word of earlier versions and what the field calls the same thing.
type term struct {
	pattern string // of an identifier's words ("told at"), or of prose
	paths   string // regular expression of the paths where the word is private; empty: everywhere
	except  string // regular expression of the paths where the word means something else
	write   string // the standard term
}

// identifierTerms match an identifier, a file name or a snake_case name in a string, split into
// lower-case words.
var identifierTerms = compile([]term{
	{pattern: `\b(hear|hears|heard|hearing)\b`, write: "handle, result"},
	{pattern: `\b(settle|settles|settled|settling)\b`, except: `^stripelocal/|^views/layout/page\.templ$` /* htmx */, write: "process, processPending"},
	{pattern: `\bask(s|ed|ing)?\b`, except: `^(views|stripelocal)/|^handlers/pricing`, write: "refetch, fetchLatest"},
	{pattern: `\badopt(s|ed|ing)?\b`, except: `^billing/catalog/`, write: "resolveOwner, acceptQuantity"},
	{pattern: `\bnews\b`, write: "SubscriptionUpdate, Observation"},
	{pattern: `^held\b`, paths: `^(billing|db|handlers)/`, write: "Stored"},
	{pattern: `^(decision |verdict )?drop$`, paths: `^billing/`, write: "Ignore"},
	{pattern: `\bmoments?\b`, except: `^stripelocal/|^views/.*_test\.go$`, write: "AsOf"},
	{pattern: `^(lock )?place$`, paths: `^(billing|db)/`, write: "target, lockTarget"},
	{pattern: `^optional$`, paths: `^(billing|db|handlers)/`, write: "foundOrNil"},
	{pattern: `^note |^with change log$`, paths: `^(billing|handlers)/`, write: "an explicit change recorder"},
	{pattern: `\bmend(s|ed|ing)?\b`, write: "Remediation"},
	{pattern: `^(door|admit|direct)( |$)`, paths: `^handlers/`, write: "middleware, authorize, wrap"},
	{pattern: `^acts?$`, paths: `^stripelocal/`, write: "request, handler"},
	{pattern: `\b(house|stage)\b`, write: "testServer, testEnv"},
	{pattern: `\balarms?\b`, write: "Job"},
	{pattern: `^rings?\b|\bring$`, write: "Enqueue"},
	{pattern: `\bchores?\b`, write: "periodic task"},
	{pattern: `\bturns?\b`, write: "queue cursor, round-robin position"},
	{pattern: `\bsurplus(es)?\b`, write: "DuplicateSubscription"},
	{pattern: `\bspared?\b`, write: "Kept"},
	{pattern: `^take pack\b`, write: "recordPackPurchase"},
	{pattern: `^weigh(s|ed|ing)?\b`, write: "updateDesiredSeats"},
	{pattern: `^wants?$|^wanted\b`, paths: `^(billing|db)/`, except: `_test\.go$`, write: "setDesiredSeats, desired"},
	{pattern: `^restored?$`, paths: `^billing/`, write: "revertQuantity"},
	{pattern: `\btold\b`, write: "AcknowledgedAt, ReasonResent"},
	{pattern: `^gather`, write: "Debounce"},
	{pattern: `^take out\b`, write: "removeMembership"},
	{pattern: `\bpaced?\b`, write: "throttle"},
	{pattern: `\bcomeback\b`, write: "checkoutReturn"},
	{pattern: `\b(leash|orphan|elsewhere)\b`, paths: `^db/privatepg/`, write: "supervise, stalePID, remoteProcess"},
	{pattern: `\bcouriers?\b`, write: "webhook dispatcher"},
	{pattern: `\bstorm\b`, write: "simulation"},
	{pattern: `\b(world|lanes?|knocks?|noise|hog|calm|judge[sd]?)\b|^late$`, paths: `^cmd/simulation/`,
		write: "environment, shard, fault proxy, client, negative cases, exhaust pool, oracle, verify"},
})

// proseTerms match comments and Markdown. Text that is shown to people is not checked.
var proseTerms = compile([]term{
	{pattern: `\b(hears?|heard)\b`, write: "receive, handle"},
	{pattern: `\btold\b`, write: "sent, notified, reported"},
	{pattern: `\bnews\b`, write: "event, update"},
	{pattern: `\bmend(s|ed|ing)?\b`, write: "fix"},
	{pattern: `\balarms?\b`, write: "job"},
	{pattern: `\bchores?\b`, write: "periodic task"},
	{pattern: `\bstorms?\b`, write: "simulation"},
	{pattern: `\bcouriers?\b`, write: "webhook dispatcher"},
	{pattern: `\bsurplus\b`, write: "duplicate"},
	{pattern: `\bspared\b`, write: "kept"},
	{pattern: `\bcomebacks?\b`, write: "return from Checkout"},
	{pattern: `\bask(s|ed)? Stripe\b|\bStripe is asked\b|\basked of Stripe\b`, write: "fetch from Stripe"},
	{pattern: `\b(last|a|the) yes\b`, write: "acknowledgement"},
	{pattern: `\bevents? (is|are|was|were) settled\b|\bsettles? (an |the |every )?events?\b|\bby turns\b|\bin turns\b`,
		write: "events are processed round-robin"},
	{pattern: `\bnobody's\b`, write: "name who or what is meant"},
	{pattern: `\bwork is rows\b|\bis not only said\b|\bat once at the start\b|\btaken back by then\b|\bdone its service\b|\bputs around\b`,
		write: "a plain sentence"},
	{pattern: `\bthe seed('s| document| asks| wants| says)`, write: "the fact itself, or a public page"},
})

type compiledTerm struct {
	pattern, paths, except *regexp.Regexp
	write                  string
}

func compile(terms []term) []compiledTerm {
	compiled := make([]compiledTerm, len(terms))
	for i, t := range terms {
		compiled[i] = compiledTerm{pattern: regexp.MustCompile(`(?i)` + t.pattern), write: t.write}
		if t.paths != "" {
			compiled[i].paths = regexp.MustCompile(t.paths)
		}
		if t.except != "" {
			compiled[i].except = regexp.MustCompile(t.except)
		}
	}
	return compiled
}

// private reports whether the word is a private one in the file.
func (t compiledTerm) private(path string) bool {
	return (t.paths == nil || t.paths.MatchString(path)) && (t.except == nil || !t.except.MatchString(path))
}

// exempt are files that must name the columns and jobs of the previous release, and this one.
var exempt = map[string]bool{"db/queue.go": true, "db/queue_test.go": true, "db/rename_test.go": true, "docs/vocabulary_test.go": true}

// TestVocabulary finds words that only insiders of this project understood.
func TestVocabulary(t *testing.T) {
	checked := 0
	for _, path := range repositoryFiles(t) {
		if exempt[path] || strings.HasSuffix(path, "_templ.go") {
			continue
		}
		var found []string
		switch filepath.Ext(path) {
		case ".go":
			found = goViolations(path, readFile(t, path))
		case ".templ":
			found = templViolations(path, string(readFile(t, path)))
		case ".sql":
			found = sqlViolations(path, string(readFile(t, path)))
		case ".md", ".yml", ".yaml", ".example", ".css", "":
			if generated.MatchString(path) {
				continue
			}
			found = proseViolations(path, string(readFile(t, path)), 1)
		default:
			continue
		}
		checked++
		for _, violation := range append(nameViolations(path), found...) {
			t.Error(violation)
		}
	}
	if checked < 100 {
		t.Errorf("only %d files were checked", checked)
	}
}

// generated matches files without an extension, or of a checked one, that nobody writes by hand.
var generated = regexp.MustCompile(`^static/usher\.css$|^LICENSE$`)

// TestVocabularyCanFail keeps the patterns from matching nothing, or ordinary English.
func TestVocabularyCanFail(t *testing.T) {
	refused := map[string]string{
		"billing/a.go":        "package billing\nfunc hearInvoice() {}\n",
		"billing/b.go":        "package billing\n// Stripe is told the number.\n",
		"billing/c.go":        "package billing\nconst q = `select told_at from subscriptions`\n",
		"billing/d.go":        "package billing\ntype Moment int\n",
		"billing/alarm.go":    "package billing\n",
		"handlers/f.go":       "package handlers\nfunc admit() {}\n",
		"cmd/simulation/g.go": "package main\nvar lane int\n",
	}
	for path, source := range refused {
		if len(append(nameViolations(path), goViolations(path, []byte(source))...)) == 0 {
			t.Errorf("%s is accepted:\n%s", path, source)
		}
	}
	accepted := map[string]string{
		"billing/a_test.go": "package billing\nvar got, want, rest = 1, 1, 1 // The rest takes a moment; return it in place.\n",
		"cmd/usher/b.go":    "package main\nfunc wantsHelp() string { return \"ring\" }\nvar strings, recommended int\n",
		"stripelocal/c.go":  "package stripelocal\nfunc settleInvoice() {}\n",
	}
	for path, source := range accepted {
		if found := append(nameViolations(path), goViolations(path, []byte(source))...); len(found) > 0 {
			t.Errorf("%s is refused: %v", path, found)
		}
	}
}

func nameViolations(path string) []string {
	if landedMigration.MatchString(path) {
		return nil
	}
	name, _, _ := strings.Cut(filepath.Base(path), ".")
	return identifierViolations(path, 1, name)
}

// termsByName are the terms that a name matches. A name occurs in hundreds of places.
var termsByName = map[string][]compiledTerm{}

func termsOf(name string) []compiledTerm {
	terms, known := termsByName[name]
	if !known {
		words := splitWords(name)
		for _, t := range identifierTerms {
			if t.pattern.MatchString(words) {
				terms = append(terms, t)
			}
		}
		termsByName[name] = terms
	}
	return terms
}

func identifierViolations(path string, line int, name string) []string {
	var found []string
	for _, t := range termsOf(name) {
		if t.private(path) {
			found = append(found, fmt.Sprintf("%s:%d: %s: use the standard term (%s)", path, line, name, t.write))
		}
	}
	return found
}

// anyProseTerm matches what one of the proseTerms matches. Most comments match none.
var anyProseTerm = func() *regexp.Regexp {
	var patterns []string
	for _, t := range proseTerms {
		patterns = append(patterns, t.pattern.String())
	}
	return regexp.MustCompile(strings.Join(patterns, "|"))
}()

func proseViolations(path, text string, firstLine int) []string {
	if !anyProseTerm.MatchString(text) {
		return nil
	}
	var found []string
	for _, t := range proseTerms {
		for _, at := range t.pattern.FindAllStringIndex(text, -1) {
			line := firstLine + strings.Count(text[:at[0]], "\n")
			found = append(found, fmt.Sprintf("%s:%d: %q: write %s", path, line, text[at[0]:at[1]], t.write))
		}
	}
	return found
}

// splitWords turns ToldAt, toldAt and told_at into "told at".
func splitWords(name string) string {
	var words strings.Builder
	previous := ' '
	for _, r := range name {
		switch {
		case r == '_':
			r = ' '
		case unicode.IsUpper(r) && !unicode.IsUpper(previous) && previous != ' ':
			words.WriteRune(' ')
		}
		words.WriteRune(unicode.ToLower(r))
		previous = r
	}
	return words.String()
}

var snakeName = regexp.MustCompile(`[a-z0-9]+(?:_[a-z0-9]+)+`)

// goViolations checks identifiers, comments, and the snake_case names (columns, metrics, keys) in
// strings.
func goViolations(path string, source []byte) []string {
	var (
		found  []string
		s      scanner.Scanner
		files  = token.NewFileSet()
		file   = files.AddFile(path, files.Base(), len(source))
		ignore = func(token.Position, string) {}
	)
	s.Init(file, source, ignore, scanner.ScanComments)
	for {
		position, kind, text := s.Scan()
		line := files.Position(position).Line
		switch kind {
		case token.EOF:
			return found
		case token.IDENT:
			found = append(found, identifierViolations(path, line, text)...)
		case token.COMMENT:
			found = append(found, proseViolations(path, text, line)...)
		case token.STRING:
			for _, name := range snakeName.FindAllString(text, -1) {
				found = append(found, identifierViolations(path, line, name)...)
			}
		}
	}
}

var templName = regexp.MustCompile(`[@.(]([A-Za-z]\w*)|\b([a-z]+[A-Z]\w*|[A-Z][a-z]+[A-Z]\w*)\b`)

// templViolations checks what looks like an identifier, and comments. Words on pages are left
// alone.
func templViolations(path, source string) []string {
	var found []string
	for i, line := range strings.Split(source, "\n") {
		if _, comment, is := strings.Cut(line, "// "); is {
			found = append(found, proseViolations(path, comment, i+1)...)
			continue
		}
		for _, match := range templName.FindAllStringSubmatch(line, -1) {
			found = append(found, identifierViolations(path, i+1, match[1]+match[2])...)
		}
	}
	return found
}

// sqlViolations checks comments. Statements of a migration have to use the names that exist.
func sqlViolations(path, source string) []string {
	if landedMigration.MatchString(path) {
		return nil
	}
	var found []string
	for i, line := range strings.Split(source, "\n") {
		if _, comment, is := strings.Cut(line, "-- "); is {
			found = append(found, proseViolations(path, comment, i+1)...)
		}
	}
	return found
}

// landedMigration matches the migrations whose text is final: installations have applied them.
var landedMigration = regexp.MustCompile(`^db/migrations/000([0-3]\d|40)_`)

// commentWidth is the most columns of a line that is only a comment; a tab counts as four.
const commentWidth = 100

// TestCommentWidth keeps comments readable side by side. Lines with code before the comment are not
// checked.
func TestCommentWidth(t *testing.T) {
	for _, path := range repositoryFiles(t) {
		if filepath.Ext(path) != ".go" && filepath.Ext(path) != ".templ" || strings.HasSuffix(path, "_templ.go") {
			continue
		}
		if strings.HasSuffix(path, "example_test.go") { // an example's output is a comment
			continue
		}
		for i, line := range strings.Split(string(readFile(t, path)), "\n") {
			comment := strings.HasPrefix(strings.TrimSpace(line), "// ")
			if width := utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    ")); comment && width > commentWidth {
				t.Errorf("%s:%d: the comment has %d columns, at most %d fit", path, i+1, width, commentWidth)
			}
		}
	}
}
