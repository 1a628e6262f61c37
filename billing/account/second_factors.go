package account

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"usher/billing/apperr"
	"usher/billing/mail"
	"usher/billing/secrets"
)

// SecondFactors sets two-step verification up, checks the second step of a log-in, and issues
// recovery codes.
type SecondFactors struct {
	*base
	passwords *Passwords
	outbox    *mail.Outbox
	keyring   *secrets.Keyring
	baseURL   string
	issuer    string // names this installation in the app
}

// What seeds are sealed for, see [secrets.Keyring.Seal]. One that is being set up is no seed of
// the account yet.
const (
	seedPurpose  = "totp seed"
	setupPurpose = "totp setup"
)

// Messages about the second step.
const (
	MessageSecondFactorOn  = "Two-step verification is on already."
	MessageSecondFactorOff = "Two-step verification is off."
	messageWrongCode       = "This code doesn't match, or was used already. Please type the next one that your app shows."
	messageWrongRecovery   = "This is not one of your unused recovery codes."
)

// SecondFactorStatus is what a person sees of their authenticator app and recovery codes.
type SecondFactorStatus struct {
	Since     time.Time // of the app; zero: there is none
	CodesLeft int       // unused recovery codes
}

// Status returns the state of a user's authenticator app and recovery codes.
func (sf *SecondFactors) Status(ctx context.Context, userID string) (SecondFactorStatus, error) {
	factor, _, err := apperr.Found(sf.store.SecondFactors().Get(ctx, userID))
	if err != nil {
		return SecondFactorStatus{}, err
	}
	left, err := sf.store.SecondFactors().CountCodes(ctx, userID)
	return SecondFactorStatus{Since: factor.ConfirmedAt, CodesLeft: left}, err
}

// Begin returns a sealed seed for an authenticator app. The caller keeps it, in the session for
// example, until [SecondFactors.Confirm]: nothing is stored here before. Errors: CodeUnprocessable
// with the field password; CodeConflict if there is an app already.
func (sf *SecondFactors) Begin(ctx context.Context, userID, password string) (sealed string, err error) {
	if _, err := sf.authenticate(ctx, userID, password); err != nil {
		return "", err
	}
	if err := requireNoApp(ctx, sf.store, userID); err != nil {
		return "", err
	}
	seed := make([]byte, seedLength)
	if _, err := io.ReadFull(sf.Rand, seed); err != nil {
		return "", fmt.Errorf("set up second factor: %w", err)
	}
	box, err := sf.keyring.Seal(seed, setupPurpose, userID)
	if err != nil {
		return "", fmt.Errorf("set up second factor: %w", err)
	}
	return base64.RawStdEncoding.EncodeToString(box), nil
}

// requireNoApp returns CodeConflict if the user has an authenticator app.
func requireNoApp(ctx context.Context, tx Tx, userID string) error {
	_, found, err := apperr.Found(tx.SecondFactors().Get(ctx, userID))
	if err == nil && found {
		return apperr.Errorf(apperr.CodeConflict, MessageSecondFactorOn)
	}
	return err
}

// authenticate returns the user if the password is theirs. Error: CodeUnprocessable with the field
// password.
func (sf *SecondFactors) authenticate(ctx context.Context, userID, password string) (User, error) {
	user, err := sf.store.Users().Get(ctx, userID)
	if err != nil {
		return user, fmt.Errorf("check password: %w", err)
	}
	fits, err := sf.passwords.authenticates(ctx, user, password)
	if err != nil {
		return user, err
	}
	if !fits {
		return user, apperr.FieldError("password", "This is not your password.")
	}
	return user, nil
}

// SecondFactorSetup is what an authenticator app needs.
type SecondFactorSetup struct {
	Key string // the seed in base32, to type
	URL string // otpauth://…, for a QR code
}

// Setup opens a seed of [SecondFactors.Begin]. Error: CodeNotFound if it was not sealed for this
// user, or its key is gone.
func (sf *SecondFactors) Setup(ctx context.Context, userID, sealed string) (SecondFactorSetup, error) {
	user, err := sf.store.Users().Get(ctx, userID)
	if err != nil {
		return SecondFactorSetup{}, fmt.Errorf("read set-up: %w", err)
	}
	seed, err := sf.openSetup(userID, sealed)
	if err != nil {
		return SecondFactorSetup{}, err
	}
	address, err := totpURL(seed, sf.issuer, user.Email)
	return SecondFactorSetup{Key: encodeSeed(seed), URL: address}, err
}

func (sf *SecondFactors) openSetup(userID, sealed string) ([]byte, error) {
	box, err := base64.RawStdEncoding.DecodeString(sealed)
	if err != nil {
		return nil, apperr.ErrNotFound
	}
	seed, _, err := sf.keyring.Open(box, setupPurpose, userID)
	if err != nil {
		return nil, &apperr.Error{Code: apperr.CodeNotFound, Message: apperr.ErrNotFound.Message, Err: err}
	}
	return seed, nil
}

// siteName names an installation in authenticators. A colon would end the name in an otpauth URL,
// so it has none.
func siteName(product, baseURL string) string {
	product = strings.ReplaceAll(cmp.Or(product, "Usher"), ":", ".")
	if base, err := url.Parse(baseURL); err == nil && base.Hostname() != "" {
		return product + " (" + strings.ReplaceAll(base.Hostname(), ":", ".") + ")"
	}
	return product
}

// Confirm stores the app after a first code from it. If it is the first second factor, it returns
// the recovery codes, which cannot be read again. Errors: CodeUnprocessable with the field code;
// CodeNotFound as [SecondFactors.Setup]; CodeConflict if there is an app already.
func (sf *SecondFactors) Confirm(ctx context.Context, userID, sealed, typed string) ([]string, error) {
	seed, err := sf.openSetup(userID, sealed)
	if err != nil {
		return nil, err
	}
	factor := SecondFactor{UserID: userID, ConfirmedAt: sf.Wall()}
	code, oneTime := normalizeCode(typed)
	fits := false
	if oneTime {
		if factor.LastStep, fits, err = acceptedStep(seed, code, sf.Wall(), 0); err != nil {
			return nil, err
		}
	}
	if !fits {
		return nil, apperr.FieldError("code", messageWrongCode)
	}
	if factor.Seed, err = sf.keyring.Seal(seed, seedPurpose, userID); err != nil {
		return nil, fmt.Errorf("confirm second factor: %w", err)
	}
	return sf.insert(ctx, factor)
}

func (sf *SecondFactors) insert(ctx context.Context, factor SecondFactor) ([]string, error) {
	codes, hashes, err := sf.newRecoveryCodes(factor.UserID)
	if err != nil {
		return nil, err
	}
	first := false
	err = sf.store.InTx(ctx, func(tx Tx) error {
		user, err := tx.Users().Lock(ctx, factor.UserID)
		if err != nil {
			return err
		}
		if err := requireNoApp(ctx, tx, user.ID); err != nil {
			return err
		}
		if err := tx.SecondFactors().Insert(ctx, factor); err != nil {
			return err
		}
		if first = user.SecondFactorAt == nil; first {
			if err := tx.SecondFactors().ReplaceCodes(ctx, user.ID, hashes); err != nil {
				return err
			}
		}
		return sf.notify(ctx, tx, user, mail.KindSecondFactorOn, mail.Data{})
	})
	if err != nil {
		return nil, fmt.Errorf("confirm second factor: %w", err)
	}
	sf.Log.InfoContext(ctx, "second factor enabled", "user_id", factor.UserID)
	if !first {
		return nil, nil
	}
	return codes, nil
}

// Disable removes the app, and the recovery codes unless there are passkeys. It reports whether
// the account still has a second factor. Errors: CodeUnprocessable with the field password;
// CodeConflict if there is no app.
func (sf *SecondFactors) Disable(ctx context.Context, userID, password string) (protected bool, err error) {
	user, err := sf.authenticate(ctx, userID, password)
	if err != nil {
		return false, err
	}
	err = sf.store.InTx(ctx, func(tx Tx) error {
		protected, err = sf.deleteApp(ctx, tx, user)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("disable second factor: %w", err)
	}
	sf.Log.InfoContext(ctx, "second factor disabled", "user_id", userID, "second_factor", protected)
	return protected, nil
}

func (sf *SecondFactors) deleteApp(ctx context.Context, tx Tx, user User) (protected bool, err error) {
	if _, err := tx.Users().Lock(ctx, user.ID); err != nil {
		return false, err
	}
	deleted, err := tx.SecondFactors().Delete(ctx, user.ID)
	if err != nil {
		return false, err
	}
	if !deleted {
		return false, apperr.Errorf(apperr.CodeConflict, MessageSecondFactorOff)
	}
	after, err := tx.Users().Get(ctx, user.ID)
	if err != nil {
		return false, err
	}
	protected = after.SecondFactorAt != nil
	return protected, sf.notify(ctx, tx, user, mail.KindSecondFactorOff, mail.Data{Protected: protected})
}

// Reset removes app, passkeys and recovery codes of the user with an address, on behalf of an
// operator. Errors: [apperr.ErrNotFound]; CodeConflict if there are none.
func (sf *SecondFactors) Reset(ctx context.Context, email string) (User, error) {
	user, err := sf.store.Users().ByEmail(ctx, strings.TrimSpace(email))
	if err != nil {
		return user, fmt.Errorf("reset second factor: %w", err)
	}
	if err := sf.deleteAll(ctx, user); err != nil {
		return user, fmt.Errorf("reset second factor: %w", err)
	}
	sf.Log.WarnContext(ctx, "second factor reset by an operator", "user_id", user.ID)
	return user, nil
}

func (sf *SecondFactors) deleteAll(ctx context.Context, user User) error {
	return sf.store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.Users().Lock(ctx, user.ID); err != nil {
			return err
		}
		app, err := tx.SecondFactors().Delete(ctx, user.ID)
		if err != nil {
			return err
		}
		passkeys, err := tx.Passkeys().DeleteAll(ctx, user.ID)
		if err != nil {
			return err
		}
		if !app && passkeys == 0 {
			return apperr.Errorf(apperr.CodeConflict, MessageSecondFactorOff)
		}
		return sf.notify(ctx, tx, user, mail.KindSecondFactorOff, mail.Data{})
	})
}

// RenewCodes replaces the recovery codes. Errors: CodeUnprocessable with the field password;
// CodeConflict if two-step verification is off.
func (sf *SecondFactors) RenewCodes(ctx context.Context, userID, password string) ([]string, error) {
	if _, err := sf.authenticate(ctx, userID, password); err != nil {
		return nil, err
	}
	codes, hashes, err := sf.newRecoveryCodes(userID)
	if err != nil {
		return nil, err
	}
	err = sf.store.InTx(ctx, func(tx Tx) error {
		user, err := tx.Users().Lock(ctx, userID)
		if err != nil {
			return err
		}
		if user.SecondFactorAt == nil {
			return apperr.Errorf(apperr.CodeConflict, MessageSecondFactorOff)
		}
		if err := tx.SecondFactors().ReplaceCodes(ctx, userID, hashes); err != nil {
			return err
		}
		return sf.notify(ctx, tx, user, mail.KindRecoveryCodesRenewed, mail.Data{CodesLeft: RecoveryCodes})
	})
	if err != nil {
		return nil, fmt.Errorf("renew recovery codes: %w", err)
	}
	sf.Log.InfoContext(ctx, "recovery codes renewed", "user_id", userID)
	return codes, nil
}

// Verify accepts a one-time code of the user's app or an unused recovery code, each of them once.
// Errors: CodeUnprocessable with the field code; CodeConflict if two-step verification is off.
func (sf *SecondFactors) Verify(ctx context.Context, userID, typed string) error {
	code, oneTime := normalizeCode(typed)
	err := sf.store.InTx(ctx, func(tx Tx) error {
		factor, found, err := apperr.Found(tx.SecondFactors().Lock(ctx, userID))
		if err != nil {
			return err
		}
		switch {
		case oneTime && found:
			return sf.acceptOneTimeCode(ctx, tx, factor, code)
		case oneTime:
			return sf.refuseWithoutApp(ctx, tx, userID)
		}
		return sf.acceptRecoveryCode(ctx, tx, userID, code)
	})
	if err != nil {
		sf.Log.WarnContext(ctx, "second factor refused", "user_id", userID, "recovery_code", !oneTime)
		return fmt.Errorf("verify second factor: %w", err)
	}
	sf.Log.InfoContext(ctx, "second factor accepted", "user_id", userID, "recovery_code", !oneTime)
	return nil
}

// refuseWithoutApp refuses a one-time code of somebody who has passkeys only.
func (sf *SecondFactors) refuseWithoutApp(ctx context.Context, tx Tx, userID string) error {
	user, err := tx.Users().Get(ctx, userID)
	if err != nil {
		return err
	}
	if user.SecondFactorAt == nil {
		return apperr.Errorf(apperr.CodeConflict, MessageSecondFactorOff)
	}
	return apperr.FieldError("code", messageWrongRecovery)
}

// acceptOneTimeCode stores the step of the code, so that it is accepted once, and seals the seed
// again if its key is not the newest.
func (sf *SecondFactors) acceptOneTimeCode(ctx context.Context, tx Tx, factor SecondFactor, code string) error {
	seed, outdated, err := sf.keyring.Open(factor.Seed, seedPurpose, factor.UserID)
	if err != nil {
		return fmt.Errorf("open seed of %s: %w", factor.UserID, err)
	}
	step, accepted, err := acceptedStep(seed, code, sf.Wall(), factor.LastStep)
	if err != nil {
		return err
	}
	if !accepted {
		return apperr.FieldError("code", messageWrongCode)
	}
	factor.LastStep = step
	if outdated {
		if factor.Seed, err = sf.keyring.Seal(seed, seedPurpose, factor.UserID); err != nil {
			return err
		}
	}
	return tx.SecondFactors().Update(ctx, factor)
}

func (sf *SecondFactors) acceptRecoveryCode(ctx context.Context, tx Tx, userID, code string) error {
	used, err := tx.SecondFactors().UseCode(ctx, userID, hashRecoveryCode(userID, code), sf.Wall())
	if err != nil {
		return err
	}
	if !used {
		return apperr.FieldError("code", messageWrongRecovery)
	}
	left, err := tx.SecondFactors().CountCodes(ctx, userID)
	if err != nil {
		return err
	}
	user, err := tx.Users().Get(ctx, userID)
	if err != nil {
		return err
	}
	return sf.notify(ctx, tx, user, mail.KindRecoveryCodeUsed, mail.Data{CodesLeft: left})
}

// secondFactorActs are the acts that people are notified of.
var secondFactorActs = map[mail.Kind]Act{
	mail.KindSecondFactorOn: ActSecondFactorEnabled, mail.KindSecondFactorOff: ActSecondFactorDisabled,
	mail.KindRecoveryCodeUsed: ActRecoveryCodeUsed, mail.KindRecoveryCodesRenewed: ActRecoveryCodesRenewed,
}

// notify records a change and queues the e-mail about it. Somebody else may have made it.
func (sf *SecondFactors) notify(ctx context.Context, tx Tx, user User, kind mail.Kind, data mail.Data) error {
	if err := sf.record(ctx, tx, user.did(secondFactorActs[kind], "").To(user.ID, user.Name)); err != nil {
		return err
	}
	data.Name, data.At, data.URL = user.Name, sf.Wall(), sf.securityURL()
	return sf.outbox.Queue(ctx, tx, mail.Message{Kind: kind, To: user.Email, Key: string(kind) + ":" + sf.NewID("evt"), Data: data})
}

// securityURL is the page about the security of the viewer's account.
func (sf *SecondFactors) securityURL() string { return sf.baseURL + "/settings/security" }

// PasswordFingerprint identifies a user's current password without revealing it. A log-in that
// waits for its second step ends with a change of the password.
func PasswordFingerprint(u User) string {
	sum := sha256.Sum256([]byte("password fingerprint\x00" + u.PasswordHash))
	return hex.EncodeToString(sum[:16])
}
