package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
)

// productScopes are those of an installation key that the products of the tests need.
const productScopes = "entitlements:read,credits:write,members:read,members:write,billing:read,webhooks:write"

// installation is a running Usher to which products connect.
type installation struct {
	*testServer
	dataDir     string
	handoverKey string
}

func startInstallation(t *testing.T, variables ...string) *installation {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	in := &installation{dataDir: newDataDir(t), handoverKey: base64.StdEncoding.EncodeToString(key)}
	in.testServer = startServer(t, append(variables, "DATA_DIR="+in.dataDir, "PLANS_FILE=testdata/product-plans.toml",
		"HANDOVER_KEY="+in.handoverKey)...)
	return in
}

// createKey creates a key of the installation with the command.
func (in *installation) createKey(t *testing.T) apiKeyView {
	t.Helper()
	code, stdout, stderr := runCommand(t, []string{"api-key", "create", "--all", "--name", "product", "--scopes", productScopes, "--json"}, in.environment...)
	var key apiKeyView
	if err := json.Unmarshal([]byte(stdout), &key); code != exitOK || err != nil {
		t.Fatalf("api-key create: exit code %d, %v: %s%s", code, err, stdout, stderr)
	}
	return key
}

// call sends a request with a key and decodes the answer.
func (in *installation) call(t *testing.T, key, method, path, organization string, body, result any) {
	t.Helper()
	var text bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&text).Encode(body); err != nil {
			t.Fatal(err)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), method, in.url+path, &text)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+key)
	request.Header.Set("Content-Type", "application/json")
	if organization != "" {
		request.Header.Set("Usher-Organization", organization)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 300 {
		t.Fatalf("%s %s: %s, %v: %s", method, path, response.Status, err, answer)
	}
	if err := json.Unmarshal(answer, result); err != nil {
		t.Fatalf("%s %s: %v: %s", method, path, err, answer)
	}
}

// acceptInvitation accepts the invitation that was sent to an address.
func (in *installation) acceptInvitation(t *testing.T, name, email string) {
	t.Helper()
	guest := in.client(t).openUntil("the invitation", "/dev/mail", email)
	link := guest.page.Find(`article:contains("`+email+`"), li:contains("`+email+`")`).Find(`a[href*="/invite/"]`).First().AttrOr("href", "")
	guest.open(link).submit(`main form[action^="/invite/"]`, "name="+name, "password=front of house").expectText("Welcome.")
}

var fileBlock = regexp.MustCompile("(?s)<!-- test: file (\\S+) -->\n```\\w+\n(.*?)```\n")

// writeExample writes the files of a page of docs/examples into a folder.
func writeExample(t *testing.T, page, folder string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../docs/examples", page))
	if err != nil {
		t.Fatal(err)
	}
	files := fileBlock.FindAllStringSubmatch(string(text), -1)
	if len(files) < 5 {
		t.Fatalf("%s has %d files", page, len(files))
	}
	for _, file := range files {
		if err := os.WriteFile(filepath.Join(folder, file[1]), []byte(file[2]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// findRuntime returns the path of a program that runs examples.
func findRuntime(t *testing.T, name, remedy string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not on PATH: %s", name, remedy)
	}
	return path
}

const installPython = "`make test` installs it; the package of Debian is python3"

// product is a program that uses Usher, in a process of its own until the test ends.
type product struct {
	url    string
	output *outputBuffer
	ended  chan struct{}
}

var productLine = regexp.MustCompile(`The product is at (http\S+)`)

// startProduct starts a product on a free port.
func startProduct(t *testing.T, folder string, environment []string, command ...string) *product {
	t.Helper()
	p := &product{output: newOutputBuffer(), ended: make(chan struct{})}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, p.output, p.output
	cmd.Env = append(append(os.Environ(), "ADDR=127.0.0.1:0"), environment...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // it is killed
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			text, _ := p.output.read()
			t.Logf("output of the product:\n%s", text)
		}
	})
	p.url = p.waitFor(t, productLine)[1]
	return p
}

// waitFor waits until the product's output matches.
func (p *product) waitFor(t *testing.T, pattern *regexp.Regexp) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitTimeout)
	defer cancel()
	match := p.output.waitFor(ctx, pattern, p.ended)
	if match == nil {
		t.Fatalf("the product does not print %s", pattern)
	}
	return match
}

// request sends a request to the product and returns the status and the text of the answer.
func (p *product) request(t *testing.T, method, path string, header http.Header, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, p.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		request.Header = header
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// expect requires a status of an answer, and returns its text.
func (p *product) expect(t *testing.T, status int, method, path string) string {
	t.Helper()
	got, text := p.request(t, method, path, nil, "")
	if got != status {
		t.Fatalf("%s %s: status %d, want %d: %s", method, path, got, status, text)
	}
	return text
}

// webhookRelay passes webhooks on to a product, and records them with the product's answers. Its
// address is known before the product starts, which needs the secret of the webhook.
type webhookRelay struct {
	*httptest.Server
	mu       sync.Mutex
	product  *product
	received []relayedWebhook
}

type relayedWebhook struct {
	header http.Header
	status int // of the product's answer
	body   string
	webhookBody
}

type webhookBody struct {
	Type, OrganizationID string
	Data                 struct{ Access bool }
}

func startWebhookRelay(t *testing.T) *webhookRelay {
	t.Helper()
	relay := &webhookRelay{}
	relay.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { relay.pass(t, w, r) }))
	t.Cleanup(relay.Close)
	return relay
}

func (relay *webhookRelay) pass(t *testing.T, w http.ResponseWriter, r *http.Request) {
	relay.mu.Lock()
	defer relay.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil || relay.product == nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	webhook := relayedWebhook{header: r.Header.Clone(), body: string(body)}
	if err := json.Unmarshal(body, &webhook.webhookBody); err != nil {
		t.Errorf("a webhook has the body %s: %v", body, err)
	}
	request, _ := http.NewRequestWithContext(r.Context(), r.Method, relay.product.url+r.URL.Path, bytes.NewReader(body))
	request.Header = webhook.header
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway) // the product has ended
		return
	}
	response.Body.Close()
	webhook.status = response.StatusCode
	relay.received = append(relay.received, webhook)
	w.WriteHeader(webhook.status)
}

func (relay *webhookRelay) connect(p *product) {
	relay.mu.Lock()
	defer relay.mu.Unlock()
	relay.product = p
}

// waitFor waits until a webhook was passed on.
func (relay *webhookRelay) waitFor(t *testing.T, what string, is func(relayedWebhook) bool) relayedWebhook {
	t.Helper()
	var found relayedWebhook
	eventually(t, what, func() bool {
		relay.mu.Lock()
		defer relay.mu.Unlock()
		for _, webhook := range relay.received {
			if is(webhook) {
				found = webhook
				return true
			}
		}
		return false
	})
	return found
}
