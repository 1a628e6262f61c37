package account

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
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
	key, err := ps.derive(ctx, password, salt, ps.memory, hashTime, hashThreads)
	if err != nil {
		return "", err
	}
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, ps.memory, hashTime, hashThreads, encode(salt), encode(key)), nil
}

// matches reports whether the password matches the PHC string, with a constant-time comparison.
// Error: CodeForbidden if passwords are off.
func (ps *Passwords) matches(ctx context.Context, password, phc string) (bool, error) {
	if err := ps.policy.requirePasswords(); err != nil {
		return false, err
	}
	stored, err := parseHash(phc)
	if err != nil {
		return false, fmt.Errorf("check password: %w", err)
	}
	got, err := ps.derive(ctx, password, stored.salt, stored.memory, stored.passes, stored.threads)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, stored.key) == 1, nil
}

// storedHash is a parsed PHC string.
type storedHash struct {
	version        int
	memory, passes uint32
	threads        uint8
	salt, key      []byte
}

func parseHash(phc string) (h storedHash, err error) {
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return h, errors.New("not an argon2id string")
	}
	if _, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=%d", &h.version, &h.memory, &h.passes, &h.threads); err != nil {
		return h, err
	}
	if h.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return h, err
	}
	h.key, err = base64.RawStdEncoding.DecodeString(parts[5])
	return h, err
}

// isOutdated reports whether a PHC string has weaker parameters than today's. Stronger ones stay,
// so that programs of two releases do not replace each other's hashes.
func (ps *Passwords) isOutdated(phc string) bool {
	stored, err := parseHash(phc)
	return err == nil && (stored.version < argon2.Version || stored.memory < ps.memory || stored.passes < hashTime || len(stored.key) < hashLength)
}

// rehash stores a user's password under today's parameters if its hash has weaker ones. It is known
// only while the user logs in. A failure is logged and the next log-in tries again.
func (us *Users) rehash(ctx context.Context, user User, password string) {
	if !us.passwords.isOutdated(user.PasswordHash) {
		return
	}
	hash, err := us.passwords.hash(ctx, password)
	if err == nil {
		err = us.store.Users().ReplaceHash(ctx, user.ID, user.PasswordHash, hash)
	}
	if err != nil {
		us.Log.WarnContext(ctx, "password rehash failed", "user_id", user.ID, "err", err)
	}
}

// derive hashes when the queue admits it. Error: CodeUnavailable if that is not in time.
func (ps *Passwords) derive(ctx context.Context, password string, salt []byte, memory, passes uint32, threads uint8) ([]byte, error) {
	if err := ps.queue.enter(ctx); err != nil {
		return nil, err
	}
	defer ps.queue.leave()
	return argon2.IDKey([]byte(password), salt, passes, memory, threads, hashLength), nil
}

// dummyHash is verified for an unknown address, so that the response time does not reveal which
// addresses have an account.
const dummyHash = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// noPassword is stored for people without a password. It parses as a hash, also for the previous
// release, and no password has it.
const noPassword = dummyHash

// HasPassword reports whether a password can be right.
func (u User) HasPassword() bool { return u.PasswordHash != "" && u.PasswordHash != noPassword }

// Messages about a new password: what is wrong and what to do.
const (
	messagePasswordBlank   = "Please choose a password that isn't only spaces."
	messagePasswordCommon  = "This password is one of the first that attackers try. Please choose another: a few unrelated words make a good one."
	messagePasswordPattern = "This password only repeats or counts. Please choose another: a few unrelated words make a good one."
	messagePasswordContext = "This password is made of your name, your e-mail address, your organization or the name of this product, " +
		"and easy to guess. Please choose another: a few unrelated words make a good one."
)

// checkNew returns CodeUnprocessable with the field password for a password that is too short or
// too long, or easy to guess for whoever knows the person. There are no rules about the kinds of
// characters (OWASP ASVS 5.0, 6.2.1 to 6.2.11).
func (ps *Passwords) checkNew(password string, about passwordContext) error {
	length := utf8.RuneCountInString(password)
	switch {
	case length > 0 && strings.IndexFunc(password, isVisible) < 0:
		return apperr.FieldError("password", messagePasswordBlank)
	case length < minPasswordLength:
		return apperr.FieldError("password", "Please choose a password of at least %d characters.", minPasswordLength)
	case length > maxPasswordLength:
		return apperr.FieldError("password", "Please choose a password of at most %d characters. This one has %d.", maxPasswordLength, length)
	}
	return ps.checkGuessable(foldPassword(password), about)
}

// isVisible reports whether a character can be seen: it is no space and does not only direct the
// display.
func isVisible(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }

func (ps *Passwords) checkGuessable(folded string, about passwordContext) error {
	common, err := isCommon(folded)
	switch {
	case err != nil:
		return err
	case common:
		return apperr.FieldError("password", messagePasswordCommon)
	case isPattern(folded):
		return apperr.FieldError("password", messagePasswordPattern)
	case isMadeOf(folded, about.words(ps.product)):
		return apperr.FieldError("password", messagePasswordContext)
	}
	return nil
}
