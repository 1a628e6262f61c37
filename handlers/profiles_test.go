package handlers

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"usher/billing/apperr"
)

func TestOperatorsReadProfiles(t *testing.T) {
	h := newTestEnv(t)
	if _, err := h.service.Users.PromoteOperator(t.Context(), email("stranger")); err != nil {
		t.Fatal(err)
	}
	b := h.signIn("stranger")
	for path, want := range map[string]string{"heap": "runtime.", "goroutine": "runtime.", "cpu?seconds=1": "nanoseconds"} {
		answer := b.get("/admin/profiles/" + path).wantStatus(http.StatusOK)
		reader, err := gzip.NewReader(strings.NewReader(answer.body))
		if err != nil {
			t.Fatalf("%s is no profile: %v", path, err)
		}
		if text, err := io.ReadAll(reader); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s does not contain %s: %v", path, want, err)
		}
	}
	b.get("/admin/profiles/unknown").wantStatus(http.StatusNotFound)
	for _, seconds := range []string{"0", "16", "x", "-1"} {
		b.get("/admin/profiles/cpu?seconds="+seconds).wantError(http.StatusBadRequest, apperr.CodeInvalid, "seconds must be a whole number from 1 to 15.")
	}
}
