package account

import (
	"context"
	"errors"
	"fmt"

	"usher/billing/apperr"
	"usher/billing/mail"
)

// ErrWrongPassword is the cause of an error about a password that does not match: of a failed
// log-in, or of a current password that is asked for again. Rate limits count it as a guess.
var ErrWrongPassword = errors.New("wrong password")

// wrongPassword returns CodeUnprocessable for a form field with a password that does not match.
func wrongPassword(field, message string) error {
	return &apperr.Error{Code: apperr.CodeUnprocessable, Field: field, Message: message, Err: ErrWrongPassword}
}

const messageNotCurrent = "This is not your current password."

// ChangePassword replaces a user's password. It ends every reset link of the user, and a mail tells
// the user. Error: CodeUnprocessable if the current password is wrong or the new one unacceptable;
// errors of both fields are joined.
func (us *Users) ChangePassword(ctx context.Context, userID, current, replacement string) error {
	user, err := us.store.Users().Get(ctx, userID)
	if err != nil {
		return fmt.Errorf("change password: %w", err)
	}
	if err := us.checkChange(ctx, user, current, replacement); err != nil {
		return err
	}
	hash, err := us.passwords.hash(ctx, replacement)
	if err != nil {
		return fmt.Errorf("change password: %w", err)
	}
	err = us.store.InTx(ctx, func(tx Tx) error {
		locked, err := tx.Users().Lock(ctx, userID)
		if err != nil {
			return err
		}
		if locked.PasswordHash != user.PasswordHash { // changed since it was compared
			return apperr.FieldError("current", messageNotCurrent)
		}
		if err := us.recovery.setPassword(ctx, tx, locked, hash, changedInSettings); err != nil {
			return err
		}
		return us.record(ctx, tx, user.did(ActPasswordChanged, "").To(userID, user.Name))
	})
	if err != nil {
		return fmt.Errorf("change password: %w", err)
	}
	return nil
}

func (us *Users) checkChange(ctx context.Context, user User, current, replacement string) error {
	fits, err := us.passwords.matches(ctx, current, user.PasswordHash)
	if err != nil {
		return fmt.Errorf("change password: %w", err)
	}
	var wrong []error
	if !fits {
		wrong = append(wrong, wrongPassword("current", messageNotCurrent))
	}
	return errors.Join(append(wrong, us.recovery.checkNewPassword(ctx, user, replacement))...)
}

// checkNewPassword checks the new password of a user, see [Passwords.checkNew].
func (rc *Recovery) checkNewPassword(ctx context.Context, user User, password string) error {
	about := passwordContext{name: user.Name, email: user.Email}
	organizations, err := rc.store.Organizations().OfUser(ctx, user.ID)
	if err != nil {
		return fmt.Errorf("check new password: %w", err)
	}
	for _, organization := range organizations {
		about.organizations = append(about.organizations, organization.Name)
	}
	return rc.passwords.checkNew(password, about)
}

// How a password was changed, for the mail about it.
const (
	changedInSettings = "in your settings"
	changedByLink     = "with a link that was sent to this address"
)

// setPassword replaces a user's password. Reset links that are still open end: whoever has one
// could undo the change. No browser counts as known any more, and failed log-ins are forgotten. A
// mail tells the user, who may not have made the change.
func (rc *Recovery) setPassword(ctx context.Context, tx Tx, user User, hash, how string) error {
	now := rc.Now()
	if err := tx.Users().SetPassword(ctx, user.ID, hash); err != nil {
		return err
	}
	if err := tx.Tokens().MarkAllUsed(ctx, user.ID, TokenReset, now); err != nil {
		return err
	}
	if err := tx.Users().DeleteLoginDevices(ctx, user.ID); err != nil {
		return err
	}
	if err := tx.RateLimits().Clear(ctx, failedLogInsKey(user.Email)); err != nil {
		return err
	}
	if !mail.ValidAddress(user.Email) {
		return nil
	}
	return rc.outbox.Queue(ctx, tx, mail.Message{
		Kind: mail.KindPasswordChanged, To: user.Email, Key: "password_changed:" + rc.NewID("pwc"),
		Data: mail.Data{Name: user.Name, Reason: how, At: now, URL: rc.baseURL + "/forgot"},
	})
}
