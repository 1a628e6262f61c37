package account

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"usher/billing/apperr"
)

// argon2id parameters: 19 MiB, two passes, one lane, the minimum of OWASP's Password Storage Cheat
// Sheet.
const (
	hashMemory  = 19 * 1024 // KiB
	hashTime    = 2
	hashThreads = 1
	hashLength  = 32
	saltLength  = 16
)

// hash returns the PHC string of a password.
func (ps *Passwords) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltLength)
	if _, err := io.ReadFull(ps.Rand, salt); err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	key, err := ps.derive(ctx, password, salt, hashMemory, hashTime, hashThreads)
	if err != nil {
		return "", err
	}
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, hashMemory, hashTime, hashThreads, encode(salt), encode(key)), nil
}

// matches reports whether the password matches the PHC string, with a constant-time comparison.
func (ps *Passwords) matches(ctx context.Context, password, phc string) (bool, error) {
	var version int
	var memory, passes uint32
	var threads uint8
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, fmt.Errorf("check password: not an argon2id string")
	}
	if _, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=%d", &version, &memory, &passes, &threads); err != nil {
		return false, fmt.Errorf("check password: %w", err)
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false, fmt.Errorf("check password: %w", err)
	}
	expected, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil {
		return false, fmt.Errorf("check password: %w", err)
	}
	got, err := ps.derive(ctx, password, salt, memory, passes, threads)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, expected) == 1, nil
}

// hashWait is how long a password waits for its turn. Behind a flood of log-ins it would wait until
// its request ends; the answer that there is too much to do comes before.
const (
	hashWait       = 2 * time.Second
	hashRetryAfter = 5 * time.Second
)

// derive hashes within a bounded number of concurrent hashes, since each uses 19 MiB. Error:
// CodeUnavailable if none of them is free in time.
func (ps *Passwords) derive(ctx context.Context, password string, salt []byte, memory, passes uint32, threads uint8) ([]byte, error) {
	full := time.NewTimer(hashWait)
	defer full.Stop()
	select {
	case ps.slots <- struct{}{}:
		defer func() { <-ps.slots }()
	case <-full.C:
		return nil, &apperr.Error{
			Code: apperr.CodeUnavailable, RetryAfter: hashRetryAfter, Message: "Very many people are signing in right now. Please try again in a moment.",
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return argon2.IDKey([]byte(password), salt, passes, memory, threads, hashLength), nil
}

// dummyHash is verified for an unknown address, so that the response time does not reveal which
// addresses have an account.
const dummyHash = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// checkNewPassword returns CodeUnprocessable for a password that is too short or too long.
func checkNewPassword(password string) error {
	switch {
	case utf8.RuneCountInString(password) < minPasswordLength:
		return apperr.FieldError("password", "Please choose a password of at least %d characters.", minPasswordLength)
	case len(password) > maxPasswordLength:
		return apperr.FieldError("password", "Please choose a shorter password: %d letters are the most.", maxPasswordLength)
	}
	return nil
}
