package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const plainSVG = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9z"/></svg>`

func TestBrand(t *testing.T) {
	logo := filepath.Join(t.TempDir(), "logo.svg")
	if err := os.WriteFile(logo, []byte(plainSVG), 0o600); err != nil {
		t.Fatal(err)
	}
	config, _, err := loadServeConfig(environment{
		"BRAND_NAME": "Lantern & Co", "BRAND_COLOR": "#0b5fff, #9bbcff", "BRAND_LOGO": logo, "SUPPORT_URL": "mailto:help@lantern.example",
		"TERMS_URL": "https://lantern.example/terms", "PRIVACY_URL": "https://lantern.example/privacy",
	}.get, noFile(t))
	if err != nil {
		t.Fatal(err)
	}
	b, assets, err := config.brandWithFiles()
	if err != nil || len(assets) != 2 || b.StyleSheet != assets[0].URL() || b.Logo != assets[1].URL() || b.LogoType != "image/svg+xml; charset=utf-8" {
		t.Errorf("brand %+v, %d assets, %v", b, len(assets), err)
	}
	if config.MailFrom.Name != "Lantern & Co" || b.DisplayName() != "Lantern & Co" {
		t.Errorf("sender %q, name %q", config.MailFrom.Name, b.DisplayName())
	}
	remote, _, err := loadServeConfig(environment{"BRAND_LOGO": "https://cdn.lantern.example/logo.png"}.get, noFile(t))
	if err != nil {
		t.Fatal(err)
	}
	if b, assets, err := remote.brandWithFiles(); err != nil || len(assets) != 0 || b.Logo != "https://cdn.lantern.example/logo.png" {
		t.Errorf("brand %+v, %d assets, %v", b, len(assets), err)
	}
}

func TestBrandIsRefused(t *testing.T) {
	folder := t.TempDir()
	script, large := filepath.Join(folder, "script.svg"), filepath.Join(folder, "large.png")
	if err := os.WriteFile(script, []byte(strings.Replace(plainSVG, "<path", "<script/><path", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(large, make([]byte, 300<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, value, want string }{
		{"BRAND_NAME", "Lantern\r\nBcc: eve@evil.example", "contains a line break"},
		{"BRAND_NAME", strings.Repeat("a", 61), "longer than 60 characters"},
		{"BRAND_COLOR", "red", "not a color such as #0b5fff"},
		{"BRAND_COLOR", "#ff8800", "#ff8800 has a contrast of 2.10:1 as text on #e8f3ec (good-wash) in the light theme"},
		{"BRAND_COLOR", "#0b5fff,#0b5fff", "in the dark theme, and needs 4.5:1; the nearest shade that passes is #"},
		{"BRAND_LOGO", filepath.Join(folder, "none.png"), "no such file"},
		{"BRAND_LOGO", script, "an SVG with the element script"},
		{"BRAND_LOGO", large, "larger than 200 kB"},
		{"BRAND_LOGO", folder, "is a directory"},
		{"BRAND_LOGO", "http://cdn.example/logo.png", "not https"},
		{"BRAND_LOGO", "https://cdn.example/a;script-src", "contains a character"},
		{"BRAND_LOGO", "javascript://x", "not an absolute http or https URL"},
		{"SUPPORT_URL", "javascript:alert(1)", "not an absolute http or https URL"},
		{"SUPPORT_URL", "mailto:help@lantern.example?bcc=eve@evil.example", "not a plain e-mail address"},
		{"TERMS_URL", "/terms", "not an absolute http or https URL"},
		{"PRIVACY_URL", "https://ana:secret@lantern.example", "contains a user name"},
		{"TERMS_URL", "https://lantern.example/" + strings.Repeat("a", 400), "longer than 400 characters"},
	} {
		_, _, err := loadServeConfig(environment{c.name: c.value}.get, noFile(t))
		if err == nil || !strings.HasPrefix(err.Error(), c.name+"=") || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s=%q: %v, want one line with %q", c.name, c.value, err, c.want)
		}
	}
	if _, _, err := loadServeConfig(environment{"APP_ENV": "production", "TERMS_URL": "http://lantern.example"}.get, noFile(t)); err == nil || !strings.Contains(err.Error(), "not https, which production requires") {
		t.Errorf("http in production: %v", err)
	}
}
