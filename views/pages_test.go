package views_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"usher/static"
	"usher/views/gallery"
	"usher/views/viewtest"
)

// TestPages runs every check on every page in every state.
func TestPages(t *testing.T) {
	checks := map[string]func(*testing.T, *goquery.Document){
		"headings": headingsDescendByOne, "content security policy": obeysContentSecurityPolicy, "ids": idsAreUniqueAndResolve,
		"controls": controlsHaveNames, "forms": formsWorkWithoutScripts, "links": linksWorkWithoutScripts, "organization": formsNameTheirOrganization, "polling": pollingPanelsOwnTheirRoot,
		"words": usesNoJargon, "scripts": loadsTheScriptsItUses, "spaces": wordsAreApart,
	}
	for _, specimen := range gallery.Specimens() {
		t.Run(specimen.Name, func(t *testing.T) {
			t.Parallel()
			doc := viewtest.Render(t, specimen.Page)
			t.Run("frame", func(t *testing.T) { hasDocumentFrame(t, doc, specimen.Embedded) })
			for name, check := range checks {
				t.Run(name, func(t *testing.T) { check(t, doc) })
			}
		})
	}
}

func hasDocumentFrame(t *testing.T, doc *goquery.Document, embedded bool) {
	surrounds := 1
	if embedded {
		surrounds = 0
	}
	for selector, want := range map[string]int{
		"h1": 1, "main#content": 1, "header": surrounds, "footer": surrounds, "html[lang]": 1, "meta[name=viewport]": 1, "#toast[role=alert][hidden]": 1, "#announcer[role=status]": 1,
	} {
		if got := doc.Find(selector).Length(); got != want {
			t.Errorf("%d of %s, want %d", got, selector, want)
		}
	}
	product := "Usher"
	if own := doc.Find("header bdi[title], header img"); own.First().Closest("a").Length() == 1 { // the adopter's
		product = own.First().AttrOr("alt", own.First().Text())
	}
	if title := viewtest.Text(doc.Find("head > title")); title == "· "+product || !strings.HasSuffix(title, " · "+product) {
		t.Errorf("title %q", title)
	}
	if first := doc.Find("body a").First(); first.AttrOr("href", "") != "#content" {
		t.Errorf("the first link skips nothing: %s", viewtest.Outline(first))
	}
	if doc.Find("nav a[aria-current]").Length() > 0 && doc.Find("header nav a[aria-current=page]").Length() > 1 {
		t.Error("more than one section is marked as current")
	}
}

func headingsDescendByOne(t *testing.T, doc *goquery.Document) {
	level := 0
	doc.Find("h1, h2, h3, h4").Each(func(_ int, h *goquery.Selection) {
		next := int(goquery.NodeName(h)[1] - '0')
		if next > level+1 {
			t.Errorf("%s follows h%d", viewtest.Outline(h), level)
		}
		level = next
	})
}

func obeysContentSecurityPolicy(t *testing.T, doc *goquery.Document) {
	doc.Find("*").Each(func(_ int, s *goquery.Selection) {
		for _, attribute := range s.Nodes[0].Attr {
			name, value := attribute.Key, strings.TrimSpace(strings.ToLower(attribute.Val))
			switch {
			case name == "style", strings.HasPrefix(name, "on"), strings.HasPrefix(name, "hx-on"):
				t.Errorf("%s on %s", name, viewtest.Outline(s))
			case strings.HasPrefix(value, "javascript:"), strings.HasPrefix(value, "js:"):
				t.Errorf("a script in %s of %s", name, viewtest.Outline(s))
			case name == "hx-trigger" && strings.Contains(value, "["):
				t.Errorf("a filter needs eval: %s", viewtest.Outline(s))
			}
		}
	})
	if n := doc.Find("style, script:not([src])").Length(); n > 0 {
		t.Errorf("%d inline scripts or style elements", n)
	}
	doc.Find("[src], link[href]").Each(func(_ int, s *goquery.Selection) {
		if path := s.AttrOr("src", s.AttrOr("href", "")); !strings.HasPrefix(path, "/static/") {
			t.Errorf("fetched from elsewhere: %s", viewtest.Outline(s))
		}
	})
}

func idsAreUniqueAndResolve(t *testing.T, doc *goquery.Document) {
	seen := map[string]bool{}
	doc.Find("[id]").Each(func(_ int, s *goquery.Selection) {
		id := s.AttrOr("id", "")
		if seen[id] {
			t.Errorf("id %s stands twice", id)
		}
		seen[id] = true
	})
	for _, name := range []string{"aria-labelledby", "aria-describedby", "for"} {
		doc.Find("[" + name + "]").Each(func(_ int, s *goquery.Selection) {
			for _, id := range strings.Fields(s.AttrOr(name, "")) {
				if !seen[id] {
					t.Errorf("%s=%s leads nowhere", name, id)
				}
			}
		})
	}
	doc.Find("[hx-target]").Each(func(_ int, s *goquery.Selection) {
		if id, found := strings.CutPrefix(s.AttrOr("hx-target", ""), "#"); !found || !seen[id] {
			t.Errorf("swap target of %s is not on the page", viewtest.Outline(s))
		}
	})
}

func controlsHaveNames(t *testing.T, doc *goquery.Document) {
	doc.Find("input:not([type=hidden]), select, textarea").Each(func(_ int, s *goquery.Selection) {
		if label := doc.Find("label[for='" + s.AttrOr("id", "") + "']"); viewtest.Text(label) == "" && s.AttrOr("aria-label", "") == "" {
			t.Errorf("no label: %s", viewtest.Outline(s))
		}
	})
	doc.Find("button, a[href]").Each(func(_ int, s *goquery.Selection) {
		if viewtest.Text(s) == "" && s.AttrOr("aria-label", "") == "" && s.Find("img").AttrOr("alt", "") == "" {
			t.Errorf("no name: %s", viewtest.Outline(s))
		}
	})
	doc.Find("svg").Each(func(_ int, s *goquery.Selection) {
		title := s.ChildrenFiltered("title")
		named := s.AttrOr("role", "") == "img" && title.Text() != "" && s.AttrOr("aria-labelledby", "") == title.AttrOr("id", "none")
		if s.AttrOr("aria-hidden", "") != "true" && !named && s.ParentsFiltered("svg").Length() == 0 {
			t.Errorf("a drawing that is read out without a name: %s", viewtest.Outline(s))
		}
	})
}

// Forms work without htmx. Forms that redirect to Stripe never use it, previews stay here.
func formsWorkWithoutScripts(t *testing.T, doc *goquery.Document) {
	doc.Find("form").Each(func(_ int, s *goquery.Selection) {
		if s.AttrOr("action", "") == "" || s.Find("button[type=submit]").Length() == 0 {
			t.Errorf("does not work alone: %s", viewtest.Outline(s))
		}
	})
	doc.Find("[hx-post]").Each(func(_ int, s *goquery.Selection) {
		if goquery.NodeName(s) != "form" || s.AttrOr("method", "") != "post" || s.AttrOr("hx-post", "") != s.AttrOr("action", "-") {
			t.Errorf("htmx without a form: %s", viewtest.Outline(s))
		}
	})
	doc.Find("form[hx-get]").Each(func(_ int, s *goquery.Selection) {
		if s.AttrOr("method", "") != "get" || s.AttrOr("hx-get", "") != s.AttrOr("action", "-") {
			t.Errorf("htmx without a form: %s", viewtest.Outline(s))
		}
	})
	doc.Find("[hx-put], [hx-delete], [hx-patch], [hx-boost]").Each(func(_ int, s *goquery.Selection) {
		t.Errorf("works with scripts only: %s", viewtest.Outline(s))
	})
	// A disabled button loses the focus to the body. hx-sync refuses the second click without that.
	doc.Find("[hx-disabled-elt]").Each(func(_ int, s *goquery.Selection) {
		t.Errorf("loses the focus: %s", viewtest.Outline(s))
	})
	doc.Find("form[action^='/billing/'][hx-post]:not([action='/billing/preview'])").Each(func(_ int, s *goquery.Selection) {
		t.Errorf("Checkout and portal go through htmx: %s", viewtest.Outline(s))
	})
}

// A page loads htmx and the script for passkeys only if it uses them.
func loadsTheScriptsItUses(t *testing.T, doc *goquery.Document) {
	used := map[string]bool{"htmx.": false, "passkeys.": doc.Find("form[data-passkey]").Length() > 0}
	doc.Find("*").Each(func(_ int, s *goquery.Selection) {
		for _, attribute := range s.Nodes[0].Attr {
			used["htmx."] = used["htmx."] || strings.HasPrefix(attribute.Key, "hx-")
		}
	})
	for script, uses := range used {
		if loads := doc.Find("script[src^='/static/"+script+"']").Length() == 1; loads != uses {
			t.Errorf("%s is loaded: %t, used: %t", script, loads, uses)
		}
	}
}

func formsNameTheirOrganization(t *testing.T, doc *goquery.Document) {
	signedIn := doc.Find("form[action='/logout']").Length() > 0
	doc.Find("form[method=post][action^='/billing/'], form[method=post][action^='/organization']").Each(func(_ int, s *goquery.Selection) {
		if got := s.Find("input[name=organizationId]").AttrOr("value", ""); signedIn != (got != "") {
			t.Errorf("organizationId %q in %s", got, viewtest.Outline(s))
		}
	})
}

func pollingPanelsOwnTheirRoot(t *testing.T, doc *goquery.Document) {
	doc.Find("[hx-get]:not(a):not(form)").Each(func(_ int, s *goquery.Selection) {
		if s.AttrOr("id", "") == "" || s.AttrOr("hx-swap", "") != "outerHTML" || s.AttrOr("tabindex", "") != "-1" {
			t.Errorf("a panel that can't be replaced whole: %s", viewtest.Outline(s))
		}
		trigger := s.AttrOr("hx-trigger", "")
		if !strings.HasPrefix(trigger, "every ") && !strings.HasPrefix(trigger, "load delay:3600000") {
			t.Errorf("hx-trigger %q", trigger)
		}
	})
}

// Links that load in place lead to the same page without htmx. The target of the swap takes the
// focus of the link that it replaces.
func linksWorkWithoutScripts(t *testing.T, doc *goquery.Document) {
	doc.Find("a[hx-get]").Each(func(_ int, s *goquery.Selection) {
		if s.AttrOr("href", "") != s.AttrOr("hx-get", "-") || s.Closest(s.AttrOr("hx-target", "")+"[tabindex='-1']").Length() != 1 {
			t.Errorf("does not work alone, or loses the focus: %s", viewtest.Outline(s))
		}
	})
}

// usesNoJargon checks words. Outgoing webhooks are for programmers, who know them by this name, and
// have pages of their own.
func usesNoJargon(t *testing.T, doc *goquery.Document) {
	if doc.Find("form[action^='/organization/webhooks']").Length() > 0 {
		return
	}
	jargon := regexp.MustCompile(`(?i)!|\b(oops|webhook|proration|quantity|user|users|null|undefined)\b|%!|(?-i:@[A-Z])`)
	if found := jargon.FindString(viewtest.Text(doc.Find("main, header, footer").Clone().Find("noscript").Remove().End())); found != "" {
		t.Errorf("the page says %q", found)
	}
}

// A first visit transfers less than 30 kB: page, style sheet, scripts and icon, gzipped.
func TestFirstVisitStaysSmall(t *testing.T) {
	for _, specimen := range gallery.Specimens() {
		if specimen.Name != "pricing" && specimen.Name != "signup-intent" && specimen.Name != "pricing-three" {
			continue
		}
		total := zipped(t, viewtest.HTML(t, specimen.Page))
		viewtest.Render(t, specimen.Page).Find("link[href], script[src]").Each(func(_ int, s *goquery.Selection) {
			total += served(t, s.AttrOr("href", s.AttrOr("src", "")))
		})
		t.Logf("%s: %d bytes", specimen.Name, total)
		if total >= 30_000 {
			t.Errorf("%s: a first visit takes %d bytes", specimen.Name, total)
		}
	}
}

func zipped(t *testing.T, page string) int {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := io.WriteString(w, page); err != nil {
		t.Fatalf("gzip: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatalf("gzip: %v", err)
	}
	return out.Len()
}

func served(t *testing.T, path string) int {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept-Encoding", "gzip")
	w := httptest.NewRecorder()
	static.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("GET %s: %d", path, w.Code)
	}
	return w.Body.Len()
}

func TestGalleryServesEverySpecimen(t *testing.T) {
	seen := map[string]bool{}
	serve := func(target string) (*httptest.ResponseRecorder, *goquery.Document) {
		w := httptest.NewRecorder()
		gallery.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
		doc, err := goquery.NewDocumentFromReader(w.Body)
		if err != nil {
			t.Fatalf("parse: %v", err)
		}
		return w, doc
	}
	_, index := serve("/dev/ui")
	for _, specimen := range gallery.Specimens() {
		if seen[specimen.Name] {
			t.Errorf("%s stands twice", specimen.Name)
		}
		seen[specimen.Name] = true
		if index.Find("a[href='"+specimen.Href()+"']").Length() != 1 {
			t.Errorf("%s is not in the index", specimen.Name)
		}
		if w, doc := serve(specimen.Href()); w.Code != http.StatusOK || doc.Find("h1").Length() != 1 {
			t.Errorf("%s: %d", specimen.Name, w.Code)
		}
	}
	if w, _ := serve("/dev/ui?show=nothing"); w.Code != http.StatusNotFound {
		t.Errorf("an unknown specimen: %d", w.Code)
	}
}
