package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// look runs the doctor and returns what is wrong and what is not, by name.
func look(t *testing.T, wantCode int, environment ...string) (well, ill []string, findings []finding) {
	t.Helper()
	code, stdout, stderr := runOnce(t, []string{"doctor", "--json"}, environment...)
	if code != wantCode {
		t.Fatalf("it ended with %d: %s%s", code, stdout, stderr)
	}
	if err := json.Unmarshal([]byte(stdout), &findings); err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if f.OK != (f.Remediation == "") || f.Found == "" {
			t.Errorf("%+v", f)
		}
		if f.OK {
			well = append(well, f.Check)
		} else {
			ill = append(ill, f.Check)
		}
	}
	return well, ill, findings
}

func TestDoctorFindsARunningServerWell(t *testing.T) {
	data := newDataDir(t)
	startUsher(t, "DATA_DIR="+data)
	well, _, _ := look(t, exitOK, "DATA_DIR="+data)
	if want := []string{"configuration", "database", "work", "Stripe", "prices", "e-mail"}; !slices.Equal(well, want) {
		t.Errorf("looked at %v, want %v", well, want)
	}
	code, stdout, _ := runOnce(t, []string{"doctor"}, "DATA_DIR="+data)
	if code != exitOK || !strings.Contains(stdout, "ok     database       reachable, and every migration is applied.\n") {
		t.Errorf("%d\n%s", code, stdout)
	}
}

func TestDoctorNamesWhatIsMissingAndWhatMendsIt(t *testing.T) {
	environment := append(account(t), "DATA_DIR="+newDataDir(t))
	_, ill, findings := look(t, exitFailed, environment...)
	if want := []string{"configuration", "database", "prices", "webhook"}; !slices.Equal(ill, want) {
		t.Errorf("wrong are %v, want %v: %+v", ill, want, findings)
	}
	for _, step := range [][]string{{"plans", "push"}, {"webhook", "setup"}} {
		if code, _, stderr := runOnce(t, step, environment...); code != exitOK {
			t.Fatalf("%v: %s", step, stderr)
		}
	}
	well, ill, _ := look(t, exitFailed, append(environment, "STRIPE_WEBHOOK_SECRET=whsec_0123456789abcdef")...)
	if want := []string{"database"}; !slices.Equal(ill, want) {
		t.Errorf("still wrong are %v, want %v", ill, want)
	}
	if want := []string{"configuration", "Stripe", "prices", "webhook", "clock", "e-mail"}; !slices.Equal(well, want) {
		t.Errorf("well are %v, want %v", well, want)
	}
	code, stdout, stderr := runOnce(t, []string{"doctor"}, environment...)
	if code != exitFailed || !strings.Contains(stdout, "FAIL   database") || !strings.Contains(stderr, "2 of ") {
		t.Errorf("%d\n%s%s", code, stdout, stderr)
	}
}

func TestDoctorGoesOnWhereStripeIsAway(t *testing.T) {
	environment := []string{
		"STRIPE_SECRET_KEY=sk_test_1234567890abcdef", "STRIPE_WEBHOOK_SECRET=whsec_0123456789abcdef", "STRIPE_API_BASE=http://127.0.0.1:1", "SMTP_URL=smtp://127.0.0.1:1",
		"DATA_DIR=" + newDataDir(t),
	}
	_, ill, _ := look(t, exitFailed, environment...)
	if want := []string{"database", "Stripe", "e-mail"}; !slices.Equal(ill, want) {
		t.Errorf("wrong are %v, want %v", ill, want)
	}
}

func TestSkew(t *testing.T) {
	for _, off := range []time.Duration{0, 10 * time.Minute, -10 * time.Minute} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(-off).UTC().Format(http.TimeFormat))
		}))
		defer server.Close()
		if skew, err := clockSkew(t.Context(), server.URL); err != nil || (skew-off).Abs() > 5*time.Second {
			t.Errorf("%v, %v, want about %v", skew, err, off)
		}
	}
}
