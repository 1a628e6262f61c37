package handlers

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"usher/billing/account"
)

// TestOpenAPIValidatorOfOthers has the document checked by a validator that shares no code with
// this program.
func TestOpenAPIValidatorOfOthers(t *testing.T) {
	output, err := exec.CommandContext(t.Context(), npmTool(t, "validate-api"), "openapi.json").CombinedOutput()
	if err != nil || !strings.Contains(string(output), `"valid": true`) {
		t.Errorf("%v: %s", err, output)
	}
}

// TestGeneratedClient generates a client from the document, and calls each operation with it.
func TestGeneratedClient(t *testing.T) {
	h := newTestEnv(t)
	admin := h.subscribed("pro")
	waitFor(t, "the credits", func() bool { return h.count(`select count(*) from invoices where status = 'paid'`) == 1 })
	dir := t.TempDir()
	h.runTool(dir, npmTool(t, "swagger-typescript-api"), "generate", "--js", "--path", absolute(t, "openapi.json"),
		"--output", dir, "--name", "client.ts", "--api-class-name", "Usher")
	script, err := os.ReadFile(filepath.Join("testdata", "generated_client.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	settings, err := json.Marshal(map[string]string{
		"url": h.url, "key": admin.createKey(account.Scopes()...), "installationKey": h.installationKey(account.Scopes()...),
		"packPrice": h.service.Prices.Catalog().Packs[0].Price.ID,
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"call.mjs": script, "settings.json": settings, "package.json": []byte(`{"type":"module"}`)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	called := strings.Fields(h.runTool(dir, "node", "call.mjs"))
	d := apiDocument{t: t, document: loadOpenAPI(t, h.newBrowser().get("/api/openapi.json").body)}
	if operations := d.operations(); len(called) != len(operations) {
		t.Errorf("%d of %d operations were called: %v", len(called), len(operations), called)
	}
}

// runTool runs a command in a folder and returns its output.
func (h *testEnv) runTool(dir, name string, args ...string) string {
	h.t.Helper()
	cmd := exec.CommandContext(h.t.Context(), name, args...)
	cmd.Dir = dir
	output, err := cmd.CombinedOutput()
	if err != nil {
		h.t.Fatalf("%s: %v\n%s", name, err, output)
	}
	return string(output)
}

// npmTool returns the path of a command that npm installed.
func npmTool(t *testing.T, name string) string {
	t.Helper()
	path := absolute(t, filepath.Join("..", "node_modules", ".bin", name))
	if _, err := exec.LookPath(path); err != nil {
		t.Fatalf("%s is not installed: run `make node_modules/.package-lock.json` (or `make test`, which does) and try again: %v", name, err)
	}
	return path
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
