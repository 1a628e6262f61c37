package layout_test

import (
	"strings"
	"testing"

	"usher/views/layout"
	"usher/views/viewtest"
)

func TestErrorPages(t *testing.T) {
	for status, want := range map[int]string{
		400: "could not be understood", 403: "for others to change", 404: "no such page", 405: "done that way", 409: "does not go together", 429: "A little slower", 500: "our side", 502: "Stripe did not answer", 418: "our side",
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
