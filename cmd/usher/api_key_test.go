package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestAPIKeyCommand creates a key beside a running server and calls the API with it.
func TestAPIKeyCommand(t *testing.T) {
	dataDir := newDataDir(t)
	server := startServer(t, "DATA_DIR="+dataDir)
	run := func(want int, args ...string) string {
		t.Helper()
		code, stdout, stderr := runCommand(t, append([]string{"api-key"}, args...), "DATA_DIR="+dataDir)
		if code != want {
			t.Fatalf("%v: exit code %d, want %d: %s", args, code, want, stderr)
		}
		return stdout
	}
	var key apiKeyView
	output := run(exitOK, "create", "--all", "--name", "product", "--scopes", "entitlements:read,credits:write", "--json")
	if err := json.Unmarshal([]byte(output), &key); err != nil || !strings.HasPrefix(key.Key, "uk_test_") || len(key.Scopes) != 2 {
		t.Fatalf("%s, %v", output, err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.url+"/api/v1/entitlements", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key.Key)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusBadRequest { // it names no organization
		t.Errorf("status %d", answer.StatusCode)
	}
	if text := run(exitOK, "create", "--all", "--name", "product", "--scopes", "billing:read", "--expires", "2999-01-31"); !strings.Contains(text, "It isn't stored") {
		t.Errorf("it prints %s", text)
	}
	if text := run(exitOK, "list", "--all"); !strings.Contains(text, key.ID) || !strings.Contains(text, "valid until 2999-01-31") || strings.Contains(text, key.Key) {
		t.Errorf("list prints %s", text)
	}
	if text := run(exitOK, "revoke", key.ID); !strings.Contains(text, "is revoked") {
		t.Errorf("revoke prints %s", text)
	}
	var keys []apiKeyView
	if text := run(exitOK, "list", "--all", "--json"); json.Unmarshal([]byte(text), &keys) != nil || len(keys) != 2 {
		t.Errorf("list --json prints %s", text)
	}
	for _, listed := range keys {
		if revoked := listed.RevokedAt != nil; revoked != (listed.ID == key.ID) {
			t.Errorf("key %s is listed as %+v", key.ID, listed)
		}
	}
	run(exitFailed, "revoke", "key_none")
	run(exitUsage, "list")
	run(exitUsage, "revoke")
	run(exitFailed, "create", "--all", "--name", "product", "--scopes", "everything")
	run(exitFailed, "create", "--org", "org_none", "--name", "product", "--scopes", "billing:read")
	run(exitUsage, "create", "--name", "product")
	run(exitUsage, "create", "--all", "--org", "org_1")
	run(exitUsage, "create", "--all", "--expires", "soon")
	run(exitUsage)
}
