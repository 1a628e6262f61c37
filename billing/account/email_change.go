package account

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"usher/billing/apperr"
	"usher/billing/mail"
)

// EmailChange is a person's change to another e-mail address. It happens once both addresses have
// confirmed it: the new one belongs to the person, and whoever has only their session and password
// cannot take the account away. A present address that was never verified has no say.
type EmailChange struct {
	UserID   string `db:"user_id"`
	NewEmail string `db:"new_email"`
	// SHA-256 of the links' tokens.
	OldTokenHash   []byte     `db:"old_token_hash"`
	NewTokenHash   []byte     `db:"new_token_hash"`
	OldConfirmedAt *time.Time `db:"old_confirmed_at"`
	NewConfirmedAt *time.Time `db:"new_confirmed_at"`
	CreatedAt      time.Time  `db:"created_at"`
	ExpiresAt      time.Time  `db:"expires_at"`
}

// emailChangeLifetime is how long a change can be confirmed.
const emailChangeLifetime = 24 * time.Hour

// messageAddressTaken is shown when somebody else signed up with the new address meanwhile.
const messageAddressTaken = "This address has an account of its own by now. Nothing was changed."

// confirm marks the side of a token as confirmed.
func (c *EmailChange) confirm(tokenHash []byte, now time.Time) {
	if bytes.Equal(tokenHash, c.OldTokenHash) && c.OldConfirmedAt == nil {
		c.OldConfirmedAt = &now
	}
	if bytes.Equal(tokenHash, c.NewTokenHash) && c.NewConfirmedAt == nil {
		c.NewConfirmedAt = &now
	}
}

func (c EmailChange) confirmed() bool { return c.OldConfirmedAt != nil && c.NewConfirmedAt != nil }

// Request sends a link to the new address and, if that is verified, to the present one. It replaces
// an earlier change.
// Errors: CodeUnprocessable with the field current for a wrong password, or email. It does not
// reveal whether the new address has an account: that is said in the e-mail to it.
func (ec *EmailChanges) Request(ctx context.Context, userID, password, email string) error {
	email = strings.TrimSpace(email)
	user, err := ec.users.requirePassword(ctx, userID, password)
	if err != nil {
		return fmt.Errorf("request e-mail change: %w", err)
	}
	switch {
	case !mail.ValidAddress(email):
		return apperr.FieldError("email", MessageInvitationAddress)
	case mail.SameAddress(email, user.Email):
		return apperr.FieldError("email", "This is your address already.")
	}
	err = ec.store.InTx(ctx, func(tx Tx) error { return ec.requestTx(ctx, tx, user, email) })
	if err != nil {
		return fmt.Errorf("request e-mail change: %w", err)
	}
	return nil
}

func (ec *EmailChanges) requestTx(ctx context.Context, tx Tx, user User, email string) error {
	if _, err := tx.Users().Lock(ctx, user.ID); err != nil {
		return fmt.Errorf("lock user: %w", err)
	}
	toOld, toNew := newToken(ec.Rand), newToken(ec.Rand)
	now := ec.Now()
	change := EmailChange{
		UserID: user.ID, NewEmail: email, OldTokenHash: hashToken(toOld), NewTokenHash: hashToken(toNew),
		CreatedAt: now, ExpiresAt: now.Add(emailChangeLifetime),
	}
	unverified := user.EmailVerifiedAt == nil
	if unverified { // it may be mistyped, so that nobody can confirm there
		change.OldConfirmedAt = &now
	}
	if err := tx.EmailChanges().Put(ctx, change); err != nil {
		return err
	}
	_, taken, err := apperr.Found(tx.Users().ByEmail(ctx, email))
	if err != nil {
		return err
	}
	letter := ec.letter(mail.KindNewEmail, email, user, change, ec.baseURL+"/email/"+toNew)
	if taken {
		letter = ec.letter(mail.KindEmailTaken, email, User{}, change, ec.baseURL+"/login")
	}
	if err := ec.outbox.Queue(ctx, tx, letter); err != nil || unverified {
		return err
	}
	return ec.outbox.Queue(ctx, tx, ec.letter(mail.KindEmailChange, user.Email, user, change, ec.baseURL+"/email/"+toOld))
}

// letter returns an e-mail about a change.
func (ec *EmailChanges) letter(kind mail.Kind, to string, user User, c EmailChange, link string) mail.Message {
	return mail.Message{
		Kind: kind, To: to, Key: fmt.Sprintf("%s:%x", kind, c.NewTokenHash),
		Data: mail.Data{Name: user.Name, Address: c.NewEmail, URL: link, ExpiresAt: c.ExpiresAt},
	}
}

// Pending returns a person's change that waits for a confirmation. Error: [apperr.ErrNotFound].
func (ec *EmailChanges) Pending(ctx context.Context, userID string) (EmailChange, error) {
	return ec.store.EmailChanges().OfUser(ctx, userID, ec.Now())
}

// ByToken returns the change that a link confirms. Error: CodeNotFound if it was used, stopped,
// replaced, has expired or never existed.
func (ec *EmailChanges) ByToken(ctx context.Context, token string) (EmailChange, error) {
	return ec.byToken(ctx, ec.store, token)
}

func (ec *EmailChanges) byToken(ctx context.Context, tx Tx, token string) (EmailChange, error) {
	change, found, err := apperr.Found(tx.EmailChanges().ByToken(ctx, hashToken(token), ec.Now()))
	if err != nil {
		return EmailChange{}, fmt.Errorf("read e-mail change: %w", err)
	}
	if !found {
		return EmailChange{}, apperr.Errorf(apperr.CodeNotFound, messageLinkInvalid)
	}
	return change, nil
}

// Confirm confirms a change for the address that its link was sent to, and reports whether the
// address has changed. Only the person whose account it is can. Errors: CodeNotFound as
// [EmailChanges.ByToken]; CodeForbidden for another person's link; CodeConflict if the new address
// has an account by now.
func (ec *EmailChanges) Confirm(ctx context.Context, userID, token string) (changed bool, err error) {
	err = ec.store.InTx(ctx, func(tx Tx) error {
		user, err := tx.Users().Lock(ctx, userID)
		if err != nil {
			return fmt.Errorf("lock user: %w", err)
		}
		change, err := ec.byToken(ctx, tx, token)
		if err != nil {
			return err
		}
		if change.UserID != userID {
			return apperr.Errorf(apperr.CodeForbidden, MessageLinkOther)
		}
		change.confirm(hashToken(token), ec.Now())
		changed = change.confirmed()
		if !changed {
			return tx.EmailChanges().Put(ctx, change)
		}
		return ec.apply(ctx, tx, user, change)
	})
	if err != nil {
		return false, fmt.Errorf("confirm e-mail change: %w", err)
	}
	return changed, nil
}

// apply changes the address. Links that were sent to the old one are void, because a link counts
// for the address it was sent to.
func (ec *EmailChanges) apply(ctx context.Context, tx Tx, user User, change EmailChange) error {
	if _, taken, err := apperr.Found(tx.Users().ByEmail(ctx, change.NewEmail)); err != nil || taken {
		if err == nil {
			err = apperr.Errorf(apperr.CodeConflict, messageAddressTaken)
		}
		return err
	}
	if err := tx.Users().SetEmail(ctx, user.ID, change.NewEmail, ec.Now()); err != nil {
		return err
	}
	if err := tx.EmailChanges().Delete(ctx, user.ID); err != nil {
		return err
	}
	if err := ec.updateCustomers(ctx, tx, user.ID); err != nil {
		return err
	}
	changedTo := AuditValues{"email": change.NewEmail}
	if err := ec.record(ctx, tx, user.did(ActEmailChanged, "").To(user.ID, user.Name).Changed(AuditValues{"email": user.Email}, changedTo)); err != nil {
		return err
	}
	changed := ec.letter(mail.KindEmailChanged, user.Email, user, change, ec.baseURL+"/settings")
	return ec.outbox.Queue(ctx, tx, changed)
}

// updateCustomers schedules the update of the customers at Stripe whose address may be the
// person's.
func (ec *EmailChanges) updateCustomers(ctx context.Context, tx Tx, userID string) error {
	memberships, err := tx.Members().OfUser(ctx, userID)
	if err != nil {
		return err
	}
	for _, member := range memberships { // by organization, so that concurrent changes lock in the same order
		if _, err := tx.Organizations().Lock(ctx, member.OrganizationID); err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		if err := ec.hooks.CustomerDetailsChanged(ctx, tx, member.OrganizationID); err != nil {
			return err
		}
	}
	return nil
}

// Stop ends a change with the link sent to either address. Error: CodeNotFound as
// [EmailChanges.ByToken].
func (ec *EmailChanges) Stop(ctx context.Context, token string) error {
	err := ec.store.InTx(ctx, func(tx Tx) error {
		change, err := ec.byToken(ctx, tx, token)
		if err != nil {
			return err
		}
		return tx.EmailChanges().Delete(ctx, change.UserID)
	})
	if err != nil {
		return fmt.Errorf("stop e-mail change: %w", err)
	}
	return nil
}

// Withdraw ends a person's own change. There may be none.
func (ec *EmailChanges) Withdraw(ctx context.Context, userID string) error {
	if err := ec.store.EmailChanges().Delete(ctx, userID); err != nil {
		return fmt.Errorf("withdraw e-mail change: %w", err)
	}
	return nil
}
