package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"go/format"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestExamples runs the products of docs/examples, as they are on the pages.
func TestExamples(t *testing.T) {
	t.Parallel()
	in := startInstallation(t)
	languages := []struct {
		name    string
		command func(t *testing.T, folder string) []string
	}{
		{"go", buildGoExample},
		{"node", func(t *testing.T, _ string) []string {
			return []string{findRuntime(t, "node", "install Node 20 or newer"), "main.mjs"}
		}},
		{"python", func(t *testing.T, _ string) []string {
			return []string{findRuntime(t, "python3", installPython), "main.py"}
		}},
	}
	for _, language := range languages {
		t.Run(language.name, func(t *testing.T) {
			in.reportFailure(t)
			folder := t.TempDir()
			writeExample(t, language.name+".md", folder)
			e := newExample(t, in, language.name)
			e.start(folder, language.command(t, folder))
			e.testFeature()
			e.testCredits()
			e.testSignatures()
			e.testRotation()
			e.testOutage()
		})
	}
}

// buildGoExample requires that the example is formatted, and builds it.
func buildGoExample(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if formatted, err := format.Source(text); err != nil || string(formatted) != string(text) {
			t.Errorf("%s is not formatted: %v", filepath.Base(file), err)
		}
	}
	for _, args := range [][]string{{"vet"}, {"build", "-o", "product"}} {
		cmd := exec.Command(findRuntime(t, "go", "install Go"), append(args, files...)...)
		cmd.Dir = folder
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", args[0], err, out)
		}
	}
	return []string{filepath.Join(folder, "product")}
}

// example is a product of docs/examples with its organization.
type example struct {
	*product
	t            *testing.T
	in           *installation
	relay        *webhookRelay
	key          apiKeyView
	organization string
	email        string // of the admin
	endpoint     struct{ ID, Secret string }
}

func newExample(t *testing.T, in *installation, name string) *example {
	t.Helper()
	e := &example{t: t, in: in, relay: startWebhookRelay(t), key: in.createKey(t), email: name + "@example.com"}
	var created struct{ ID string }
	in.call(t, e.key.Key, http.MethodPost, "/api/v1/organizations", "", map[string]any{
		"name": "Lantern Theatre", "externalId": name, "admin": map[string]string{"email": e.email, "name": "Nora Njoroge"},
	}, &created)
	e.organization = created.ID
	in.acceptInvitation(t, "Nora Njoroge", e.email)
	in.call(t, e.key.Key, http.MethodPost, "/api/v1/webhooks", e.organization,
		map[string]any{"url": e.relay.URL + "/webhooks/usher"}, &e.endpoint)
	return e
}

func (e *example) start(folder string, command []string) {
	e.t.Helper()
	e.product = startProduct(e.t, folder, []string{
		"USHER_URL=" + e.in.url, "USHER_KEY=" + e.key.Key, "USHER_WEBHOOK_SECRET=" + e.endpoint.Secret,
		"USHER_HANDOVER_KEY=" + e.in.handoverKey, "ORGANIZATION=" + e.organization, "EMAIL=" + e.email,
	}, command...)
	e.relay.connect(e.product)
}

// testFeature comes to the billing page by the hand-over, buys the plan that has the feature, and
// expects the feature as soon as the webhook is processed. The next question to Usher is answered
// with 304.
func (e *example) testFeature() {
	e.t.Helper()
	e.expect(e.t, http.StatusPaymentRequired, http.MethodGet, "/reports")
	person := e.in.client(e.t).open(e.url + "/billing")
	person.submit(`form[action="/handover"]`).expectText("Lantern Theatre", "No plan yet")
	person.open("/pricing").choosePro().pay("4242424242424242")
	e.relay.waitFor(e.t, "entitlements.changed with access", func(w relayedWebhook) bool {
		return w.Type == "entitlements.changed" && w.OrganizationID == e.organization && w.Data.Access && w.status == http.StatusNoContent
	})
	e.expect(e.t, http.StatusOK, http.MethodGet, "/reports")
	before := e.in.answersNotModified(e.t)
	e.markStale()
	e.expect(e.t, http.StatusOK, http.MethodGet, "/reports")
	e.expect(e.t, http.StatusOK, http.MethodGet, "/reports") // without asking Usher
	if n := e.in.answersNotModified(e.t) - before; n != 1 {
		e.t.Errorf("Usher has answered %d requests with 304, want 1", n)
	}
}

// markStale sends a webhook about entitlements that have not changed.
func (e *example) markStale() {
	e.t.Helper()
	body := fmt.Sprintf(`{"type":"entitlements.changed","organizationId":%q,"data":{}}`, e.organization)
	e.send("markStale", http.StatusNoContent, signedWebhook{secret: e.endpoint.Secret, body: body})
}

var notModified = regexp.MustCompile(`usher_http_requests_total\{method="GET",route="/api/v1/entitlements",status="304"\} (\d+)`)

// answersNotModified returns how often Usher has answered that entitlements have not changed.
func (in *installation) answersNotModified(t *testing.T) int {
	t.Helper()
	response, err := http.Get(in.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("metrics: %s, %v", response.Status, err)
	}
	match := notModified.FindStringSubmatch(string(text))
	if match == nil {
		return 0
	}
	count, err := strconv.Atoi(match[1])
	if err != nil {
		t.Fatal(err)
	}
	return count
}

func (e *example) testCredits() {
	e.t.Helper()
	for _, export := range []struct{ id, answer string }{{"1", "997 credits"}, {"1", "997 credits"}, {"2", "994 credits"}} {
		if text := e.expect(e.t, http.StatusOK, http.MethodPost, "/exports/"+export.id); !strings.Contains(text, export.answer) {
			e.t.Errorf("export %s: %s, want %s", export.id, text, export.answer)
		}
	}
	var result struct{ Balance int }
	e.in.call(e.t, e.key.Key, http.MethodPost, "/api/v1/credits/consume", e.organization,
		map[string]any{"amount": 992, "reason": "test", "idempotencyKey": "rest"}, &result)
	e.expect(e.t, http.StatusPaymentRequired, http.MethodPost, "/exports/3")
	if result.Balance != 2 {
		e.t.Errorf("%d credits are left, want 2", result.Balance)
	}
}

// signedWebhook is a webhook that a test sends. Empty fields have good values.
type signedWebhook struct {
	id        string
	at        time.Time
	secret    string
	body      string
	signature func(right string) string
	sentBody  string // instead of the signed one
}

// send sends a webhook and expects the status of the answer.
func (e *example) send(name string, want int, w signedWebhook) {
	e.t.Helper()
	if w.id == "" {
		w.id = "msg_" + strings.ReplaceAll(name, " ", "_")
	}
	if w.at.IsZero() {
		w.at = time.Now()
	}
	timestamp := strconv.FormatInt(w.at.Unix(), 10)
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(w.secret, "whsec_"))
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", w.id, timestamp, w.body)
	signature := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	if w.signature != nil {
		signature = w.signature(signature)
	}
	if w.sentBody == "" {
		w.sentBody = w.body
	}
	header := http.Header{"Webhook-Id": {w.id}, "Webhook-Timestamp": {timestamp}, "Webhook-Signature": {signature}}
	if status, text := e.request(e.t, http.MethodPost, "/webhooks/usher", header, w.sentBody); status != want {
		e.t.Errorf("%s: status %d, want %d: %s", name, status, want, text)
	}
}

// testSignatures sends webhooks that are not Usher's, or were sent before.
func (e *example) testSignatures() {
	e.t.Helper()
	body := func(kind string) string { return fmt.Sprintf(`{"type":%q,"organizationId":"org_1","data":{}}`, kind) }
	now, secret, forged := time.Now(), e.endpoint.Secret, body("forged")
	const other = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	for name, w := range map[string]signedWebhook{
		"another secret":      {secret: other, body: forged},
		"another body":        {secret: secret, body: body("good"), sentBody: forged},
		"an old message":      {secret: secret, body: forged, at: now.Add(-6 * time.Minute)},
		"of the future":       {secret: secret, body: forged, at: now.Add(6 * time.Minute)},
		"no signature":        {secret: secret, body: forged, signature: func(string) string { return "" }},
		"another version":     {secret: secret, body: forged, signature: func(s string) string { return strings.Replace(s, "v1", "v2", 1) }},
		"a part of the right": {secret: secret, body: forged, signature: func(s string) string { return s[:len(s)-4] }},
	} {
		e.send(name, http.StatusBadRequest, w)
	}
	e.send("one of two", http.StatusNoContent, signedWebhook{secret: secret, body: body("one.of.two"), signature: func(s string) string { return "v1,AAAA " + s }})
	e.send("four minutes old", http.StatusNoContent, signedWebhook{secret: secret, body: body("four.minutes.old"), at: now.Add(-4 * time.Minute)})
	for range 2 {
		e.send("twice", http.StatusNoContent, signedWebhook{secret: secret, body: body("sent.twice")})
	}
	// What the product prints arrives through a pipe, in order.
	e.send("the last one", http.StatusNoContent, signedWebhook{secret: secret, body: body("the.last.one")})
	eventually(e.t, "the last event in the output", func() bool {
		text, _ := e.output.read()
		return strings.Contains(text, "the.last.one")
	})
	for kind, want := range map[string]int{"forged": 0, "one.of.two": 1, "four.minutes.old": 1, "sent.twice": 1} {
		if text, _ := e.output.read(); strings.Count(text, kind) != want {
			e.t.Errorf("%s is processed %d times, want %d", kind, strings.Count(text, kind), want)
		}
	}
}

// testRotation rotates the secret: the product knows the former one.
func (e *example) testRotation() {
	e.t.Helper()
	var rotated struct{ Secret string }
	path := "/api/v1/webhooks/" + e.endpoint.ID
	e.in.call(e.t, e.key.Key, http.MethodPost, path+"/rotate", e.organization, map[string]any{}, &rotated)
	e.in.call(e.t, e.key.Key, http.MethodPost, path+"/test", e.organization, map[string]any{}, &struct{}{})
	webhook := e.relay.waitFor(e.t, "the test event", func(w relayedWebhook) bool { return w.Type == "webhook.test" })
	signatures := strings.Fields(webhook.header.Get("webhook-signature"))
	if len(signatures) != 2 || rotated.Secret == e.endpoint.Secret || webhook.status != http.StatusNoContent {
		e.t.Errorf("with %d signatures the product answers %d", len(signatures), webhook.status)
	}
}

// testOutage revokes the key: the last answer of Usher counts.
func (e *example) testOutage() {
	e.t.Helper()
	if code, _, stderr := runCommand(e.t, []string{"api-key", "revoke", e.key.ID}, e.in.environment...); code != exitOK {
		e.t.Fatalf("api-key revoke: exit code %d: %s", code, stderr)
	}
	body := fmt.Sprintf(`{"type":"entitlements.changed","organizationId":%q,"data":{}}`, e.organization)
	e.send("outage", http.StatusNoContent, signedWebhook{secret: e.endpoint.Secret, body: body})
	e.expect(e.t, http.StatusOK, http.MethodGet, "/reports")
	e.expect(e.t, http.StatusServiceUnavailable, http.MethodPost, "/exports/4")
}
