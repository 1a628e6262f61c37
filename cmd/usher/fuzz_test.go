package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzEnvFile checks that a .env of any bytes is read or refused with a message.
func FuzzEnvFile(f *testing.F) {
	for _, text := range []string{"ADDR=:1\n", "export A=b # c", "A='x\ny'", "A=\"${B}\"", "=", "A", "\xff\x00=\r", "APP_ENV=production", "DATABASE_URL=postgres://[", "LOG_LEVEL=\\"} {
		f.Add(text)
	}
	file := filepath.Join(f.TempDir(), ".env")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		config, err := loadConfig(environment{}.get, file)
		if config.Production || config.BaseURL == nil || err != nil && err.Error() == "" {
			t.Errorf("%+v, %v", config, err)
		}
	})
}

// FuzzSecretsAreMasked checks that no message about an invalid secret shows it.
func FuzzSecretsAreMasked(f *testing.F) {
	const canary = "c4n4ry-of-a-secret"
	for _, before := range []string{"", "sk_live_", "whsec_", "postgres://u:", "smtp://u:", "smtp://u@", "sk_test_x@", "\x00", "a=b://", "%zz"} {
		f.Add(before, " @h")
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		for name := range secretVariables {
			_, err := loadConfig(environment{name: before + canary + after}.get, "")
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
