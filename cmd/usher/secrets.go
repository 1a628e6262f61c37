package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"usher/billing"
	"usher/billing/secrets"
	"usher/billing/webhook"
)

// secretsKeyFile holds the key of a development machine.
func secretsKeyFile(c Config) string { return filepath.Join(c.DataDir, "secrets.key") }

// keyring returns the keys of SECRETS_KEY. In development a random key is made once and kept in
// DATA_DIR. A subcommand in production may run without keys; what needs one then returns
// [secrets.ErrNoKey].
func (c Config) keyring() (*secrets.Keyring, error) {
	if len(c.SecretsKeys) > 0 || c.Production {
		return secrets.NewKeyring(c.SecretsKeys...), nil
	}
	file := secretsKeyFile(c)
	err := createSecretsKey(file)
	var text []byte
	if err == nil {
		text, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, fmt.Errorf("keep a key in DATA_DIR: %w. Set SECRETS_KEY, or make DATA_DIR writable", err)
	}
	key, err := secrets.ParseKey(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w. Set SECRETS_KEY; if the key is lost, remove the file and set up "+
			"two-step verification again", file, err)
	}
	return secrets.NewKeyring(key), nil
}

// createSecretsKey writes a random key unless the file exists. The file appears complete: a link
// fails if another process was first.
func createSecretsKey(file string) error {
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(file), "secrets.key.*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = fmt.Fprintln(temporary, newSecretsKey())
	if err = errors.Join(err, temporary.Close()); err != nil {
		return err
	}
	if err := os.Link(temporary.Name(), file); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// newSecretsKey returns a random key as SECRETS_KEY has it.
func newSecretsKey() string {
	var key secrets.Key
	rand.Read(key[:])
	return base64.StdEncoding.EncodeToString(key[:])
}

// runSecrets seals stored secrets again with the newest key.
func runSecrets(ctx context.Context, inv *invocation) error {
	inv.jsonFlag()
	args, err := inv.parse()
	if err != nil {
		return err
	}
	if len(args) != 1 || args[0] != "reseal" {
		return usageError("takes reseal")
	}
	return withService(ctx, inv, func(service *billing.Service) error {
		result, err := service.SecondFactors.Reseal(ctx)
		var webhooks webhook.ResealResult
		if err == nil {
			webhooks, err = service.Webhooks.Reseal(ctx)
		}
		if errors.Is(err, secrets.ErrNoKey) {
			return fmt.Errorf("SECRETS_KEY: unset, but required here. %s", remedies["SECRETS_KEY"])
		}
		if err != nil {
			return err
		}
		if err := inv.print(resealView{result.Resealed + webhooks.Resealed, result.Unreadable + webhooks.Unreadable},
			fmt.Sprintf("%d sealed again with the newest key\n", result.Resealed+webhooks.Resealed)); err != nil {
			return err
		}
		if result.Unreadable > 0 {
			return fmt.Errorf("%d are sealed with a key that SECRETS_KEY does not have: add the former key after "+
				"the newest one and repeat, or reset those people with `usher user reset-2fa`", result.Unreadable)
		}
		if webhooks.Unreadable > 0 {
			return fmt.Errorf("the signing secrets of %d webhooks are sealed with a key that SECRETS_KEY does not have: add the "+
				"former key after the newest one and repeat, or have their admins replace the secrets", webhooks.Unreadable)
		}
		return nil
	})
}

// resealView is the output of --json.
type resealView struct {
	Resealed   int `json:"resealed"`
	Unreadable int `json:"unreadable"`
}
