package handlers

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"usher/billing/apperr"
)

const formType = "application/x-www-form-urlencoded"

// chunked hides the length of a body, so that it is sent chunked.
type chunked struct{ io.Reader }

func TestBodyLimits(t *testing.T) {
	server := httptest.NewServer(newTestServer(t, nil).handler())
	defer server.Close()
	for _, tt := range []struct {
		target, contentType string
		limit               int
	}{
		{"/login", formType, maxFormBody},
		{"/stripe/webhook", "application/json", maxWebhookBody},
		{"/stripe-webhook", "application/json", maxWebhookBody},
	} {
		over := strings.Repeat("a", tt.limit+1)
		for kind, body := range map[string]io.Reader{"said": strings.NewReader(over), "chunked": chunked{strings.NewReader(over)}} {
			resp, err := http.Post(server.URL+tt.target, tt.contentType, body)
			if err != nil {
				t.Fatalf("%s, %s: %v", tt.target, kind, err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("%s, %s: %d", tt.target, kind, resp.StatusCode)
			}
		}
	}
}

func TestSlowBodyTimesOut(t *testing.T) {
	s := newTestServer(t, nil)
	s.bodyTimeout = 20 * time.Millisecond
	server := httptest.NewServer(s.handler())
	defer server.Close()
	for _, target := range []string{"/stripe/webhook", "/login", "/billing/retrySeatSync"} {
		connection, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		fmt.Fprintf(connection, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: 100\r\n\r\na", target, formType)
		if err := connection.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		reader := bufio.NewReader(connection)
		resp, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatalf("%s: no response: %v", target, err)
		}
		if resp.StatusCode != http.StatusBadRequest && resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d", target, resp.StatusCode)
		}
		if _, err := io.Copy(io.Discard, reader); err != nil {
			t.Errorf("%s: the connection stays open: %v", target, err)
		}
	}
}

func TestBodyDeadlineDoesNotBoundTheHandler(t *testing.T) {
	s := newTestServer(t, nil)
	s.bodyTimeout = 30 * time.Millisecond
	late := make(chan error, 1)
	h := s.serve(route{method: post, pattern: "/x", policy: public, response: stateless, handler: func(w http.ResponseWriter, r *http.Request) error {
		select {
		case <-r.Context().Done():
			late <- r.Context().Err()
		case <-time.After(4 * s.bodyTimeout):
			late <- nil
		}
		return writeJSON(w, http.StatusOK, healthResponse{"ok"})
	}})
	server := httptest.NewServer(s.observe(h))
	defer server.Close()
	resp, err := http.Post(server.URL, "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if err := <-late; err != nil {
		t.Errorf("the read deadline canceled the handler: %v", err)
	}
}

func TestInvalidBodies(t *testing.T) {
	h := newTestServer(t, nil).handler()
	for _, tt := range []struct {
		name, target, body, contentType string
		status                          int
	}{
		{"JSON to a form", "/login", `{"email":"a"}`, "application/json", 415},
		{"multipart to a form", "/login", "--x", "multipart/form-data; boundary=x", 415},
		{"a form without a type", "/login", "email=a", "", 415},
		{"broken escapes", "/login", "email=%zz", formType, 400},
		{"NUL", "/login", "email=a%00b", formType, 400},
		{"invalid UTF-8", "/signup", "name=%ff", formType, 400},
		{"NUL in a name", "/signup", "na%00me=x", formType, 400},
		{"NUL in the address", "/login?next=%00", "email=a", formType, 400},
	} {
		w := serve(h, post, tt.target, tt.body, "Content-Type", tt.contentType)
		if w.Code != tt.status {
			t.Errorf("%s: %d, want %d", tt.name, w.Code, tt.status)
		}
	}
	if w := serve(h, get, "/pricing?interval=%00", ""); w.Code != 400 {
		t.Errorf("NUL in a GET: %d", w.Code)
	}
}

func TestDecodeJSON(t *testing.T) {
	for _, tt := range []struct {
		name, body, contentType, message string
		status                           int
	}{
		{"whole", `{"organizationId":"org_1","returnUrl":null,"sessionId":"s"}`, "application/json; charset=utf-8", "", 0},
		{"empty object", `{}`, "application/json", "", 0},
		{"no type", `{}`, "", "The body has to be JSON, with the header Content-Type: application/json.", 415},
		{"a form", `a=b`, formType, "The body has to be JSON, with the header Content-Type: application/json.", 415},
		{"nothing", ``, "application/json", "The body has to be one JSON object.", 400},
		{"half", `{"organizationId":`, "application/json", "The body has to be one JSON object.", 400},
		{"two", `{}{}`, "application/json", "The body has to be one JSON object.", 400},
		{"null", `null`, "application/json", "The body has to be one JSON object.", 400},
		{"a list", `[{}]`, "application/json", "The body has to be one JSON object.", 400},
		{"wrong type", `{"organizationId":7}`, "application/json", `The field "organizationId" has to be a string.`, 400},
		{"unknown", `{"organisationId":"x"}`, "application/json", `Unknown field "organisationId". Known are organizationId, returnUrl, sessionId.`, 400},
		{"wrong case", `{"ORGANIZATIONID":"x"}`, "application/json", `Unknown field "ORGANIZATIONID". Known are organizationId, returnUrl, sessionId.`, 400},
		{"NUL", `{"organizationId":"a\u0000"}`, "application/json", "The request holds characters that can't be stored.", 400},
	} {
		r := httptest.NewRequest(post, "/", strings.NewReader(tt.body))
		r.Header.Set("Content-Type", tt.contentType)
		if err := readBody(r, route{response: stateless}); err != nil {
			t.Fatal(err)
		}
		var into portalRequest
		err := decodeJSON(r, &into)
		if err == nil {
			if tt.status != 0 {
				t.Errorf("%s: no error", tt.name)
			}
			continue
		}
		if got := problemOf(err); got.status != tt.status || got.message != tt.message {
			t.Errorf("%s: %d %q", tt.name, got.status, got.message)
		}
	}
}

func TestEveryErrorCodeHasAStatus(t *testing.T) {
	for code, status := range map[apperr.Code]int{
		apperr.CodeInvalid: 400, apperr.CodeUnauthenticated: 401, apperr.CodeForbidden: 403, apperr.CodeNotFound: 404,
		apperr.CodeConflict: 409, apperr.CodeUnprocessable: 422, apperr.CodeRateLimited: 429, apperr.CodeStripe: 502, apperr.CodeInternal: 500,
	} {
		wrapped := fmt.Errorf("operation: %w", &apperr.Error{Code: code, Message: "for people", Err: io.ErrUnexpectedEOF})
		if got := problemOf(wrapped); got.status != status || got.message != "for people" || got.code != code {
			t.Errorf("%s: %+v", code, got)
		}
	}
	if got := problemOf(io.ErrUnexpectedEOF); got.status != 500 || strings.Contains(got.message, "EOF") {
		t.Errorf("an unclassified error is exposed: %+v", got)
	}
}
