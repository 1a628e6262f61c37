package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"usher/billing/apperr"
	"usher/billing/mail"
)

// Identities signs people in with their identity at the provider of [SignInPolicy], creates
// accounts for new ones, and links identities to accounts.
//
// An identity is never matched to an account by its address alone unless both sides have verified
// that address. Otherwise whoever signs up first with somebody else's address would share the
// account with its owner (pre-hijacking, https://arxiv.org/abs/2205.10174).
type Identities struct {
	*base
	users   *Users
	outbox  *mail.Outbox
	policy  SignInPolicy
	baseURL string
}

// Assertion is what the provider says about a person who was authenticated there. Its signature,
// issuer, audience, expiry and nonce have been verified.
type Assertion struct {
	Issuer        string
	Subject       string
	Email         string // empty: unknown
	EmailVerified bool   // by the provider
	Name          string // empty: unknown
	// AuthenticatedAt is when the person proved to the provider who they are; zero: unknown.
	AuthenticatedAt time.Time
}

// Normalized returns the assertion with only what can be stored and shown: text that is no e-mail
// address is left out.
func (a Assertion) Normalized() Assertion {
	a.Name = CleanName(a.Name)
	if !mail.ValidAddress(a.Email) {
		a.Email, a.EmailVerified = "", false
	}
	return a
}

// Messages about identities.
const (
	MessageIdentityTaken      = "This identity is linked to another account already."
	MessageIdentityOther      = "You signed in there as somebody else. Sign in with the identity that is linked to your account."
	MessageIdentityLastWay    = "This is your only way to sign in. Set a password first."
	MessageIdentityUnverified = "Confirm your e-mail address first. The link is in the e-mail that you got after signing up; Settings can send it again."
	messageIdentityAddress    = "Your identity provider gave us no e-mail address. Add one there, or ask for an invitation."
)

// Errors of [Identities.SignIn] about an identity that is not linked yet.
var (
	// ErrUnknownIdentity tells that the person is new.
	ErrUnknownIdentity = errors.New("unknown identity")
	// ErrAddressInUse tells that there is an account with the address of an unknown identity, which
	// the person has to sign in to before it is linked.
	ErrAddressInUse = errors.New("the address of the identity has an account")
)

// SignIn returns the user of an identity. An unknown identity is linked first if provider and
// account have both verified the same address and the account has no other identity of the issuer:
// a second one is that of another person to whom the address was given. Errors:
// [ErrUnknownIdentity], [ErrAddressInUse].
func (ids *Identities) SignIn(ctx context.Context, a Assertion) (User, error) {
	var user User
	err := ids.store.InTx(ctx, func(tx Tx) (err error) {
		identity, linked, err := ids.linked(ctx, tx, a)
		if err != nil {
			return err
		}
		if !linked {
			user, err = ids.linkByAddress(ctx, tx, a)
			return err
		}
		if user, err = tx.Users().Get(ctx, identity.UserID); err != nil {
			return err
		}
		identity.Email, identity.LastUsedAt = a.Email, ids.Now()
		return tx.Identities().Touch(ctx, identity)
	})
	if err != nil {
		return User{}, fmt.Errorf("sign in with identity: %w", err)
	}
	return user, nil
}

// linked returns the identity of an assertion; false if it is not linked. A link to a deleted
// account, which the previous release does not remove, is removed.
func (ids *Identities) linked(ctx context.Context, tx Tx, a Assertion) (Identity, bool, error) {
	identity, found, err := apperr.Found(tx.Identities().Get(ctx, a.Issuer, a.Subject))
	if err != nil || !found {
		return identity, false, err
	}
	user, err := tx.Users().Lock(ctx, identity.UserID)
	if err != nil || !user.deleted() {
		return identity, err == nil, err
	}
	_, err = tx.Identities().DeleteOfUser(ctx, user.ID)
	return Identity{}, false, err
}

func (ids *Identities) linkByAddress(ctx context.Context, tx Tx, a Assertion) (User, error) {
	user, found, err := apperr.Found(tx.Users().ByEmail(ctx, a.Email))
	if err != nil {
		return User{}, err
	}
	if !found || a.Email == "" {
		return User{}, ErrUnknownIdentity
	}
	if user, err = tx.Users().Lock(ctx, user.ID); err != nil {
		return User{}, err
	}
	others, err := tx.Identities().OfUser(ctx, user.ID)
	if err != nil {
		return User{}, err
	}
	proved := a.EmailVerified && user.EmailVerifiedAt != nil && mail.SameAddress(user.Email, a.Email)
	if !proved || hasIssuer(others, a.Issuer) {
		return User{}, ErrAddressInUse
	}
	return user, ids.link(ctx, tx, user, a)
}

func hasIssuer(identities []Identity, issuer string) bool {
	for _, identity := range identities {
		if identity.Issuer == issuer {
			return true
		}
	}
	return false
}

// SignUp creates an account for an identity, with an organization whose first admin it is. The
// address is the provider's; one that the provider has not verified has to be confirmed by e-mail.
// Errors: CodeUnprocessable with the fields name and organization; CodeConflict if identity or
// address have an account by now; CodeForbidden without an address.
func (ids *Identities) SignUp(ctx context.Context, a Assertion, name, organization string) (User, Organization, error) {
	name, organization = CleanName(name), CleanName(organization)
	if !mail.ValidAddress(a.Email) {
		return User{}, Organization{}, apperr.Errorf(apperr.CodeForbidden, messageIdentityAddress)
	}
	if err := errors.Join(checkName(name), checkOrganizationName(organization)); err != nil {
		return User{}, Organization{}, err
	}
	now := ids.Now()
	user := User{ID: ids.NewID("usr"), Email: a.Email, Name: name, PasswordHash: noPassword, CreatedAt: now}
	if a.EmailVerified {
		user.EmailVerifiedAt = &now
	}
	founded := Organization{ID: ids.NewID("org"), Name: organization, CreatedAt: now}
	err := ids.store.InTx(ctx, func(tx Tx) error {
		if err := ids.users.insertFounder(ctx, tx, user, founded); err != nil {
			return err
		}
		return ids.insert(ctx, tx, user, a)
	})
	if err != nil {
		return User{}, Organization{}, fmt.Errorf("sign up with identity: %w", err)
	}
	return user, founded, nil
}

// insert links an identity to a user. Error: CodeConflict if it is linked already.
func (ids *Identities) insert(ctx context.Context, tx Tx, user User, a Assertion) error {
	_, linked, err := ids.linked(ctx, tx, a)
	if err != nil {
		return err
	}
	if linked {
		return apperr.Errorf(apperr.CodeConflict, MessageIdentityTaken)
	}
	now := ids.Now()
	return tx.Identities().Insert(ctx, Identity{
		Issuer: a.Issuer, Subject: a.Subject, UserID: user.ID, Email: a.Email, CreatedAt: now, LastUsedAt: now,
	})
}

// OfUser lists the identities that are linked to a user.
func (ids *Identities) OfUser(ctx context.Context, userID string) ([]Identity, error) {
	return ids.store.Identities().OfUser(ctx, userID)
}

// Confirm returns nil if the identity is linked to the user. Error: CodeForbidden if it is not.
func (ids *Identities) Confirm(ctx context.Context, userID string, a Assertion) error {
	identity, found, err := apperr.Found(ids.store.Identities().Get(ctx, a.Issuer, a.Subject))
	if err != nil {
		return fmt.Errorf("confirm identity: %w", err)
	}
	if !found || identity.UserID != userID {
		return apperr.Errorf(apperr.CodeForbidden, MessageIdentityOther)
	}
	return nil
}

// deleted reports whether the account was deleted, see [UserStore.Erase].
func (u User) deleted() bool { return strings.HasPrefix(u.Email, "deleted:") }
