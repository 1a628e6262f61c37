package account

import (
	"context"
	"fmt"
	"strings"
	"time"

	"usher/billing/apperr"
	"usher/billing/job"
	"usher/billing/mail"
)

// TokenPurpose is what a token permits.
type TokenPurpose string

// The token purposes.
const (
	TokenReset  TokenPurpose = "reset"  // choose a new password, once
	TokenVerify TokenPurpose = "verify" // verify the address
)

// Token is a link sent to a person by e-mail. Only the hash of its secret is stored.
type Token struct {
	Hash    []byte       `db:"token_hash"` // SHA-256
	Purpose TokenPurpose `db:"purpose"`
	UserID  string       `db:"user_id"`
	// The recipient; the token is invalid once the user's address differs.
	Email     string    `db:"email"`
	CreatedAt time.Time `db:"created_at"`
	ExpiresAt time.Time `db:"expires_at"`
}

// Lifetimes of links, and the minimum interval between two to the same person.
const (
	resetLifetime  = time.Hour
	verifyLifetime = 7 * 24 * time.Hour
	resendInterval = time.Minute
)

// messageLinkInvalid does not reveal whether a link was used, expired or never existed.
const messageLinkInvalid = "This link has been used already, or is too old."

// MessageLinkOther is shown to somebody who is signed in with another account than a link is for.
const MessageLinkOther = "This link is for another account. Sign in with the address it was sent to, then open it again."

// Request queues a password reset for an address. It does the same work for every address; the user
// is looked up in the background, so that the response does not reveal which addresses have an
// account. Error: CodeUnprocessable for an invalid address.
func (rc *Recovery) Request(ctx context.Context, email string) error {
	if err := rc.passwords.policy.requirePasswords(); err != nil {
		return err
	}
	email = strings.TrimSpace(email)
	if !mail.ValidAddress(email) {
		return apperr.FieldError("email", "Please give an e-mail address such as ana@example.com.")
	}
	now := rc.Now()
	return rc.store.InTx(ctx, func(tx Tx) error {
		if err := tx.Tokens().PutResetRequest(ctx, email, now); err != nil {
			return fmt.Errorf("request password reset: %w", err)
		}
		return rc.Enqueue(ctx, tx.Jobs(), job.KindRecovery, strings.ToLower(email), "", now)
	})
}

// ProcessRequests processes every pending reset request.
func (rc *Recovery) ProcessRequests(ctx context.Context) error {
	for {
		found, err := rc.processRequest(ctx)
		if err != nil || !found {
			return err
		}
	}
}

// processRequest removes one request and queues the link if the address has an account.
func (rc *Recovery) processRequest(ctx context.Context) (found bool, err error) {
	err = rc.store.InTx(ctx, func(tx Tx) error {
		var email string
		email, found, err = apperr.Found(tx.Tokens().PopResetRequest(ctx))
		if err != nil || !found {
			return err
		}
		user, known, err := apperr.Found(tx.Users().ByEmail(ctx, email))
		if err != nil || !known || !mail.ValidAddress(user.Email) {
			return err
		}
		return rc.queueAgain(ctx, tx, user, TokenReset)
	})
	if err != nil {
		return false, fmt.Errorf("process reset request: %w", err)
	}
	return found, nil
}

// queueAgain queues a link unless one was created within [resendInterval], so that repeated
// requests do not flood an inbox.
func (rc *Recovery) queueAgain(ctx context.Context, tx Tx, user User, purpose TokenPurpose) error {
	last, issued, err := apperr.Found(tx.Tokens().LastCreatedAt(ctx, user.ID, purpose))
	if err != nil || issued && rc.Now().Sub(last) < resendInterval {
		return err
	}
	return rc.queueLink(ctx, tx, user, purpose)
}

// RequestFirstPassword sends a person without a password the link that sets one, unless one was
// sent within [resendInterval]. Error: CodeForbidden if passwords are off.
func (rc *Recovery) RequestFirstPassword(ctx context.Context, userID string) error {
	if err := rc.passwords.policy.requirePasswords(); err != nil {
		return err
	}
	err := rc.store.InTx(ctx, func(tx Tx) error {
		user, err := tx.Users().Get(ctx, userID)
		if err != nil || user.HasPassword() || !mail.ValidAddress(user.Email) {
			return err
		}
		return rc.queueAgain(ctx, tx, user, TokenReset)
	})
	if err != nil {
		return fmt.Errorf("request first password: %w", err)
	}
	return nil
}

// RequestVerification sends a person the link that verifies their address again, unless it is
// verified or one was sent within [resendInterval].
func (rc *Recovery) RequestVerification(ctx context.Context, userID string) error {
	err := rc.store.InTx(ctx, func(tx Tx) error {
		user, err := tx.Users().Get(ctx, userID)
		if err != nil || user.EmailVerifiedAt != nil {
			return err
		}
		return rc.queueAgain(ctx, tx, user, TokenVerify)
	})
	if err != nil {
		return fmt.Errorf("request verification: %w", err)
	}
	return nil
}

// queueVerification sends a new user the link that verifies the address. The account is usable
// before.
func (rc *Recovery) queueVerification(ctx context.Context, tx Tx, user User) error {
	return rc.queueLink(ctx, tx, user, TokenVerify)
}

// queueLink writes a token and queues the e-mail with its link.
func (rc *Recovery) queueLink(ctx context.Context, tx Tx, user User, purpose TokenPurpose) error {
	secret, token := rc.linkFor(user, purpose)
	if err := tx.Tokens().Insert(ctx, token); err != nil {
		return fmt.Errorf("write token: %w", err)
	}
	kind := mail.KindVerifyEmail
	if purpose == TokenReset {
		kind = mail.KindPasswordReset
	}
	return rc.outbox.Queue(ctx, tx, mail.Message{
		Kind: kind, To: user.Email, Key: fmt.Sprintf("%s:%x", purpose, token.Hash), StaleAt: token.ExpiresAt,
		Data: mail.Data{Name: user.Name, URL: rc.baseURL + "/" + string(purpose) + "/" + secret, ExpiresAt: token.ExpiresAt},
	})
}

// linkFor returns the secret of a new link, and the token to store.
func (rc *Recovery) linkFor(user User, purpose TokenPurpose) (secret string, token Token) {
	secret = newToken(rc.Rand)
	lifetime := verifyLifetime
	if purpose == TokenReset {
		lifetime = resetLifetime
	}
	now := rc.Now()
	return secret, Token{
		Hash: hashToken(secret), Purpose: purpose, UserID: user.ID, Email: user.Email, CreatedAt: now, ExpiresAt: now.Add(lifetime),
	}
}

// ResetAddress returns the address whose password a link can reset. Error: CodeNotFound if the link
// was used, expired or never existed.
func (rc *Recovery) ResetAddress(ctx context.Context, secret string) (string, error) {
	if err := rc.passwords.policy.requirePasswords(); err != nil {
		return "", err
	}
	user, err := rc.userOfToken(ctx, rc.store, secret, TokenReset)
	if err != nil {
		return "", fmt.Errorf("read reset link: %w", err)
	}
	return user.Email, nil
}

// ResetPassword sets a new password with a link. It invalidates every reset link of the user and
// ends every session. Errors: CodeNotFound as [Recovery.ResetAddress]; CodeUnprocessable for an
// unacceptable password, which leaves the link valid.
func (rc *Recovery) ResetPassword(ctx context.Context, secret, password string) error {
	if err := rc.passwords.policy.requirePasswords(); err != nil {
		return err
	}
	user, err := rc.userOfToken(ctx, rc.store, secret, TokenReset) // checked before the expensive hash
	if err != nil {
		return fmt.Errorf("reset password: %w", err)
	}
	if err := rc.checkNewPassword(ctx, user, password); err != nil {
		return err
	}
	hash, err := rc.passwords.hash(ctx, password)
	if err != nil {
		return fmt.Errorf("reset password: %w", err)
	}
	err = rc.store.InTx(ctx, func(tx Tx) error {
		user, err := rc.userOfToken(ctx, tx, secret, TokenReset)
		if err != nil {
			return err
		}
		return rc.replacePassword(ctx, tx, user, secret, hash)
	})
	if err != nil {
		return fmt.Errorf("reset password: %w", err)
	}
	return nil
}

// replacePassword marks the link as used first: of concurrent requests only one succeeds.
func (rc *Recovery) replacePassword(ctx context.Context, tx Tx, user User, secret, hash string) error {
	now := rc.Now()
	spent, err := tx.Tokens().MarkUsed(ctx, hashToken(secret), now)
	if err != nil {
		return err
	}
	if !spent {
		return apperr.Errorf(apperr.CodeNotFound, messageLinkInvalid)
	}
	if err := rc.setPassword(ctx, tx, user, hash, changedByLink); err != nil {
		return err
	}
	if user.EmailVerifiedAt == nil {
		if err := removeOtherWaysIn(ctx, tx, user.ID); err != nil {
			return err
		}
	}
	if err := tx.Users().MarkEmailVerified(ctx, user.ID, now); err != nil {
		return err
	}
	if err := rc.record(ctx, tx, user.did(ActPasswordReset, "").To(user.ID, user.Name)); err != nil {
		return err
	}
	_, err = tx.Users().DeleteSessions(ctx, user.ID)
	return err
}

// removeOtherWaysIn removes what lets somebody in without the password. Whoever signed up with an
// address that was never verified may not be its owner, to whom the link was sent. An authenticator
// app stays: it lets nobody in alone, and a reset must not turn a second factor off.
func removeOtherWaysIn(ctx context.Context, tx Tx, userID string) error {
	if _, err := tx.Identities().DeleteOfUser(ctx, userID); err != nil {
		return err
	}
	_, err := tx.Passkeys().DeleteAll(ctx, userID)
	return err
}

// VerifyAddress returns the user whose address a link can verify. Error: CodeNotFound if the link
// has expired or never existed.
func (rc *Recovery) VerifyAddress(ctx context.Context, secret string) (User, error) {
	user, err := rc.userOfToken(ctx, rc.store, secret, TokenVerify)
	if err != nil {
		return User{}, fmt.Errorf("read verification link: %w", err)
	}
	return user, nil
}

// VerifyEmail marks the address of a signed-in user as verified. Only that user can: whoever signed
// up with another's address cannot have its owner, or the owner's mail scanner, verify it. The link
// stays valid until it expires. Errors: CodeNotFound; CodeForbidden for another user's link.
func (rc *Recovery) VerifyEmail(ctx context.Context, userID, secret string) error {
	err := rc.store.InTx(ctx, func(tx Tx) error {
		user, err := rc.userOfToken(ctx, tx, secret, TokenVerify)
		if err != nil {
			return err
		}
		if user.ID != userID {
			return apperr.Errorf(apperr.CodeForbidden, MessageLinkOther)
		}
		if user.EmailVerifiedAt != nil {
			return nil
		}
		if err := tx.Users().MarkEmailVerified(ctx, user.ID, rc.Now()); err != nil {
			return err
		}
		return rc.record(ctx, tx, user.did(ActEmailVerified, "").To(user.ID, user.Name))
	})
	if err != nil {
		return fmt.Errorf("verify e-mail: %w", err)
	}
	return nil
}

// userOfToken returns the user of a valid token.
func (rc *Recovery) userOfToken(ctx context.Context, tx Tx, secret string, purpose TokenPurpose) (User, error) {
	token, known, err := apperr.Found(tx.Tokens().Get(ctx, hashToken(secret), purpose, rc.Now()))
	if err != nil {
		return User{}, err
	}
	if !known {
		return User{}, apperr.Errorf(apperr.CodeNotFound, messageLinkInvalid)
	}
	user, err := tx.Users().Get(ctx, token.UserID)
	if err == nil && !mail.SameAddress(user.Email, token.Email) {
		err = apperr.Errorf(apperr.CodeNotFound, messageLinkInvalid)
	}
	return user, err
}
