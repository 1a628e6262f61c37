package mail

import (
	"cmp"
	"context"

	"usher/billing/mail"
	"usher/views/locale"
)

// identityOf names the address of an identity and its provider.
func identityOf(ctx context.Context, d mail.Data) (address, provider string) {
	return cmp.Or(d.Address, locale.T(ctx, "Someone")), cmp.Or(d.Provider, locale.T(ctx, "your identity provider"))
}

func identityLinkedLetter(ctx context.Context, d mail.Data) letter {
	address, provider := identityOf(ctx, d)
	l := securityLetter(ctx, d, locale.T(ctx, "Sign-in with %s is on", provider), locale.T(ctx, "%s at %s can now sign in to your account.", address, provider))
	l.closing = sentences(locale.T(ctx, "If it wasn't you, unlink it now, choose a new password, and contact support."))
	return l
}

func identityUnlinkedLetter(ctx context.Context, d mail.Data) letter {
	address, provider := identityOf(ctx, d)
	l := securityLetter(ctx, d, locale.T(ctx, "Sign-in with %s is off", provider), locale.T(ctx, "%s at %s can no longer sign in to your account.", address, provider))
	l.closing = sentences(locale.T(ctx, "If it wasn't you, choose a new password now, and contact support."))
	return l
}
