package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestStripeWithSeedAndOrigin runs the local Stripe as a container would: under another name, with
// a seed and a fast clock.
func TestStripeWithSeedAndOrigin(t *testing.T) {
	t.Parallel()
	seed := filepath.Join(t.TempDir(), "seed.json")
	if err := os.WriteFile(seed, []byte(`{"customers": [{"id": "cus_ada", "email": "ada@example.com"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	var flags stripeFlags
	flags.origin, flags.seed, flags.speed = "http://stripe:12111", seed, 60
	listener, err := listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var closers closers
	t.Cleanup(func() { _ = closers.close() })
	var logged bytes.Buffer
	origin, _, err := serveStripeAlone(flags, listener, newLogger(&logged, Config{}), &closers)
	if err != nil || origin != "http://stripe:12111" {
		t.Fatalf("%v, origin %s", err, origin)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+listener.Addr().String()+"/v1/customers/cus_ada", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "stripe:12111"
	req.SetBasicAuth("sk_test_1234567890", "")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var customer struct{ Email string }
	body, _ := io.ReadAll(res.Body)
	if err := json.Unmarshal(body, &customer); err != nil || customer.Email != "ada@example.com" {
		t.Errorf("%s %s", res.Status, body)
	}
}

func TestStripeSeedErrors(t *testing.T) {
	t.Parallel()
	seed := filepath.Join(t.TempDir(), "seed.json")
	if err := os.WriteFile(seed, []byte("{\n\"customers\": [{\"mail\": \"x\"}]}"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := runCommand(t, []string{"stripe", "--addr", "127.0.0.1:0", "--seed", seed})
	if code != exitFailed || !strings.Contains(stderr, "seed.json:2: customers[0].mail: Received unknown parameter") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if code, _, stderr := runCommand(t, []string{"stripe", "--addr", "127.0.0.1:0", "--speed", "-3"}); code != exitFailed || !strings.Contains(stderr, "between 1 and 604800") {
		t.Errorf("speed: exit code %d: %s", code, stderr)
	}
}
