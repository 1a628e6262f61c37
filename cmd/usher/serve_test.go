package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
)

// instance is an Usher that runs inside the test, started as `go run ./cmd/usher` starts it.
type instance struct {
	url         string
	environment []string
	stdout      *transcript
	stderr      *transcript
	stop        func() int // ends it and returns the exit code
	reported    sync.Once
}

// transcript is output that can be waited on.
type transcript struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func newTranscript() *transcript { return &transcript{changed: make(chan struct{})} }

func (tr *transcript) Write(p []byte) (int, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	close(tr.changed)
	tr.changed = make(chan struct{})
	return tr.text.Write(p)
}

func (tr *transcript) read() (string, <-chan struct{}) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.text.String(), tr.changed
}

// find waits until the output matches, or done is closed.
func (tr *transcript) find(ctx context.Context, pattern *regexp.Regexp, done <-chan struct{}) []string {
	for {
		text, changed := tr.read()
		if found := pattern.FindStringSubmatch(text); found != nil {
			return found
		}
		select {
		case <-changed:
		case <-done:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

var greeting = regexp.MustCompile(`Usher is at\s+(http\S+)`)

// envOf is an environment without the test's own.
func envOf(variables ...string) func(string) string {
	values := map[string]string{}
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		values[name] = value
	}
	return func(name string) string { return values[name] }
}

// newDataDir returns an empty DATA_DIR that other users may pass through, unlike t.TempDir's: run as root, the private PostgreSQL would
// put its cluster somewhere else and leave it there.
func newDataDir(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "usher-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

// startUsher serves on a free port with an empty DATA_DIR of its own, unless the variables say otherwise, until the test ends.
func startUsher(t *testing.T, variables ...string) *instance {
	t.Helper()
	u := &instance{
		environment: append([]string{"ADDR=127.0.0.1:0", "DATA_DIR=" + newDataDir(t)}, variables...),
		stdout:      newTranscript(), stderr: newTranscript(),
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	code := 0
	go func() {
		defer close(done)
		code = run(ctx, nil, envOf(u.environment...), u.stdout, u.stderr)
	}()
	u.stop = func() int {
		cancel()
		<-done
		return code
	}
	t.Cleanup(func() { u.stop() })
	u.reportFailure(t)
	starting, stopWaiting := context.WithTimeout(ctx, time.Minute)
	defer stopWaiting()
	found := u.stdout.find(starting, greeting, done)
	if found == nil {
		stderr, _ := u.stderr.read()
		t.Fatalf("it did not start:\n%s", stderr)
	}
	u.url = found[1]
	return u
}

// reportFailure prints the server's log and the event inbox when the test has failed. The inbox is
// read from the running server's database, so a subtest whose parent stops the server calls it too.
func (u *instance) reportFailure(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			u.reported.Do(func() { u.report(t) })
		}
	})
}

func (u *instance) report(t *testing.T) {
	t.Helper()
	stderr, _ := u.stderr.read()
	code, stdout, failure := runOnce(t, []string{"events", "--json", "--limit", "1000", "list"}, u.environment...)
	var events []struct {
		ID, Type, Outcome, Error string
		Attempts                 int
	}
	if err := json.Unmarshal([]byte(stdout), &events); code != exitOK || err != nil {
		t.Logf("the server's log:\n%s\nthe inbox is not readable: %d, %v, %s", stderr, code, err, failure)
		return
	}
	var inbox strings.Builder
	for _, e := range events {
		fmt.Fprintf(&inbox, "%s  %-8s %-42s attempts %d  %s\n", e.ID, e.Outcome, e.Type, e.Attempts, e.Error)
	}
	t.Logf("the server's log:\n%s\nthe inbox, newest first:\n%s", stderr, inbox.String())
}

// visitor is a browser without JavaScript: it follows links and sends forms as they stand on the page.
type visitor struct {
	t       *testing.T
	client  *http.Client
	base    string
	address *url.URL
	status  int
	page    *goquery.Document
}

func (u *instance) visitor(t *testing.T) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t: t, client: &http.Client{Jar: jar, Timeout: 20 * time.Second}, base: u.url}
}

func (v *visitor) visit(address string) *visitor {
	v.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = v.base + address
	}
	answer, err := v.client.Get(address)
	v.take(answer, err)
	return v
}

func (v *visitor) take(answer *http.Response, err error) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
	defer answer.Body.Close()
	v.address, v.status = answer.Request.URL, answer.StatusCode
	if v.page, err = goquery.NewDocumentFromReader(answer.Body); err != nil {
		v.t.Fatal(err)
	}
}

// send fills in the one form the selector finds, over the values it stands there with, and sends it with its button.
func (v *visitor) send(selector string, fields ...string) *visitor {
	v.t.Helper()
	form := v.page.Find(selector)
	if form.Length() != 1 {
		v.t.Fatalf("%s: %d forms match %s on a page saying %q", v.address, form.Length(), selector, v.text("main"))
	}
	values := url.Values{}
	form.Find("input, select, textarea").Each(func(_ int, field *goquery.Selection) {
		if name, ok := field.Attr("name"); ok {
			setAsItStands(values, name, field)
		}
	})
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		if _, there := values[name]; !there {
			v.t.Fatalf("%s: the form has no field %q", v.address, name)
		}
		values.Set(name, value)
	}
	action, err := v.address.Parse(form.AttrOr("action", ""))
	if err != nil {
		v.t.Fatal(err)
	}
	answer, err := v.client.PostForm(action.String(), values)
	v.take(answer, err)
	return v
}

// setAsItStands takes over what a browser would send of a field that nobody touched.
func setAsItStands(values url.Values, name string, field *goquery.Selection) {
	_, checked := field.Attr("checked")
	switch kind := field.AttrOr("type", ""); {
	case (kind == "checkbox" || kind == "radio") && !checked:
		return
	case field.Is("select"):
		chosen := field.Find("option[selected]")
		if chosen.Length() == 0 {
			chosen = field.Find("option")
		}
		values.Set(name, chosen.First().AttrOr("value", chosen.First().Text()))
	case kind == "checkbox" || kind == "radio":
		values.Add(name, field.AttrOr("value", "on"))
	default:
		values.Set(name, field.AttrOr("value", field.Text()))
	}
}

// text is what a person reads in the part of the page that the selector finds.
func (v *visitor) text(selector string) string {
	return strings.Join(strings.Fields(v.page.Find(selector).Text()), " ")
}

// reads fails the test unless the page says all of it.
func (v *visitor) reads(sentences ...string) *visitor {
	v.t.Helper()
	text := v.text("body")
	for _, sentence := range sentences {
		if !strings.Contains(text, sentence) {
			v.t.Fatalf("%s (%d) does not say %q but: %s", v.address, v.status, sentence, text)
		}
	}
	return v
}

// logIn signs in to one of the demo accounts.
func (v *visitor) logIn(email string) *visitor {
	v.t.Helper()
	return v.visit("/login").send(`form[action="/login"]`, "email="+email, "password="+demoPassword)
}
