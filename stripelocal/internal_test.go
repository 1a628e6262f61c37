package stripelocal

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestSharesAreRoundedToTheMinorUnit(t *testing.T) {
	sub := &Subscription{CurrentPeriodStart: 0, CurrentPeriodEnd: 30 * 86400}
	for _, c := range []struct{ day, amount, want int64 }{
		{0, 1000, 1000}, {30, 1000, 0}, {15, 1000, 500}, {20, 2000, 667}, {20, 1000, 333}, {15, 1, 1}, {15, 3, 2},
	} {
		if got := share(sub, c.day*86400, c.amount); got != c.want {
			t.Errorf("after %d of 30 days of %d: %d, want %d", c.day, c.amount, got, c.want)
		}
	}
}

func TestEventsComeInTheOrderAskedFor(t *testing.T) {
	var events []*Event
	for _, kind := range []string{"a", "b", "x", "a", "z", "done"} {
		events = append(events, &Event{Type: kind})
	}
	got := ""
	for _, e := range reorderEvents(events, []string{"z", "a", "b", "a", "done"}) {
		got += e.Type + " "
	}
	if want := "z a b a x done "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPagesAllowOnlyTheirOwnStyle(t *testing.T) {
	s, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/c/pay/cs_no", nil))
	_, rest, _ := strings.Cut(w.Body.String(), "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	if policy := w.Header().Get("Content-Security-Policy"); len(style) == 0 || !strings.Contains(policy, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
		t.Errorf("the policy %q does not name the style of %d bytes", policy, len(style))
	}
	if w.Code != 404 || strings.Contains(w.Body.String(), "<script") {
		t.Errorf("status %d", w.Code)
	}
}
