package mail

import (
	"context"

	"usher/billing/mail"
	"usher/views/locale"
)

// securityLetter is an e-mail about a change that somebody else may have made.
func securityLetter(ctx context.Context, d mail.Data, subject string, opening ...string) letter {
	return letter{
		subject: subject,
		opening: sentences(append(opening, onlyIf(!d.At.IsZero(), locale.T(ctx, "This happened on %s.", locale.DateTime(ctx, d.At))))...),
		button:  linkTo(locale.T(ctx, "Check your account's security"), d),
		closing: sentences(locale.T(ctx, "If it wasn't you, someone knows your password: choose a new one now, and contact support.")),
		why:     locale.T(ctx, "You get this e-mail because the security of your account changed."),
	}
}

func secondFactorOnLetter(ctx context.Context, d mail.Data) letter {
	return securityLetter(ctx, d, locale.T(ctx, "Two-step verification is on"),
		locale.T(ctx, "Two-step verification now protects your account: you sign in with your password and a code from your authenticator app."),
		locale.T(ctx, "Keep your recovery codes somewhere safe. They let you in if you lose your phone."))
}

func secondFactorOffLetter(ctx context.Context, d mail.Data) letter {
	if d.Protected {
		return securityLetter(ctx, d, locale.T(ctx, "Your authenticator app was removed"),
			locale.T(ctx, "The authenticator app was removed from your account. Your passkeys still protect it."))
	}
	return securityLetter(ctx, d, locale.T(ctx, "Two-step verification is off"),
		locale.T(ctx, "Two-step verification was turned off for your account. You now sign in with your password only."))
}

func recoveryCodeUsedLetter(ctx context.Context, d mail.Data) letter {
	left := locale.N(ctx, "You have %s recovery code left.", "You have %s recovery codes left.", d.CodesLeft)
	if d.CodesLeft == 0 {
		left = locale.T(ctx, "It was your last one: create new recovery codes now.")
	}
	return securityLetter(ctx, d, locale.T(ctx, "A recovery code was used to sign in"),
		locale.T(ctx, "Someone, most likely you, signed in to your account with one of your recovery codes."), left)
}

func recoveryCodesRenewedLetter(ctx context.Context, d mail.Data) letter {
	return securityLetter(ctx, d, locale.T(ctx, "You have new recovery codes"),
		locale.T(ctx, "New recovery codes were created for your account. The previous ones no longer work."))
}

func passkeyAddedLetter(ctx context.Context, d mail.Data) letter {
	added := locale.T(ctx, "A passkey was added to your account. It lets you sign in without your password.")
	if d.Passkey != "" {
		added = locale.T(ctx, "A passkey was added to your account: “%s”. It lets you sign in without your password.", d.Passkey)
	}
	l := securityLetter(ctx, d, locale.T(ctx, "You have a new passkey"), added,
		locale.T(ctx, "It also works as the second step when you sign in with your password."))
	l.closing = sentences(locale.T(ctx, "If it wasn't you, remove it now, choose a new password, and contact support."))
	return l
}

func passkeyRemovedLetter(ctx context.Context, d mail.Data) letter {
	removed, left := locale.T(ctx, "A passkey was removed from your account."), locale.T(ctx, "You now sign in with your password only.")
	if d.Passkey != "" {
		removed = locale.T(ctx, "A passkey was removed from your account: “%s”.", d.Passkey)
	}
	if d.Protected {
		left = locale.T(ctx, "Two-step verification is still on.")
	}
	return securityLetter(ctx, d, locale.T(ctx, "A passkey was removed"), removed, left)
}
