package account

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"usher/billing/apperr"
	"usher/billing/mail"
)

// Link links an identity to a signed-in user. Errors: CodeConflict if it is another user's;
// CodeForbidden if the user's own address is not verified: its owner could not tell that somebody
// else's identity signs in to the account.
func (ids *Identities) Link(ctx context.Context, userID string, a Assertion) error {
	err := ids.store.InTx(ctx, func(tx Tx) error {
		user, err := tx.Users().Lock(ctx, userID)
		if err != nil {
			return err
		}
		identity, linked, err := ids.linked(ctx, tx, a)
		switch {
		case err != nil:
			return err
		case linked && identity.UserID != userID:
			return apperr.Errorf(apperr.CodeConflict, MessageIdentityTaken)
		case linked:
			return nil
		case ids.mustVerify(user, a):
			return apperr.Errorf(apperr.CodeForbidden, MessageIdentityUnverified)
		}
		return ids.link(ctx, tx, user, a)
	})
	if err != nil {
		return fmt.Errorf("link identity: %w", err)
	}
	return nil
}

// mustVerify reports whether a user has to verify the address before an identity is linked. It is
// verified by an identity that has the same one: the person knows the password and owns the
// address. Without a mail server addresses cannot be verified.
func (ids *Identities) mustVerify(user User, a Assertion) bool {
	same := a.EmailVerified && mail.SameAddress(user.Email, a.Email)
	return user.EmailVerifiedAt == nil && !same && ids.outbox.Sends()
}

// link inserts the identity and tells the user, who may not have linked it.
func (ids *Identities) link(ctx context.Context, tx Tx, user User, a Assertion) error {
	if err := ids.insert(ctx, tx, user, a); err != nil {
		return err
	}
	if a.EmailVerified && user.EmailVerifiedAt == nil && mail.SameAddress(user.Email, a.Email) {
		if err := tx.Users().MarkEmailVerified(ctx, user.ID, ids.Now()); err != nil {
			return err
		}
	}
	return ids.notify(ctx, tx, user, Identity{Issuer: a.Issuer, Email: a.Email}, mail.KindIdentityLinked, ActIdentityLinked)
}

// Unlink removes an identity of a user. Errors: [apperr.ErrNotFound]; CodeConflict if the user
// could not sign in without it.
func (ids *Identities) Unlink(ctx context.Context, userID, issuer, subject string) error {
	err := ids.store.InTx(ctx, func(tx Tx) error {
		user, err := tx.Users().Lock(ctx, userID)
		if err != nil {
			return err
		}
		all, err := tx.Identities().OfUser(ctx, userID)
		if err != nil {
			return err
		}
		removed, others := Identity{}, []Identity(nil)
		for _, identity := range all {
			if identity.Issuer == issuer && identity.Subject == subject {
				removed = identity
				continue
			}
			others = append(others, identity)
		}
		hasAnotherWay, err := ids.hasWayIn(ctx, tx, user, others)
		if err != nil {
			return err
		}
		switch {
		case removed.UserID == "":
			return apperr.ErrNotFound
		case !hasAnotherWay:
			return apperr.Errorf(apperr.CodeConflict, MessageIdentityLastWay)
		}
		if _, err := tx.Identities().Delete(ctx, userID, issuer, subject); err != nil {
			return err
		}
		return ids.notify(ctx, tx, user, removed, mail.KindIdentityUnlinked, ActIdentityUnlinked)
	})
	if err != nil {
		return fmt.Errorf("unlink identity: %w", err)
	}
	return nil
}

// hasWayIn reports whether a user with these identities can sign in.
func (ids *Identities) hasWayIn(ctx context.Context, tx Tx, user User, identities []Identity) (bool, error) {
	if ids.policy.CanUsePassword(user) || hasIssuer(identities, ids.policy.Issuer) {
		return true, nil
	}
	if ids.policy.PasswordsOff { // and passkeys with them, see [Passkeys.SignsIn]
		return false, nil
	}
	passkeys, err := tx.Passkeys().OfUser(ctx, user.ID)
	return len(passkeys) > 0, err
}

// UnlinkAll removes the identities of the user with an address, on behalf of an operator: the
// person got another one at the provider, which the next sign-in can link. Errors:
// [apperr.ErrNotFound]; CodeConflict if there are none.
func (ids *Identities) UnlinkAll(ctx context.Context, email string) (User, error) {
	var user User
	err := ids.store.InTx(ctx, func(tx Tx) (err error) {
		if user, err = tx.Users().ByEmail(ctx, strings.TrimSpace(email)); err != nil {
			return err
		}
		if user, err = tx.Users().Lock(ctx, user.ID); err != nil {
			return err
		}
		all, err := tx.Identities().OfUser(ctx, user.ID)
		if err != nil {
			return err
		}
		if len(all) == 0 {
			return apperr.Errorf(apperr.CodeConflict, "No identity is linked to this account.")
		}
		if _, err := tx.Identities().DeleteOfUser(ctx, user.ID); err != nil {
			return err
		}
		return ids.notify(ctx, tx, user, all[0], mail.KindIdentityUnlinked, ActIdentityUnlinked)
	})
	if err != nil {
		return user, fmt.Errorf("unlink identities: %w", err)
	}
	return user, nil
}

// notify records a change and queues the e-mail about it.
func (ids *Identities) notify(ctx context.Context, tx Tx, user User, identity Identity, kind mail.Kind, act Act) error {
	entry := user.did(act, "").To(user.ID, user.Name).Changed(nil, AuditValues{"issuer": identity.Issuer})
	if err := ids.record(ctx, tx, entry); err != nil || !mail.ValidAddress(user.Email) {
		return err
	}
	return ids.outbox.Queue(ctx, tx, mail.Message{
		Kind: kind, To: user.Email, Key: string(kind) + ":" + ids.NewID("evt"),
		Data: mail.Data{
			Name: user.Name, Provider: IssuerHost(identity.Issuer), Address: identity.Email, At: ids.Wall(), URL: ids.baseURL + "/settings/security",
		},
	})
}

// IssuerHost names a provider by its host.
func IssuerHost(issuer string) string {
	if u, err := url.Parse(issuer); err == nil && u.Hostname() != "" {
		return u.Hostname()
	}
	return issuer
}
