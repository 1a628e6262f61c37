package layout_test

import (
	"strings"
	"testing"

	"usher/views/layout"
	"usher/views/viewtest"
)

func TestErrorPages(t *testing.T) {
	for status, want := range map[int]string{
		400: "couldn't read that", 403: "don't have access", 404: "not found", 405: "can't be opened", 409: "has changed", 429: "Too many", 500: "went wrong", 502: "Stripe isn't responding", 503: "very busy", 418: "went wrong",
	} {
		doc := viewtest.Render(t, layout.ErrorPage(layout.ErrorPageProps{Status: status, RequestID: "req_7"}))
		if got := viewtest.Text(doc.Find("h1")); !strings.Contains(got, want) {
			t.Errorf("%d: %q", status, got)
		}
		if !strings.Contains(viewtest.Text(doc.Find("main")), "req_7") || strings.Contains(viewtest.Text(doc.Find("h1")), "req_7") {
			t.Errorf("%d: the request is not named, or named first", status)
		}
	}
	doc := viewtest.Render(t, layout.ErrorPage(layout.ErrorPageProps{Status: 403, Message: "Only organization admins can manage billing"}))
	if !strings.Contains(viewtest.Text(doc.Find("main")), "Only organization admins can manage billing") {
		t.Error("the message is not said")
	}
}
