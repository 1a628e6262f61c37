package docs_test

import (
	"database/sql"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	_ "github.com/lib/pq" // the driver of testTables
)

var (
	inlineCode = regexp.MustCompile("`((?:usher|make) [^`]+)`")
	flagName   = regexp.MustCompile(`--?([a-z][a-z-]*)`)
)

// testInlineCommands checks `usher …` and `make …` in sentences: the subcommand, its flags, the
// target.
func (d *documented) testInlineCommands(t *testing.T) {
	checked := 0
	for _, path := range markdownFiles(t) {
		for _, match := range inlineCode.FindAllStringSubmatch(strings.ReplaceAll(string(readFile(t, path)), "\n", " "), -1) {
			checked++
			words := strings.Fields(match[1])
			if words[0] == "make" {
				d.run(t, block{path: path, text: match[1]}, t.TempDir())
				continue
			}
			help, err := exec.Command(filepath.Join(d.bin, "usher-program"), words[1], "--help").CombinedOutput()
			if err != nil {
				t.Errorf("%s: `%s`: %v\n%s", path, match[1], err, help)
			}
			for _, flag := range flagName.FindAllStringSubmatch(match[1], -1) {
				if strings.Contains(match[1], " -"+flag[1]) && !strings.Contains(string(help), "  -"+flag[1]) {
					t.Errorf("%s: `%s` has no flag -%s", path, match[1], flag[1])
				}
			}
		}
	}
	if checked < 15 {
		t.Errorf("only %d inline commands were checked", checked)
	}
}

// tableColumn returns the code words in the first column of the tables of a Markdown text.
func tableColumn(text string) []string {
	var words []string
	for _, line := range strings.Split(text, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 3 || cells[0] != "" {
			continue
		}
		for _, match := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
			words = append(words, match[1])
		}
	}
	return words
}

// section returns the text below a heading, up to the next heading.
func section(t *testing.T, path, heading string) string {
	t.Helper()
	_, text, found := strings.Cut(string(readFile(t, path)), heading+"\n")
	if !found {
		t.Fatalf("%s has no heading %q", path, heading)
	}
	text, _, _ = strings.Cut(text, "\n#")
	return text
}

var (
	route    = regexp.MustCompile(`\b(GET|POST|PUT|DELETE) (/[\w./{}-]*)`)
	wildcard = regexp.MustCompile(`\{\w+\}`)
)

// testRoutes sends a request to every route that api.md names. What exists answers neither 404 nor
// 405 to a request without a body.
func (d *documented) testRoutes(t *testing.T) {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	checked := 0
	for _, match := range route.FindAllStringSubmatch(string(readFile(t, "docs/api.md")), -1) {
		checked++
		request, err := http.NewRequestWithContext(t.Context(), match[1], "http://"+d.usher+wildcard.ReplaceAllString(match[2], "x"), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode == http.StatusNotFound || response.StatusCode == http.StatusMethodNotAllowed {
			t.Errorf("docs/api.md: %s %s answers %s", match[1], match[2], response.Status)
		}
	}
	if checked < 20 {
		t.Errorf("only %d routes were checked", checked)
	}
}

var metricName = regexp.MustCompile(`\busher_[a-z_]+`)

// testMetrics compares the table of metrics, and the metrics of the alert rules, with /metrics.
func (d *documented) testMetrics(t *testing.T) {
	response, err := http.Get("http://" + d.usher + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var exposed []string
	for _, match := range regexp.MustCompile(`(?m)^# TYPE (usher_\w+)`).FindAllSubmatch(body, -1) {
		exposed = append(exposed, string(match[1]))
	}
	documented := slices.DeleteFunc(tableColumn(section(t, "docs/operations.md", "## Metrics")),
		func(word string) bool { return !strings.HasPrefix(word, "usher_") })
	slices.Sort(exposed)
	slices.Sort(documented)
	if !slices.Equal(exposed, documented) {
		t.Errorf("docs/operations.md lists\n%v\nand /metrics exposes\n%v", documented, exposed)
	}
	for _, file := range []string{"ops/alerts.yml", "ops/alerts_test.yml", "ops/dashboard.json"} {
		for _, name := range metricName.FindAllString(string(readFile(t, file)), -1) {
			if !slices.Contains(exposed, strings.TrimSuffix(name, "_bucket")) {
				t.Errorf("%s uses %s, which /metrics does not expose", file, name)
			}
		}
	}
}

// testPlanKeys compares the tables of plans.md with the keys that the parser names when it finds an
// unknown one.
func (d *documented) testPlanKeys(t *testing.T) {
	file := "unknown_key = 1\n[checkout]\nunknown_key = 1\n[[plan]]\nunknown_key = 1\n[[plan.price]]\nunknown_key = 1\n[[pack]]\nunknown_key = 1\n"
	path := filepath.Join(t.TempDir(), "plans.toml")
	write(t, path, file, 0o644)
	cmd := exec.Command(filepath.Join(d.bin, "usher-program"), "plans", "diff")
	cmd.Env = append(d.environment(), "STRIPE_SECRET_KEY=sk_test_usherlocal", "PLANS_FILE="+path)
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatal("a plan file with unknown keys is accepted")
	}
	var read [][]string
	for _, match := range regexp.MustCompile(`"unknown_key" is not known; there are (.+)`).FindAllSubmatch(out, -1) {
		keys := strings.Split(string(match[1]), ", ")
		slices.Sort(keys)
		read = append(read, keys)
	}
	if len(read) != 5 {
		t.Fatalf("%d tables name their keys:\n%s", len(read), out)
	}
	for _, heading := range []string{"## Keys of the file", "## Keys of Checkout", "## Keys of a plan", "## Keys of a price", "## Keys of a pack"} {
		documented := keysOf(section(t, "docs/plans.md", heading))
		slices.Sort(documented)
		if !slices.ContainsFunc(read, func(keys []string) bool { return slices.Equal(keys, documented) }) {
			t.Errorf("docs/plans.md, %q lists %v; the parser knows\n%s", heading, documented, out)
		}
	}
}

// keysOf reads the first table of a section.
func keysOf(text string) []string {
	_, text, _ = strings.Cut(text, "|---")
	text, _, _ = strings.Cut(text, "\n\n")
	return tableColumn(text)
}

// testTables compares the tables that architecture.md lists with the schema.
func (d *documented) testTables(t *testing.T) {
	pool, err := sql.Open("postgres", d.database)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	rows, err := pool.Query(`select table_name from information_schema.tables
		where table_schema = 'public' and table_type = 'BASE TABLE'
		and table_name not like 'river\_%' and table_name <> 'goose_db_version' order by table_name`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var schema []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		schema = append(schema, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	documented := slices.DeleteFunc(tableColumn(section(t, "docs/architecture.md", "## Data")),
		func(word string) bool { return word == "river_*" || word == "goose_db_version" })
	slices.Sort(documented)
	if !slices.Equal(schema, documented) {
		t.Errorf("docs/architecture.md lists\n%v\nand the schema has\n%v", documented, schema)
	}
}
