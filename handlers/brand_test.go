package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"usher/static"
	"usher/views/brand"
)

// withBrand gives the site a brand with a hostile name, a style sheet and a logo.
func withBrand(b brand.Brand, assets ...static.Asset) func(*testEnv) {
	return func(h *testEnv) { h.brand, h.assets = b, assets }
}

const hostileName = `<script>alert(1)</script>"'&`

func TestBrandOnPages(t *testing.T) {
	sheet := static.New("brand.css", []byte(":root{--velvet:#0b5fff}"))
	h := newTestEnv(t, withBrand(brand.Brand{
		Name: hostileName, StyleSheet: sheet.URL(), SupportURL: "mailto:help@lantern.example", TermsURL: "https://lantern.example/terms", PrivacyURL: "https://lantern.example/privacy",
	}, sheet))
	b := h.signIn("admin")
	for _, path := range []string{"/pricing", "/dashboard", "/organization?tab=billing", "/settings/security", "/none"} {
		page := b.get(path)
		title := page.doc().Find("head > title").Text()
		if !strings.HasSuffix(title, " · "+hostileName) {
			t.Errorf("%s: title %q", path, title)
		}
		if strings.Contains(page.body, "<script>alert") || strings.Contains(page.body, "Usher") {
			t.Errorf("%s: the name is not escaped, or Usher is named", path)
		}
		if got := page.doc().Find("header bdi").First().Text(); got != hostileName {
			t.Errorf("%s: the header has %q", path, got)
		}
		for _, link := range []string{"mailto:help@lantern.example", "https://lantern.example/terms", "https://lantern.example/privacy"} {
			if page.doc().Find("footer a[href='"+link+"']").Length() != 1 {
				t.Errorf("%s: no link to %s", path, link)
			}
		}
		if page.doc().Find("head link[href='"+sheet.URL()+"']").Length() != 1 || strings.Contains(page.body, " style=") {
			t.Errorf("%s: no style sheet, or inline styles", path)
		}
	}
	if css := b.get(sheet.URL()).wantStatus(http.StatusOK); !strings.Contains(css.body, "#0b5fff") || !strings.Contains(css.header.Get("Cache-Control"), "immutable") {
		t.Errorf("style sheet: %v %s", css.header, css.body)
	}
}

func TestLogoOnPages(t *testing.T) {
	const logo = "https://cdn.lantern.example/logo.svg?v=2"
	h := newTestEnv(t, withBrand(brand.Brand{Name: "Lantern", Logo: logo}))
	page := h.newBrowser().get("/pricing")
	picture := page.doc().Find("header img")
	if alt, _ := picture.Attr("alt"); alt != "Lantern" || picture.Length() != 1 {
		t.Errorf("the picture says %q", alt)
	}
	policy := page.header.Get("Content-Security-Policy")
	if !strings.HasSuffix(policy, "; img-src 'self' https://cdn.lantern.example/logo.svg") {
		t.Errorf("policy %q", policy)
	}
	if icon, _ := page.doc().Find("link[rel=icon]").Attr("href"); icon != logo {
		t.Errorf("icon %q", icon)
	}
}

// Without a brand the policy and the pages stay as they were.
func TestNoBrand(t *testing.T) {
	for logo, want := range map[string]string{
		"": "", "/static/logo.0123.svg": "", "https://a.example/x;script-src *": "", "https://a.example/l.png": "; img-src 'self' https://a.example/l.png",
	} {
		if got := imageSource(logo); got != want {
			t.Errorf("%q: %q, want %q", logo, got, want)
		}
	}
	h := newTestEnv(t)
	page := h.newBrowser().get("/pricing")
	for _, want := range []string{" · Usher</title>", "Usher shows people to their seats."} {
		if !strings.Contains(page.body, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	if strings.Contains(page.header.Get("Content-Security-Policy"), "img-src") {
		t.Error("the policy names pictures")
	}
}

// Checkout links to support, and to the terms where the plan file asks for consent.
func TestBrandAtCheckout(t *testing.T) {
	h := newTestEnv(t, withBrand(brand.Brand{SupportURL: "https://lantern.example/help(1)", TermsURL: "https://lantern.example/terms"}))
	b := h.signIn("admin")
	checkout := b.post("/billing/checkout", url.Values{"plan": {"pro"}, "interval": {"month"}}).wantStatus(http.StatusSeeOther)
	page := h.newBrowser().get(checkout.header.Get("Location")).wantStatus(http.StatusOK)
	if !strings.Contains(page.body, "Questions? Contact support.") {
		t.Errorf("Checkout has no link to support:\n%s", page.body)
	}
}
