package mail

import (
	"cmp"
	"context"

	"usher/billing/mail"
	"usher/views/locale"
)

// identityLetter is an e-mail about an identity that was linked or unlinked.
func identityLetter(ctx context.Context, d mail.Data, state, can, remedy string) letter {
	provider := cmp.Or(d.Provider, locale.T(ctx, "your identity provider"))
	who := "Someone"
	if d.Address != "" {
		who = d.Address
	}
	l := securityLetter(ctx, d, locale.T(ctx, "Sign-in with %s is %s", provider, state), locale.T(ctx, "%s at %s %s your account.", who, provider, can))
	l.closing = sentences(remedy)
	return l
}

func identityLinkedLetter(ctx context.Context, d mail.Data) letter {
	return identityLetter(ctx, d, "on", locale.T(ctx, "can now sign in to"),
		locale.T(ctx, "If it wasn't you, unlink it now, choose a new password, and contact support."))
}

func identityUnlinkedLetter(ctx context.Context, d mail.Data) letter {
	return identityLetter(ctx, d, "off", locale.T(ctx, "can no longer sign in to"),
		locale.T(ctx, "If it wasn't you, choose a new password now, and contact support."))
}
