package account

import (
	"context"

	"usher/billing/apperr"
)

// SignInPolicy says how people get an account and sign in. The zero value is open to everybody,
// with passwords and without an identity provider.
type SignInPolicy struct {
	// Issuer is the identity provider's, as in its ID tokens (OIDC_ISSUER); empty: there is none.
	Issuer string
	// InviteOnly refuses new accounts except of invited people and of identities of Issuer
	// (SIGNUP=invite).
	InviteOnly bool
	// PasswordsOff refuses every password (PASSWORD_LOGIN=off). It needs an Issuer.
	PasswordsOff bool
}

// Messages of the policy.
const (
	MessageInviteOnly   = "New accounts are by invitation here. Ask an admin of your organization to invite you."
	MessagePasswordsOff = "Passwords aren't used here. Sign in with your identity provider instead."
)

func (p SignInPolicy) requireOpenSignUp() error {
	switch {
	case p.PasswordsOff:
		return apperr.Errorf(apperr.CodeForbidden, MessagePasswordsOff)
	case p.InviteOnly:
		return apperr.Errorf(apperr.CodeForbidden, MessageInviteOnly)
	}
	return nil
}

func (p SignInPolicy) requirePasswords() error {
	if p.PasswordsOff {
		return apperr.Errorf(apperr.CodeForbidden, MessagePasswordsOff)
	}
	return nil
}

// CanUsePassword reports whether a user can prove to be one with a password.
func (p SignInPolicy) CanUsePassword(u User) bool { return !p.PasswordsOff && u.HasPassword() }

type recentKey struct{}

// WithRecentAuthentication returns a context whose user was authenticated within
// [RecentAuthentication]. People without a password prove with it what others prove with theirs.
func WithRecentAuthentication(ctx context.Context) context.Context {
	return context.WithValue(ctx, recentKey{}, true)
}

// authenticates reports whether the password is the user's or, if they can't use one, whether they
// were authenticated recently by other means.
func (ps *Passwords) authenticates(ctx context.Context, user User, password string) (bool, error) {
	if !ps.policy.CanUsePassword(user) {
		recent, _ := ctx.Value(recentKey{}).(bool)
		return recent, nil
	}
	return ps.matches(ctx, password, user.PasswordHash)
}
