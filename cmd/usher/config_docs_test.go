package main

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/joho/godotenv"
)

func TestVariablesAreDocumented(t *testing.T) {
	read := variablesRead(t)
	places := map[string]*regexp.Regexp{
		"docs/configuration.md": regexp.MustCompile("(?m)^\\| `([A-Z0-9_]+)` \\|"),
		".env.example":          regexp.MustCompile(`(?m)^# .*\n# ([A-Z0-9_]+)=`),
	}
	for name, pattern := range places {
		var documented []string
		for _, match := range pattern.FindAllStringSubmatch(readRepositoryFile(t, name), -1) {
			documented = append(documented, match[1])
		}
		if slices.Sort(documented); !slices.Equal(documented, read) {
			t.Errorf("%s documents\n%v\nbut the program reads\n%v", name, documented, read)
		}
	}
}

// variablesRead returns the sorted names of the variables that loadConfig reads.
func variablesRead(t *testing.T) []string {
	t.Helper()
	read := map[string]bool{}
	getenv := func(name string) string { read[name] = true; return "" }
	if _, err := loadConfig(getenv, noFile(t)); err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(read))
}

// TestEnvExampleShowsTheDefaults activates every line of .env.example, which must change nothing.
func TestEnvExampleShowsTheDefaults(t *testing.T) {
	text := readRepositoryFile(t, ".env.example")
	active := regexp.MustCompile(`(?m)^# ([A-Z0-9_]+=)`).ReplaceAllString(text, "$1")
	want, err := loadConfig(environment{}.get, noFile(t))
	if err != nil {
		t.Fatal(err)
	}
	got, err := loadConfig(environment{}.get, writeFile(t, active))
	if err != nil {
		t.Fatal(err)
	}
	set := slices.Sorted(maps.Keys(got.set))
	if got.set, want.set = nil, nil; !reflect.DeepEqual(got, want) {
		t.Errorf("with .env.example the configuration is\n%+v\nwant the defaults\n%+v", got, want)
	}
	values, err := godotenv.Unmarshal(active)
	if err != nil {
		t.Fatal(err)
	}
	unset := slices.DeleteFunc(slices.Sorted(maps.Keys(values)), func(name string) bool {
		return slices.Contains(set, name)
	})
	// APP_ENV has a default, but is never read from the file.
	withoutDefault := []string{
		"APP_ENV", "BRAND_COLOR", "BRAND_LOGO", "BRAND_NAME", "DATABASE_URL", "EMBED_ORIGINS", "HANDOVER_KEY", "METRICS_TOKEN", "MIGRATE_DATABASE_URL", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "OIDC_ISSUER", "OPERATOR_EMAILS", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS", "PLANS_FILE", "PRIVACY_URL", "READ_DATABASE_URL", "SECRETS_KEY", "SMTP_URL",
		"STRIPE_API_BASE", "STRIPE_PRICE_ID", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "SUPPORT_URL", "TERMS_URL", "TRUSTED_PROXIES",
	}
	if !slices.Equal(unset, withoutDefault) {
		t.Errorf(".env.example shows no default for %v, want %v", unset, withoutDefault)
	}
}

// TestComposePassesEveryVariable compares compose.yaml with the variables that are read. The others
// make no sense there: the image sets the first two, production has no local Stripe and no demo.
func TestComposePassesEveryVariable(t *testing.T) {
	elsewhere := []string{"ADDR", "APP_ENV", "DATA_DIR", "DEMO_HISTORY", "MIGRATE_DATABASE_URL", "READ_DATABASE_URL", "STRIPE_API_BASE"}
	var passed []string
	for _, match := range regexp.MustCompile(`(?m)^      ([A-Z0-9_]+): `).FindAllStringSubmatch(readRepositoryFile(t, "compose.yaml"), -1) {
		passed = append(passed, match[1])
	}
	passed = slices.DeleteFunc(passed, func(name string) bool { return strings.HasPrefix(name, "POSTGRES_") })
	want := slices.DeleteFunc(variablesRead(t), func(name string) bool { return slices.Contains(elsewhere, name) })
	slices.Sort(passed)
	if !slices.Equal(passed, want) {
		t.Errorf("compose.yaml passes %v, want %v", passed, want)
	}
}

func readRepositoryFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
