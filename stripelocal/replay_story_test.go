package stripelocal_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// recordedCall is a request to the real API and its response. In testdata/recordings.jsonl the
// response is reduced to what no earlier call of the file says already.
type recordedCall struct {
	Method   string         `json:"method"`
	Path     string         `json:"path"`
	Form     string         `json:"form,omitempty"`
	At       int64          `json:"at"` // unix seconds
	Status   int            `json:"status"`
	Response map[string]any `json:"response"`
}

// recordedStory is a sequence of calls of one test of a public test suite, on one account.
type recordedStory struct {
	Name    string         `json:"name"`
	Version string         `json:"version"` // of the API
	Before  []setupCall    `json:"before,omitempty"`
	Calls   []recordedCall `json:"calls"`
	Partial bool           `json:"-"` // responses are reduced
}

// recordedLine is a line of a file of recordings.
type recordedLine struct {
	Repo, File, Blob string
	Story, N         int
	Method, Path     string
	Params           [][2]string
	Version          string `json:"stripe_version"`
	Status           int
	Response         map[string]any
	Date             string
}

// recordingsFolder is the folder of complete recordings: RECORDINGS, else beside the repository.
func recordingsFolder() string {
	if dir := os.Getenv("RECORDINGS"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "shared", "recordings")
}

// loadRecordings reads all stories and single errors of a folder. Without the folder there are
// none.
func loadRecordings(t *testing.T, dir string) []recordedStory {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var out []recordedStory
	for _, file := range files {
		out = append(out, readStories(t, file)...)
	}
	for i := range out {
		out[i].Before = setupOf(out[i])
	}
	return out
}

func readStories(t *testing.T, file string) []recordedStory {
	t.Helper()
	var out []recordedStory
	last := ""
	eachLine(t, file, func(raw []byte) {
		var line recordedLine
		decode(t, raw, &line)
		if line.Path == "" || line.Response == nil {
			return // another form of record
		}
		name := fmt.Sprintf("%s %s %d %s", line.Repo, strings.TrimSuffix(filepath.Base(line.File), ".yml"), line.Story, line.Version)
		if key := name + line.Blob; key != last || line.N == 0 {
			out = append(out, recordedStory{Name: name, Version: line.Version})
			last = key
		}
		story := &out[len(out)-1]
		story.Calls = append(story.Calls, line.call(t))
	})
	return out
}

func (line recordedLine) call(t *testing.T) recordedCall {
	t.Helper()
	var form []string
	for _, p := range line.Params {
		form = append(form, url.QueryEscape(p[0])+"="+url.QueryEscape(p[1]))
	}
	at, err := time.Parse(http.TimeFormat, line.Date)
	if err != nil {
		at = time.Date(2024, time.August, 12, 12, 0, 0, 0, time.UTC)
	}
	return recordedCall{Method: line.Method, Path: line.Path, Form: strings.Join(form, "&"), At: at.Unix(), Status: line.Status, Response: line.Response}
}

func eachLine(t *testing.T, file string, read func(raw []byte)) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		read(lines.Bytes())
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// decode keeps numbers as they are written.
func decode(t *testing.T, raw []byte, into any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%.80s: %v", raw, err)
	}
}

var objectID = regexp.MustCompile(`^(?:(?:acct|card|ch|clock|cn|cnli|cus|di|evt|fee|ii|il|in|li|mandate|pi|pm|price|prod|promo|py|pyr|re|seti|si|src|sub|sub_sched|tr|txi|txn|txr|we)_(?:tmp_)?|cs_test_)[A-Za-z0-9]{8,}$`)

// isID reports whether a string is an id that Stripe made up.
func isID(s string) bool { return objectID.MatchString(s) }
