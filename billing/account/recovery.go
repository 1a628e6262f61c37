package account

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"time"

	"usher/billing/apperr"
	"usher/billing/job"
	"usher/billing/mail"
)

// TokenPurpose says what an account token is good for.
type TokenPurpose string

// The purposes.
const (
	TokenReset  TokenPurpose = "reset"  // to choose a new password, once
	TokenVerify TokenPurpose = "verify" // to show that the address is one's own
)

// AccountToken is a link that was mailed to a person. The token itself is not kept, only its hash.
type Token struct {
	Hash      []byte       `db:"token_hash"` // SHA-256
	Purpose   TokenPurpose `db:"purpose"`
	UserID    string       `db:"user_id"`
	Email     string       `db:"email"` // the address it was sent to: worth nothing once the account has another
	CreatedAt time.Time    `db:"created_at"`
	ExpiresAt time.Time    `db:"expires_at"`
}

// How long the links hold, and how soon another is mailed to the same person.
const (
	resetLifetime  = time.Hour
	verifyLifetime = 7 * 24 * time.Hour
	resendInterval  = time.Minute
)

// messageLinkInvalid is said of a link that was used, is too old, or never was one: which of these is nobody's business.
const messageLinkInvalid = "This link has been used already, or is too old."

// RequestRecovery has a link to choose a new password mailed, where the address belongs to an account. It does the same for every
// address, in the same time: whose it is is looked up afterwards, in the background. Error: CodeUnprocessable for what is no address.
func (rc *Recovery) Request(ctx context.Context, email string) error {
	email = strings.TrimSpace(email)
	if !mail.ValidAddress(email) {
		return apperr.FieldError("email", "Please give an e-mail address such as ana@example.com.")
	}
	now := rc.Now()
	return rc.store.InTx(ctx, func(tx Tx) error {
		if err := tx.Tokens().PutResetRequest(ctx, email, now); err != nil {
			return fmt.Errorf("request recovery: %w", err)
		}
		return rc.Enqueue(ctx, tx.Jobs(), job.KindRecovery, strings.ToLower(email), "", now)
	})
}

// processRecoveryRequests answers every waiting request.
func (rc *Recovery) ProcessRequests(ctx context.Context) error {
	for {
		found, err := rc.processRequest(ctx)
		if err != nil || !found {
			return err
		}
	}
}

// processRecoveryRequest takes one request and queues the link; a request for nobody's address is only taken.
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
		return rc.queueReset(ctx, tx, user)
	})
	if err != nil {
		return false, fmt.Errorf("settle recovery: %w", err)
	}
	return found, nil
}

// queueReset mails a link, unless one is only just on its way: nobody's inbox is to be flooded by pressing a button.
func (rc *Recovery) queueReset(ctx context.Context, tx Tx, user User) error {
	last, issued, err := apperr.Found(tx.Tokens().LastCreatedAt(ctx, user.ID, TokenReset))
	if err != nil || issued && rc.Now().Sub(last) < resendInterval {
		return err
	}
	return rc.queueLink(ctx, tx, user, TokenReset)
}

// queueVerification mails a new user the link that shows the address to be theirs. Nothing waits for it.
func (rc *Recovery) queueVerification(ctx context.Context, tx Tx, user User) error {
	return rc.queueLink(ctx, tx, user, TokenVerify)
}

// queueLink writes a token and the mail that carries it.
func (rc *Recovery) queueLink(ctx context.Context, tx Tx, user User, purpose TokenPurpose) error {
	secret, token, err := rc.newToken(user, purpose)
	if err != nil {
		return err
	}
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

// newToken makes 256 random bits for a link, and what is kept of them.
func (rc *Recovery) newToken(user User, purpose TokenPurpose) (secret string, token Token, err error) {
	var random [32]byte
	if _, err := io.ReadFull(rc.Rand, random[:]); err != nil {
		return "", Token{}, fmt.Errorf("make token: %w", err)
	}
	secret = base64.RawURLEncoding.EncodeToString(random[:])
	lifetime := verifyLifetime
	if purpose == TokenReset {
		lifetime = resetLifetime
	}
	now := rc.Now()
	return secret, Token{
		Hash: hashToken(secret), Purpose: purpose, UserID: user.ID, Email: user.Email, CreatedAt: now, ExpiresAt: now.Add(lifetime),
	}, nil
}

func hashToken(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// ResetAddress returns whose password a link lets one choose. Error: CodeNotFound where the link is spent, too old or none.
func (rc *Recovery) ResetAddress(ctx context.Context, secret string) (string, error) {
	user, err := rc.userOfToken(ctx, rc.store, secret, TokenReset)
	if err != nil {
		return "", fmt.Errorf("read reset link: %w", err)
	}
	return user.Email, nil
}

// ResetPassword sets a new password by a mailed link. The link, and every other one of the user's, is spent by it, and every session of
// theirs ends: whoever else was signed in is no longer. Errors: CodeNotFound as [Service.ResetAddress]; CodeUnprocessable for a
// password that will not do, which leaves the link as it was.
func (rc *Recovery) ResetPassword(ctx context.Context, secret, password string) error {
	if _, err := rc.ResetAddress(ctx, secret); err != nil { // before the hash is computed: it is dear
		return err
	}
	if mistake := checkNewPassword(password); mistake != nil {
		return mistake
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

// replacePassword spends the link first: of two that use it at once only one gets past that.
func (rc *Recovery) replacePassword(ctx context.Context, tx Tx, user User, secret, hash string) error {
	now := rc.Now()
	spent, err := tx.Tokens().MarkUsed(ctx, hashToken(secret), now)
	if err != nil {
		return err
	}
	if !spent {
		return apperr.Errorf(apperr.CodeNotFound, messageLinkInvalid)
	}
	if err := tx.Tokens().MarkAllUsed(ctx, user.ID, TokenReset, now); err != nil {
		return err
	}
	if err := tx.Users().SetPassword(ctx, user.ID, hash); err != nil {
		return err
	}
	if err := tx.Users().MarkEmailVerified(ctx, user.ID, now); err != nil { // the link has come to the address
		return err
	}
	_, err = tx.Users().DeleteSessions(ctx, user.ID)
	return err
}

// VerifyEmail notes that the address is its owner's, by a mailed link. The link holds until it is too old, and says the same each time:
// mail programs and scanners open links before people do. Error: CodeNotFound.
func (rc *Recovery) VerifyEmail(ctx context.Context, secret string) error {
	err := rc.store.InTx(ctx, func(tx Tx) error {
		user, err := rc.userOfToken(ctx, tx, secret, TokenVerify)
		if err != nil {
			return err
		}
		return tx.Users().MarkEmailVerified(ctx, user.ID, rc.Now())
	})
	if err != nil {
		return fmt.Errorf("verify e-mail: %w", err)
	}
	return nil
}

// linked finds whose link it is.
func (rc *Recovery) userOfToken(ctx context.Context, tx Tx, secret string, purpose TokenPurpose) (User, error) {
	token, known, err := apperr.Found(tx.Tokens().Get(ctx, hashToken(secret), purpose, rc.Now()))
	if err != nil {
		return User{}, err
	}
	if !known {
		return User{}, apperr.Errorf(apperr.CodeNotFound, messageLinkInvalid)
	}
	user, err := tx.Users().Get(ctx, token.UserID)
	if err == nil && !strings.EqualFold(user.Email, token.Email) {
		err = apperr.Errorf(apperr.CodeNotFound, messageLinkInvalid)
	}
	return user, err
}
