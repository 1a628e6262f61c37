package main

import (
	"strings"
	"testing"

	"usher/billing/account/oidc/oidctest"
)

// Without an identity provider nobody could sign in, and half a provider is none.
func TestIdentityProviderIsConfiguredWhole(t *testing.T) {
	whole := func(pairs ...string) environment {
		return with(production(), append([]string{
			"OIDC_ISSUER", "https://accounts.example.com", "OIDC_CLIENT_ID", "usher", "OIDC_CLIENT_SECRET", "a secret of the client",
		}, pairs...)...)
	}
	for name, test := range map[string]struct {
		environment environment
		want        []string // nil: it starts
	}{
		"whole":                    {whole(), nil},
		"without passwords":        {whole("PASSWORD_LOGIN", "off", "SIGNUP", "invite"), nil},
		"loopback":                 {environment{"OIDC_ISSUER": "http://localhost:9000", "OIDC_CLIENT_ID": "a", "OIDC_CLIENT_SECRET": "b"}, nil},
		"passwords off":            {with(production(), "PASSWORD_LOGIN", "off"), []string{"OIDC_ISSUER: unset, but required with PASSWORD_LOGIN=off", "OIDC_CLIENT_ID: unset", "OIDC_CLIENT_SECRET: unset"}},
		"frames":                   {environment{"EMBED_ORIGINS": "https://app.example.com,https://example.com:8443", "HANDOVER_KEY": "lZ0m3Jc5vS8bqR2tYw7xN1dKfPgH4uEoAiT6yCjBkQ8="}, nil},
		"frames without hand-over": {environment{"EMBED_ORIGINS": "https://app.example.com"}, []string{"HANDOVER_KEY: unset, but required with EMBED_ORIGINS"}},
		"frames of any origin":     {environment{"EMBED_ORIGINS": "https://*.example.com"}, []string{"contains a character that no origin has"}},
		"frames without TLS":       {environment{"EMBED_ORIGINS": "http://app.example.com"}, []string{"not https"}},
		"frames of a page":         {environment{"EMBED_ORIGINS": "https://app.example.com/billing"}, []string{"contains more than the origin"}},
		"issuer only":              {environment{"OIDC_ISSUER": "https://accounts.example.com"}, []string{"OIDC_CLIENT_ID: unset, but required with OIDC_ISSUER", "OIDC_CLIENT_SECRET: unset"}},
		"secret only":              {environment{"OIDC_CLIENT_SECRET": "b"}, []string{"OIDC_ISSUER: unset, but required with OIDC_CLIENT_SECRET"}},
		"http":                     {whole("OIDC_ISSUER", "http://accounts.example.com"), []string{`OIDC_ISSUER="http://accounts.example.com": not https`}},
		"http on loopback":         {whole("OIDC_ISSUER", "http://localhost:9000"), []string{"not https"}},
		"metadata":                 {whole("OIDC_ISSUER", "https://a.example/.well-known/openid-configuration"), []string{"the address of the metadata"}},
		"words":                    {environment{"SIGNUP": "closed", "PASSWORD_LOGIN": "no"}, []string{`SIGNUP="closed": unknown value. Set it to open or invite`, `PASSWORD_LOGIN="no": unknown value`}},
		"example":                  {whole("OIDC_CLIENT_SECRET", "a secret…"), []string{"OIDC_CLIENT_SECRET=…: an unchanged example"}},
	} {
		_, _, err := loadServeConfig(test.environment.get, noFile(t))
		switch {
		case (err != nil) != (test.want != nil):
			t.Errorf("%s: %v", name, err)
		case err != nil && strings.Contains(err.Error(), "a secret"):
			t.Errorf("%s: the error shows the secret: %v", name, err)
		}
		for _, want := range test.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is not in: %v", name, want, err)
			}
		}
	}
}

func TestDoctorChecksTheIdentityProvider(t *testing.T) {
	provider := oidctest.New(t)
	config, _, err := loadServeConfig(environment{"OIDC_ISSUER": provider.URL, "OIDC_CLIENT_ID": "a", "OIDC_CLIENT_SECRET": "b", "PASSWORD_LOGIN": "off"}.get, noFile(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, away := range []bool{false, true} {
		provider.Away(away)
		d := &doctor{config: config}
		d.checkIdentityProvider(t.Context())
		if len(d.findings) != 1 || d.findings[0].OK == away {
			t.Errorf("away %t: %+v", away, d.findings)
		}
		if !away && !strings.Contains(d.findings[0].Found, "and no passwords; it has to know the redirect URI http://localhost:4312/login/oidc/callback") {
			t.Errorf("found %q", d.findings[0].Found)
		}
	}
}
