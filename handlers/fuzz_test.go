package handlers

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"usher/billing/account"
)

// FuzzForm checks that a form of any bytes is read or refused, and that what is read can be stored.
func FuzzForm(f *testing.F) {
	for _, body := range []string{"email=ana%40example.com&password=%E2%82%AC", "a=%00", "a=%zz", "a=1&a=2;b=3", "%ff=%fe", "=&=&", strings.Repeat("a=&", 30_000)} {
		f.Add(body, "x=1", formType)
	}
	f.Add("--x", "q=%00", "multipart/form-data; boundary=x")
	f.Add("", "q=%zz&%00=1", "")
	s := newTestServer(f, nil)
	h := s.serve(route{method: post, pattern: "/x", policy: public, handler: func(w http.ResponseWriter, r *http.Request) error {
		if !validText(r.PostForm) || !validText(r.URL.Query()) {
			f.Errorf("read %q, query %q", r.PostForm, r.URL.RawQuery)
		}
		_ = r.PostFormValue("a")
		_ = nextPath(r)
		w.WriteHeader(http.StatusNoContent)
		return nil
	}})
	f.Fuzz(func(t *testing.T, body, query, contentType string) {
		r := httptest.NewRequest(post, "/x", strings.NewReader(body))
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		switch w.Code {
		case http.StatusNoContent, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		default:
			t.Errorf("status %d", w.Code)
		}
	})
}

// FuzzDecodeJSON checks that a body of any bytes is decoded or refused, and that decoded texts can
// be stored.
func FuzzDecodeJSON(f *testing.F) {
	for _, body := range []string{
		`{"organizationId":"org_1","returnUrl":"https://x","sessionId":null}`, `{"organizationId":"\u0000"}`, `{"organizationId":"\ud800"}`,
		`{"organizationId":1e999}`, `{"a":{"a":[[]]}}`, `{}{}`, "null", "[]", "\xff", strings.Repeat("[", 20_000), `{"organizationId":"a","organizationId":2}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest(post, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		var into portalRequest
		if err := decodeJSON(r, &into); err != nil {
			if got := problemOf(err); got.status != http.StatusBadRequest {
				t.Errorf("status %d: %v", got.status, err)
			}
			return
		}
		if !isValidText(into.OrganizationID) || !isValidText(into.ReturnURL) {
			t.Errorf("read %+v", into)
		}
	})
}

// FuzzSessionCookie checks that a cookie of any bytes is no session, and is never taken over as the
// token of a new one.
func FuzzSessionCookie(f *testing.F) {
	for _, value := range []string{"", "x", "a=b", strings.Repeat("A", 43), "\x00", "\"quoted\"", "é", strings.Repeat("A", 10_000)} {
		f.Add(value)
	}
	h := newTestServer(f, nil).handler()
	f.Fuzz(func(t *testing.T, value string) {
		r := httptest.NewRequest(post, "/billing/checkout", strings.NewReader("plan=pro"))
		r.Header.Set("Content-Type", formType)
		r.Header.Set("Cookie", "usher_session="+value)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusSeeOther {
			t.Fatalf("status %d", w.Code)
		}
		for _, cookie := range w.Result().Cookies() {
			if cookie.Name == "usher_session" && cookie.Value != "" && cookie.Value == value {
				t.Error("the session has a token that the client chose")
			}
		}
	})
}

// FuzzForwardedFor checks that only a trusted peer's header counts, and that what limits count is
// an address or network then.
func FuzzForwardedFor(f *testing.F) {
	for _, header := range []string{"", "203.0.113.9", "6.6.6.6, 203.0.113.9:80", "[2001:db8::1%eth0]:1", "::ffff:1.2.3.4", ",,", "10.0.0.1, 10.0.0.2", "unknown", "\x00"} {
		f.Add(header, true)
		f.Add(header, false)
	}
	s := &server{trustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	f.Fuzz(func(t *testing.T, header string, trusted bool) {
		r := httptest.NewRequest(get, "/", http.NoBody)
		r.Header["X-Forwarded-For"] = []string{header}
		r.RemoteAddr = "198.51.100.7:1000"
		if trusted {
			r.RemoteAddr = "10.1.2.3:1000"
		}
		got := s.clientNetwork(r)
		if !trusted && got != "198.51.100.7" {
			t.Errorf("an untrusted peer is counted as %q", got)
		}
		_, addressErr := netip.ParseAddr(got)
		_, networkErr := netip.ParsePrefix(got)
		if addressErr != nil && networkErr != nil {
			t.Errorf("counted as %q", got)
		}
	})
}

// FuzzLocalPath checks that a browser stays on this site whatever next is.
func FuzzLocalPath(f *testing.F) {
	for _, path := range []string{"/dashboard?x=1#y", "//evil.example", "/\\evil.example", "/\t/evil.example", "https://evil.example", "javascript:alert(1)", "/a:b", "/%2f%2fevil"} {
		f.Add(path)
	}
	base := mustParse(f, "https://usher.example.com/login")
	f.Fuzz(func(t *testing.T, path string) {
		local := localPath(path)
		if local == "" {
			return
		}
		to, err := base.Parse(local)
		if err != nil || to.Host != base.Host || to.Scheme != base.Scheme || to.User != nil || strings.ContainsAny(local, "\\\r\n\t\x00 ") {
			t.Errorf("%q leads to %v, %v", path, to, err)
		}
	})
}

// FuzzLinks checks that a token of any bytes opens nothing and causes no internal error.
func FuzzLinks(f *testing.F) {
	h := newTestEnv(f)
	b := h.signIn("member")
	for _, token := range []string{"x", "..", "%2e%2e", strings.Repeat("A", 43), "\x00", "\xff", "a/b", "é", strings.Repeat("A", 9000), "' or 1=1 --"} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		b.t = t
		for _, prefix := range []string{"/reset/", "/verify/", "/invite/", "/email/"} {
			got := b.get(prefix + url.PathEscape(token))
			if got.status >= 500 || got.status == http.StatusOK {
				t.Errorf("%s: status %d", got.request, got.status)
			}
		}
	})
}

// FuzzFilters checks that filters, searches and pages of any text cause no internal error.
func FuzzFilters(f *testing.F) {
	h := newTestEnv(f)
	if _, err := h.service.Users.PromoteOperator(f.Context(), email("admin")); err != nil {
		f.Fatal(err)
	}
	b := h.signIn("admin")
	for _, text := range []string{"ana", "%", "_\\", "'", "\x00", "\xff", "9223372036854775808", "-1", "added", "2026", strings.Repeat("é", 5000)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b.t = t
		for path, names := range map[string]string{
			"/organization?tab=members&": "q seat page", "/organization?tab=activity&": "q seats page", "/organization?": "tab notice",
			"/billing/seats.csv?": "q seats", "/billing/invoices?": "year page", "/billing/invoices.csv?": "year", "/billing/credits?": "page",
			"/pricing?": "interval seats people", "/billing/forecast?": "people month plan", "/admin/events?": "q type outcome page", "/admin/organizations?": "q page",
		} {
			query := url.Values{}
			for _, name := range strings.Fields(names) {
				query.Set(name, text)
			}
			if got := b.get(path + query.Encode()); got.status >= 500 {
				t.Errorf("%s: status %d", got.request, got.status)
			}
		}
	})
}

// FuzzSCIM checks that a body and a filter of any bytes are read or refused, and that texts that
// were read can be stored.
func FuzzSCIM(f *testing.F) {
	f.Add(newUser(`"userName":"a@example.com","name":{"givenName":"A","a":{}},"active":"False"`), `userName eq "a@example.com"`)
	f.Add(patchOf(`{"op":"Replace","path":"emails[type eq \"work\"].value","value":"x"},{"op":"add","value":{"`+scimUserSchema+`":{"displayName":"\u0000"}}}`), `emails[type eq "work"].value eq "\ud800"`)
	f.Add(patchOf(`{"op":"remove","path":"name"}`), strings.Repeat("[", 20_000))
	f.Fuzz(func(t *testing.T, body, filter string) {
		for _, decode := range []func(*http.Request) (scimChange, error){decodeSCIMUser, decodeSCIMPatch} {
			r := httptest.NewRequest(post, "/", strings.NewReader(body))
			r.Header.Set("Content-Type", scimMediaType)
			c, err := decode(r)
			if err != nil && problemOf(err).status != http.StatusBadRequest {
				t.Errorf("status %d: %v", problemOf(err).status, err)
			}
			if spec := c.spec(); err == nil && !isValidText(spec.Email+spec.Name+spec.ExternalID+spec.GivenName+spec.FamilyName) {
				t.Errorf("read %+v", spec)
			}
		}
		parsed, err := parseSCIMFilter(filter)
		if err == nil {
			_ = parsed.matches(account.Member{Email: "a@example.com"})
			if keys := parsed.keys; keys != nil && !isValidText(strings.Join(slices.Concat(keys.IDs, keys.ExternalIDs, keys.Addresses), "")) {
				t.Errorf("looks for %+v", keys)
			}
		} else if problemOf(err).status != http.StatusBadRequest {
			t.Errorf("status %d: %v", problemOf(err).status, err)
		}
	})
}
