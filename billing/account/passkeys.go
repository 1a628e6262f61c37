package account

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"usher/billing/apperr"
	"usher/billing/mail"
)

// Passkeys adds and removes passkeys and checks their assertions. A passkey is a second factor;
// with its user verified by the authenticator it is both factors at once.
type Passkeys struct {
	*base
	factors      *SecondFactors
	relyingParty *relyingParty // nil: BASE_URL allows no passkeys
	policy       SignInPolicy
}

const (
	// PasskeyCeremonyLifetime is how long the response of an authenticator is accepted. WebAuthn
	// level 3 recommends 5 to 10 minutes.
	PasskeyCeremonyLifetime = 5 * time.Minute
	// MaxPasskeys is the maximum number of passkeys of a user.
	MaxPasskeys = 20
	// userHandleLength is the recommended length of a user handle, in bytes (WebAuthn level 3,
	// section 14.6.1). It is random, so that it identifies nobody elsewhere.
	userHandleLength = 64
)

// Messages about passkeys.
const (
	MessageNoPasskeys       = "Passkeys work only over https, at a name and not at an IP address."
	MessageNoPasskey        = "You have no passkey here."
	messageTooManyPasskeys  = "You have %d passkeys already. Remove one that you don't use."
	messagePasskeyElsewhere = "Another passkey was added at the same time. Please try again."
)

// Available reports whether browsers allow passkeys at the public origin.
func (pk *Passkeys) Available() bool { return pk.relyingParty != nil }

// OfUser lists the passkeys of a user, oldest first.
func (pk *Passkeys) OfUser(ctx context.Context, userID string) ([]Passkey, error) {
	return pk.store.Passkeys().OfUser(ctx, userID)
}

// BeginAdd requests a new passkey for a user. Errors: CodeConflict if there are too many, or none
// are possible.
func (pk *Passkeys) BeginAdd(ctx context.Context, userID string) (PasskeyCeremony, error) {
	owner, err := pk.owner(ctx, userID)
	if err != nil {
		return PasskeyCeremony{}, err
	}
	if err := requireRoom(owner.passkeys); err != nil {
		return PasskeyCeremony{}, err
	}
	if owner.handle == nil {
		owner.handle = make([]byte, userHandleLength)
		if _, err := io.ReadFull(pk.Rand, owner.handle); err != nil {
			return PasskeyCeremony{}, fmt.Errorf("generate user handle: %w", err)
		}
	}
	return pk.relyingParty.creation(owner)
}

// owner returns a user with handle and passkeys; the handle is nil before the first passkey.
// Errors: [apperr.ErrNotFound]; CodeConflict if passkeys are not possible.
func (pk *Passkeys) owner(ctx context.Context, userID string) (owner passkeyOwner, err error) {
	if !pk.Available() {
		return owner, apperr.Errorf(apperr.CodeConflict, MessageNoPasskeys)
	}
	if owner.user, err = pk.store.Users().Get(ctx, userID); err != nil {
		return owner, err
	}
	if owner.handle, _, err = apperr.Found(pk.store.Passkeys().Handle(ctx, userID)); err != nil {
		return owner, err
	}
	owner.passkeys, err = pk.OfUser(ctx, userID)
	return owner, err
}

func requireRoom(passkeys []Passkey) error {
	if len(passkeys) >= MaxPasskeys {
		return apperr.Errorf(apperr.CodeConflict, messageTooManyPasskeys, MaxPasskeys)
	}
	return nil
}

// Add stores the passkey of a response to [Passkeys.BeginAdd]. If it is the user's first second
// factor, it returns their recovery codes, which cannot be read again. Errors: CodeUnprocessable
// with the field name, or with a [PasskeyFailure]; CodeConflict if the passkey is known already,
// or there are too many.
func (pk *Passkeys) Add(ctx context.Context, userID, name, state string, response []byte) ([]string, error) {
	name, err := passkeyName(name)
	if err != nil {
		return nil, err
	}
	owner, err := pk.owner(ctx, userID)
	if err != nil {
		return nil, err
	}
	if owner.handle, err = handleOf(state); err != nil {
		return nil, err
	}
	passkey, err := pk.relyingParty.create(owner, state, response)
	if err != nil {
		pk.logRefusal(ctx, err)
		return nil, fmt.Errorf("add passkey: %w", err)
	}
	passkey.ID, passkey.Name, passkey.CreatedAt = pk.NewID("pky"), name, pk.Wall()
	codes, err := pk.insert(ctx, passkey, owner.handle)
	if err != nil {
		return nil, fmt.Errorf("add passkey: %w", err)
	}
	pk.Log.InfoContext(ctx, "passkey added", "user_id", userID)
	return codes, nil
}

// passkeyName checks the name of a passkey. Error: CodeUnprocessable with the field name.
func passkeyName(name string) (string, error) {
	name = CleanName(name)
	if name == "" || utf8.RuneCountInString(name) > maxNameLength {
		return "", apperr.FieldError("name", "Please name the passkey, in %d characters or fewer.", maxNameLength)
	}
	return name, nil
}

// insert returns recovery codes if the passkey is the first second factor.
func (pk *Passkeys) insert(ctx context.Context, passkey Passkey, handle []byte) ([]string, error) {
	codes, hashes, err := pk.factors.newRecoveryCodes(passkey.UserID)
	if err != nil {
		return nil, err
	}
	first := false
	err = pk.store.InTx(ctx, func(tx Tx) error {
		user, err := tx.Users().Lock(ctx, passkey.UserID)
		if err != nil {
			return err
		}
		if err := pk.keepHandle(ctx, tx, user.ID, handle); err != nil {
			return err
		}
		passkeys, err := tx.Passkeys().OfUser(ctx, user.ID)
		if err != nil {
			return err
		}
		if err := requireRoom(passkeys); err != nil {
			return err
		}
		if err := tx.Passkeys().Insert(ctx, passkey); err != nil {
			return err
		}
		if first = user.SecondFactorAt == nil; first {
			if err := tx.SecondFactors().ReplaceCodes(ctx, user.ID, hashes); err != nil {
				return err
			}
		}
		return pk.changed(ctx, tx, user, passkey, ActPasskeyAdded, mail.KindPasskeyAdded, true)
	})
	if err != nil || !first {
		return nil, err
	}
	return codes, nil
}

// keepHandle stores the user handle with the first passkey. A handle that was generated in another
// tab at the same time wins.
func (pk *Passkeys) keepHandle(ctx context.Context, tx Tx, userID string, handle []byte) error {
	kept, found, err := apperr.Found(tx.Passkeys().Handle(ctx, userID))
	switch {
	case err != nil:
		return err
	case !found:
		return tx.Passkeys().InsertHandle(ctx, userID, handle)
	case !bytes.Equal(kept, handle):
		return apperr.Errorf(apperr.CodeConflict, messagePasskeyElsewhere)
	}
	return nil
}

// changed records that a passkey was added or removed and queues the e-mail about it: somebody
// else may have done it. protected: the account still has a second factor.
func (pk *Passkeys) changed(ctx context.Context, tx Tx, user User, passkey Passkey, act Act, kind mail.Kind, protected bool) error {
	if err := pk.record(ctx, tx, user.did(act, "").To(passkey.ID, passkey.Name)); err != nil {
		return err
	}
	return pk.factors.outbox.Queue(ctx, tx, mail.Message{
		Kind: kind, To: user.Email, Key: string(kind) + ":" + passkey.ID,
		Data: mail.Data{Name: user.Name, At: pk.Wall(), Passkey: passkey.Name, Protected: protected, URL: pk.factors.securityURL()},
	})
}

// Rename changes the name of a user's passkey. Errors: CodeUnprocessable with the field name;
// [apperr.ErrNotFound].
func (pk *Passkeys) Rename(ctx context.Context, userID, id, name string) error {
	err := pk.store.InTx(ctx, func(tx Tx) error {
		user, passkey, err := lockOwner(ctx, tx, userID, id)
		if err != nil {
			return err
		}
		name, err := passkeyName(name)
		if err != nil || passkey.Name == name {
			return err
		}
		if _, err := tx.Passkeys().Rename(ctx, userID, id, name); err != nil {
			return err
		}
		return pk.record(ctx, tx, user.did(ActPasskeyRenamed, "").To(id, name).Changed(AuditValues{"name": passkey.Name}, AuditValues{"name": name}))
	})
	if err != nil {
		return fmt.Errorf("rename passkey: %w", err)
	}
	return nil
}

// lockOwner locks a user and returns one of their passkeys. Error: [apperr.ErrNotFound].
func lockOwner(ctx context.Context, tx Tx, userID, id string) (User, Passkey, error) {
	user, err := tx.Users().Lock(ctx, userID)
	if err != nil {
		return user, Passkey{}, err
	}
	passkeys, err := tx.Passkeys().OfUser(ctx, userID)
	if err != nil {
		return user, Passkey{}, err
	}
	for _, passkey := range passkeys {
		if passkey.ID == id {
			return user, passkey, nil
		}
	}
	return user, Passkey{}, apperr.ErrNotFound
}

// Remove deletes a user's passkey, and the recovery codes if it was the last second factor. It
// reports whether one is left. Error: [apperr.ErrNotFound].
func (pk *Passkeys) Remove(ctx context.Context, userID, id string) (protected bool, err error) {
	err = pk.store.InTx(ctx, func(tx Tx) error {
		user, passkey, err := lockOwner(ctx, tx, userID, id)
		if err != nil {
			return err
		}
		if _, err := tx.Passkeys().Delete(ctx, userID, id); err != nil {
			return err
		}
		after, err := tx.Users().Get(ctx, userID)
		if err != nil {
			return err
		}
		protected = after.SecondFactorAt != nil
		return pk.changed(ctx, tx, user, passkey, ActPasskeyRemoved, mail.KindPasskeyRemoved, protected)
	})
	if err != nil {
		return false, fmt.Errorf("remove passkey: %w", err)
	}
	pk.Log.InfoContext(ctx, "passkey removed", "user_id", userID, "second_factor", protected)
	return protected, nil
}

// SignsIn reports whether a passkey alone signs people in. Where passwords are off, the identity
// provider decides who comes in, and a passkey is a second step only.
func (pk *Passkeys) SignsIn() bool { return pk.Available() && !pk.policy.PasswordsOff }

// requireSignIn returns CodeConflict if passkeys are not possible, and CodeForbidden if one alone
// signs nobody in.
func (pk *Passkeys) requireSignIn() error {
	if !pk.Available() {
		return apperr.Errorf(apperr.CodeConflict, MessageNoPasskeys)
	}
	return pk.policy.requirePasswords()
}

// BeginLogIn requests an assertion of any passkey. The request is the same for everybody, so that
// it says nothing about accounts. Errors: CodeConflict if passkeys are not possible; CodeForbidden
// unless [Passkeys.SignsIn].
func (pk *Passkeys) BeginLogIn() (PasskeyCeremony, error) {
	if err := pk.requireSignIn(); err != nil {
		return PasskeyCeremony{}, err
	}
	return pk.relyingParty.requestDiscoverable()
}

// LogIn returns the owner of the passkey that has responded to [Passkeys.BeginLogIn]. The
// authenticator has verified the person: that is both factors. Errors: CodeUnprocessable with a
// [PasskeyFailure], the same for every reason; as [Passkeys.BeginLogIn].
func (pk *Passkeys) LogIn(ctx context.Context, state string, response []byte) (User, error) {
	if err := pk.requireSignIn(); err != nil {
		return User{}, err
	}
	owner, asserted, err := pk.relyingParty.checkDiscoverable(state, response, func(handle []byte) (passkeyOwner, error) {
		return pk.ownerOfHandle(ctx, handle)
	})
	if err == nil {
		err = pk.accept(ctx, owner.user, asserted)
	}
	if err != nil {
		pk.logRefusal(ctx, err)
		return User{}, fmt.Errorf("log in with passkey: %w", err)
	}
	pk.Log.InfoContext(ctx, "passkey accepted", "user_id", owner.user.ID, "passkey_id", asserted.passkey.ID, "alone", true)
	return owner.user, nil
}

// ownerOfHandle returns the user with a handle. Error: [apperr.ErrNotFound], also for a deleted
// user whose passkeys a program of the release before has left.
func (pk *Passkeys) ownerOfHandle(ctx context.Context, handle []byte) (passkeyOwner, error) {
	user, err := pk.store.Passkeys().OfHandle(ctx, handle)
	if err != nil {
		return passkeyOwner{}, err
	}
	if !mail.ValidAddress(user.Email) {
		return passkeyOwner{}, apperr.ErrNotFound
	}
	passkeys, err := pk.OfUser(ctx, user.ID)
	return passkeyOwner{user: user, handle: handle, passkeys: passkeys}, err
}

// Begin requests an assertion of one of a user's passkeys. alone: it stands for both factors, as
// when a signed-in person is authenticated again. Error: CodeConflict if the user has none.
func (pk *Passkeys) Begin(ctx context.Context, userID string, alone bool) (PasskeyCeremony, error) {
	owner, err := pk.owner(ctx, userID)
	if err != nil {
		return PasskeyCeremony{}, err
	}
	if len(owner.passkeys) == 0 {
		return PasskeyCeremony{}, apperr.Errorf(apperr.CodeConflict, MessageNoPasskey)
	}
	return pk.relyingParty.request(owner, alone)
}

// Verify checks the response to [Passkeys.Begin]. Error: CodeUnprocessable with a
// [PasskeyFailure].
func (pk *Passkeys) Verify(ctx context.Context, userID, state string, response []byte) error {
	owner, err := pk.owner(ctx, userID)
	if err != nil {
		return err
	}
	asserted, err := pk.relyingParty.check(owner, state, response)
	if err == nil {
		err = pk.accept(ctx, owner.user, asserted)
	}
	if err != nil {
		pk.logRefusal(ctx, err)
		return fmt.Errorf("verify passkey: %w", err)
	}
	pk.Log.InfoContext(ctx, "passkey accepted", "user_id", userID, "passkey_id", asserted.passkey.ID, "alone", false)
	return nil
}

// accept stores the use of a passkey. It refuses a challenge that was accepted before, and a
// counter that did not grow: there may be a copy of the key (WebAuthn level 3, section 6.1.1).
// Synced passkeys do not count, and report 0 always.
func (pk *Passkeys) accept(ctx context.Context, user User, a assertion) error {
	return pk.store.InTx(ctx, func(tx Tx) error {
		stored, found, err := apperr.Found(tx.Passkeys().Lock(ctx, a.passkey.ID))
		switch {
		case err != nil:
			return err
		case !found || stored.UserID != user.ID:
			return refusedPasskey(ReasonUnknownPasskey, user, "")
		case bytes.Equal(stored.LastChallenge, a.challenge):
			return refusedPasskey(ReasonReplayedPasskey, user, stored.ID)
		case a.signCount <= stored.SignCount && (a.signCount != 0 || stored.SignCount != 0):
			return refusedPasskey(ReasonCopiedPasskey, user, fmt.Sprintf("%s counts %d after %d", stored.ID, a.signCount, stored.SignCount))
		}
		now := pk.Wall()
		stored.SignCount, stored.BackedUp, stored.LastChallenge, stored.LastUsedAt = a.signCount, a.backedUp, a.challenge, &now
		return tx.Passkeys().Update(ctx, stored)
	})
}

func (pk *Passkeys) logRefusal(ctx context.Context, err error) {
	var failure *PasskeyFailure
	if errors.As(err, &failure) {
		pk.Log.WarnContext(ctx, "passkey refused", "reason", failure.Reason, "user_id", failure.UserID, "detail", strings.ToValidUTF8(failure.Detail, ""))
	}
}
