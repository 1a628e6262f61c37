package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// asvsSections are the sections of OWASP ASVS 5.0.0 with items of levels 1 and 2, each with the
// number of its last such item. Items of level 3 come after those of the lower levels
// (https://github.com/OWASP/ASVS/tree/v5.0.0_release/5.0/en).
const asvsSections = `
	1.1 2, 1.2 9, 1.3 11, 1.4 3, 1.5 2
	2.1 3, 2.2 3, 2.3 4, 2.4 1
	3.2 2, 3.3 4, 3.4 6, 3.5 5, 3.7 2
	4.1 3, 4.2 1, 4.3 2, 4.4 4
	5.1 1, 5.2 3, 5.3 2, 5.4 3
	6.1 3, 6.2 12, 6.3 4, 6.4 4, 6.5 5, 6.6 3, 6.8 4
	7.1 3, 7.2 4, 7.3 2, 7.4 5, 7.5 2, 7.6 2
	8.1 2, 8.2 3, 8.3 1, 8.4 1
	9.1 3, 9.2 4
	10.1 2, 10.2 2, 10.3 4, 10.4 11, 10.5 5, 10.6 2, 10.7 3
	11.1 2, 11.2 3, 11.3 3, 11.4 4, 11.5 1, 11.6 1
	12.1 3, 12.2 2, 12.3 4
	13.1 1, 13.2 5, 13.3 2, 13.4 5
	14.1 2, 14.2 4, 14.3 3
	15.1 3, 15.2 3, 15.3 7
	16.1 1, 16.2 5, 16.3 4, 16.4 3, 16.5 3
	17.1 1, 17.2 4, 17.3 2`

// asvsItems lists the ids in their order.
func asvsItems(t *testing.T) []string {
	t.Helper()
	var items []string
	for _, text := range strings.FieldsFunc(asvsSections, func(r rune) bool { return r == ',' || r == '\n' }) {
		section, last, _ := strings.Cut(strings.TrimSpace(text), " ")
		n, err := strconv.Atoi(last)
		if section != "" && err != nil {
			t.Fatal(err)
		}
		for i := range n {
			items = append(items, fmt.Sprintf("%s.%d", section, i+1))
		}
	}
	return items
}

const asvsPage = "docs/asvs.md"

// asvsRow is one item of the table.
type asvsRow struct{ id, requirement, state, where string }

var (
	asvsItem  = regexp.MustCompile(`(?m)^\| (\d+\.\d+\.\d+) \| (.+) \| (.+) \| (.+) \|$`)
	asvsCount = regexp.MustCompile(`(?m)^\| (\d+|all)\b.* \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$`)
)

func asvsRows(t *testing.T) []asvsRow {
	t.Helper()
	var rows []asvsRow
	for _, match := range asvsItem.FindAllStringSubmatch(string(readFile(t, asvsPage)), -1) {
		rows = append(rows, asvsRow{match[1], match[2], match[3], match[4]})
	}
	return rows
}

// TestASVSHasEveryItem compares the table with the items of levels 1 and 2.
func TestASVSHasEveryItem(t *testing.T) {
	want := asvsItems(t)
	if len(want) != 253 {
		t.Fatalf("%d items", len(want))
	}
	var got []string
	for _, row := range asvsRows(t) {
		got = append(got, row.id)
		if !slices.Contains([]string{"met", "not met", "not applicable"}, row.state) {
			t.Errorf("%s: the state is %q", row.id, row.state)
		}
	}
	for i, id := range want {
		if i >= len(got) || got[i] != id {
			t.Fatalf("%s is missing, or in the wrong place", id)
		}
	}
	if len(got) > len(want) {
		t.Errorf("%v are no items of these levels", got[len(want):])
	}
}

// TestASVSCounts compares the summary with the rows of each chapter, and of all.
func TestASVSCounts(t *testing.T) {
	type counts [4]int // items, met, not met, not applicable
	want := map[string]counts{}
	var notMet []string
	for _, row := range asvsRows(t) {
		chapter, _, _ := strings.Cut(row.id, ".")
		for _, key := range []string{chapter, "all"} {
			n := want[key]
			n[0]++
			n[1+slices.Index([]string{"met", "not met", "not applicable"}, row.state)]++
			want[key] = n
		}
		if row.state == "not met" {
			notMet = append(notMet, row.id)
		}
	}
	text := string(readFile(t, asvsPage))
	seen := 0
	for _, match := range asvsCount.FindAllStringSubmatch(text, -1) {
		seen++
		var got counts
		for i := range got {
			got[i], _ = strconv.Atoi(match[2+i])
		}
		if got != want[match[1]] {
			t.Errorf("chapter %s: the summary says %v, the table %v", match[1], got, want[match[1]])
		}
	}
	if seen != len(want) {
		t.Errorf("the summary has %d lines, want %d", seen, len(want))
	}
	if line := "Not met: " + strings.Join(notMet, ", ") + "."; !strings.Contains(text, line) {
		t.Errorf("the summary lacks %q", line)
	}
}

var (
	namedFile = regexp.MustCompile("`([\\w.-]+(?:/[\\w.-]+)+|[\\w-]+\\.(?:mod|sum|json|yaml)|Dockerfile)`")
	namedTest = regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w+)`")
)

// TestASVSNamesWhatExists checks the files and tests that the table names.
func TestASVSNamesWhatExists(t *testing.T) {
	tests := testNames(t)
	files := 0
	for _, row := range asvsRows(t) {
		for _, match := range namedFile.FindAllStringSubmatch(row.where, -1) {
			if strings.HasPrefix(match[1], "application/") { // a media type
				continue
			}
			files++
			if _, err := os.Stat(filepath.Join(root, match[1])); err != nil {
				t.Errorf("%s names %s, which does not exist", row.id, match[1])
			}
		}
		for _, match := range namedTest.FindAllStringSubmatch(row.where, -1) {
			if !tests[match[1]] {
				t.Errorf("%s names %s, which does not exist", row.id, match[1])
			}
		}
	}
	if files < 100 {
		t.Errorf("only %d files are named", files)
	}
}

var testFunction = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)

// testNames returns the names of all tests of the repository.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, path := range repositoryFiles(t) {
		if !strings.HasSuffix(path, "_test.go") {
			continue
		}
		for _, match := range testFunction.FindAllSubmatch(readFile(t, path), -1) {
			names[string(match[1])] = true
		}
	}
	return names
}
