package account

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"usher/billing/apperr"
)

// LoginDevice is a browser that a person has logged in with. Its cookie holds a secret; only the
// hash is stored. It gives no access: it counts failed log-ins apart from those of strangers, so
// that these cannot lock its owner out (OWASP: Slow Down Online Guessing Attacks with Device
// Cookies).
type LoginDevice struct {
	Hash      []byte    `db:"token_hash"` // SHA-256 of the secret
	UserID    string    `db:"user_id"`
	ExpiresAt time.Time `db:"expires_at"`
}

// LoginDeviceLifetime is how long a browser is known after its last log-in.
const LoginDeviceLifetime = 365 * 24 * time.Hour

// Limits of what is stored. A cookie holds a secret for each of the accounts that people use in one
// browser; an account remembers its newest browsers.
const (
	maxSecretsOfCookie = 4
	maxDevicesOfUser   = 20
	loginSecretLength  = 43 // 256 bits in base64
)

// Known returns the id of a browser by its cookie, if the account of an address was logged in to
// with it; empty otherwise. The id is for [RateLimits].
func (ld *LoginDevices) Known(ctx context.Context, cookie, email string) (string, error) {
	device, known, err := ld.find(ctx, cookie, email)
	if err != nil || !known {
		return "", err
	}
	return hex.EncodeToString(device.Hash), nil
}

func (ld *LoginDevices) find(ctx context.Context, cookie, email string) (LoginDevice, bool, error) {
	var hashes [][]byte
	for _, secret := range secretsOf(cookie) {
		hashes = append(hashes, hashToken(secret))
	}
	if len(hashes) == 0 {
		return LoginDevice{}, false, nil
	}
	device, known, err := apperr.Found(ld.store.LoginDevices().ByEmail(ctx, hashes, strings.TrimSpace(email), ld.Wall()))
	if err != nil {
		return device, false, fmt.Errorf("find log-in device: %w", err)
	}
	return device, known, nil
}

// secretsOf returns the secrets of a cookie. The cookie is the browser's, so it may hold anything.
func secretsOf(cookie string) []string {
	var secrets []string
	for secret := range strings.SplitSeq(cookie, ".") {
		if len(secret) == loginSecretLength && len(secrets) < maxSecretsOfCookie {
			secrets = append(secrets, secret)
		}
	}
	return secrets
}

// Remember makes the browser with a cookie a known one of a user, who has just proved to be the
// owner of the account. It returns the cookie's new value. A secret that the account does not know
// is never adopted: somebody else may have set it.
func (ld *LoginDevices) Remember(ctx context.Context, cookie string, user User) (string, error) {
	device, known, err := ld.find(ctx, cookie, user.Email)
	if err != nil {
		return "", err
	}
	expiresAt := ld.Wall().Add(LoginDeviceLifetime)
	if known {
		if err := ld.store.LoginDevices().Extend(ctx, device.Hash, expiresAt); err != nil {
			return "", fmt.Errorf("extend log-in device: %w", err)
		}
		return cookie, nil
	}
	secret := newToken(ld.Rand)
	err = ld.store.InTx(ctx, func(tx Tx) error {
		if err := tx.LoginDevices().Insert(ctx, LoginDevice{Hash: hashToken(secret), UserID: user.ID, ExpiresAt: expiresAt}); err != nil {
			return err
		}
		return tx.LoginDevices().Keep(ctx, user.ID, maxDevicesOfUser)
	})
	if err != nil {
		return "", fmt.Errorf("insert log-in device: %w", err)
	}
	secrets := append([]string{secret}, secretsOf(cookie)...)
	return strings.Join(secrets[:min(len(secrets), maxSecretsOfCookie)], "."), nil
}

// Prune deletes browsers that were not used for [LoginDeviceLifetime].
func (ld *LoginDevices) Prune(ctx context.Context) error {
	return ld.store.LoginDevices().Prune(ctx, ld.Wall())
}
