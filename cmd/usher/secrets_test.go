package main

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"usher/billing/secrets"
)

// In development a key is made once, also by processes that start at the same time.
func TestKeyIsKeptInDataDir(t *testing.T) {
	c := Config{DataDir: filepath.Join(t.TempDir(), "data")}
	var group sync.WaitGroup
	keyrings := make([]*secrets.Keyring, 8)
	for i := range keyrings {
		group.Go(func() {
			var err error
			if keyrings[i], err = c.keyring(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	sealed, err := keyrings[0].Seal([]byte("v"), "test", "me")
	if err != nil {
		t.Fatal(err)
	}
	for _, keyring := range keyrings {
		if value, _, err := keyring.Open(sealed, "test", "me"); string(value) != "v" || err != nil {
			t.Errorf("opened %q, %v", value, err)
		}
	}
	files, _ := filepath.Glob(filepath.Join(c.DataDir, "*"))
	info, err := os.Stat(secretsKeyFile(c))
	if err != nil || info.Mode().Perm() != 0o600 || len(files) != 1 {
		t.Errorf("mode %v, files %v, %v", info.Mode(), files, err)
	}
	if err := os.WriteFile(secretsKeyFile(c), []byte("broken\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.keyring(); err == nil || !strings.Contains(err.Error(), "Set SECRETS_KEY") {
		t.Errorf("a broken file: %v", err)
	}
}

// In production no key is made: without SECRETS_KEY nothing is sealed.
func TestNoKeyIsMadeInProduction(t *testing.T) {
	c := Config{Production: true, DataDir: t.TempDir()}
	keyring, err := c.keyring()
	if err != nil || keyring.Prefix() != nil {
		t.Errorf("prefix %x, %v", keyring.Prefix(), err)
	}
	if _, err := os.Stat(secretsKeyFile(c)); err == nil {
		t.Error("a key was written")
	}
}

func TestSecretsKeyIsMasked(t *testing.T) {
	_, err := loadConfig(environment{"SECRETS_KEY": testSecretsKey[:40]}.get, noFile(t))
	if err == nil || strings.Contains(err.Error(), testSecretsKey[:8]) || !strings.Contains(err.Error(), "openssl rand -base64 32") {
		t.Errorf("the error is %v", err)
	}
}
