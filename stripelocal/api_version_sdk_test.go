package stripelocal_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"usher/stripelocal"
)

// sdk is a release of stripe-node, which npm installs under an alias. Its types are those of the
// API version that it pins.
type sdk struct {
	alias   string
	version string
}

var everySDK = flag.Bool("all-sdks", false, "run the lifecycle with a release of each named API version")

// sdks has the last release of each named version, and the one of stripelocal.APIVersion. Without
// -all-sdks it has the oldest and the newest: their steps include all others.
func sdks() []sdk {
	oldest, newest := sdk{"stripe-16", stripelocal.APIVersion}, sdk{"stripe-23", "2026-10-28.endive"}
	if !*everySDK {
		return []sdk{oldest, newest}
	}
	return []sdk{oldest, {"stripe-18", "2025-08-27.basil"}, {"stripe-20", "2026-02-25.clover"}, {"stripe-22", dahliaVersion}, newest}
}

// TestSubscriptionLifecycleInEachSDK runs testdata/sdk_lifecycle.mjs with each release, and checks
// every response and event against the types of the release.
func TestSubscriptionLifecycleInEachSDK(t *testing.T) {
	t.Parallel()
	for _, s := range sdks() {
		t.Run(s.alias, func(t *testing.T) {
			t.Parallel()
			captured := s.runLifecycle(t)
			if len(captured) < 100 {
				t.Errorf("only %d responses and events were captured", len(captured))
			}
			s.checkTypes(t, captured)
			if s.version == dahliaVersion {
				checkSpecification(t, captured)
			}
		})
	}
}

// runLifecycle returns the objects of all successful responses and of the webhooks.
func (s sdk) runLifecycle(t *testing.T) []map[string]any {
	t.Helper()
	server, err := stripelocal.New(stripelocal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close(t.Context()) })
	rec := &recorder{t: t, next: server.Handler(), version: s.version}
	web := httptest.NewServer(rec)
	t.Cleanup(web.Close)
	server.SetOrigin(web.URL)
	var printed struct {
		Version  string
		Webhooks []map[string]any
	}
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join("testdata", "sdk_lifecycle.mjs"), s.alias, web.URL)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	if err := json.Unmarshal(stdout.Bytes(), &printed); err != nil || printed.Version != s.version {
		t.Fatalf("%v: %s pins %s", err, s.alias, printed.Version)
	}
	for _, e := range printed.Webhooks {
		data, _ := e["data"].(map[string]any)
		object, _ := data["object"].(map[string]any)
		rec.captured = append(rec.captured, object)
	}
	return rec.captured
}

// recorder keeps the objects of successful responses.
type recorder struct {
	t       *testing.T
	next    http.Handler
	version string

	mu       sync.Mutex
	captured []map[string]any
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	out := &tee{ResponseWriter: w, status: http.StatusOK}
	r.next.ServeHTTP(out, req)
	if !strings.HasPrefix(req.URL.Path, "/v1/") {
		return
	}
	if got := w.Header().Get("Stripe-Version"); got != r.version {
		r.t.Errorf("%s %s: the response is of %s", req.Method, req.URL, got)
	}
	if out.status != http.StatusOK {
		return
	}
	var o map[string]any
	if err := json.Unmarshal(out.body.Bytes(), &o); err != nil {
		r.t.Errorf("%s %s: %v", req.Method, req.URL, err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.captured = append(r.captured, withoutList(o)...)
}

// withoutList returns an object, or those of a list.
func withoutList(o map[string]any) []map[string]any {
	if o["object"] != "list" && o["object"] != "search_result" {
		return []map[string]any{o}
	}
	var out []map[string]any
	data, _ := o["data"].([]any)
	for _, e := range data {
		if one, ok := e.(map[string]any); ok {
			out = append(out, one)
		}
	}
	return out
}
