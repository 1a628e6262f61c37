package mail

import (
	"context"

	"usher/billing/mail"
	"usher/views/locale"
)

func emailChangeLetter(ctx context.Context, d mail.Data) letter {
	asked := locale.T(ctx, "Someone, most likely you, asked to change the e-mail address of your account to another one.")
	if d.Address != "" {
		asked = locale.T(ctx, "Someone, most likely you, asked to change the e-mail address of your account to %s.", d.Address)
	}
	return letter{
		subject: locale.T(ctx, "Confirm your change of e-mail address"),
		opening: sentences(
			asked,
			locale.T(ctx, "It changes once both addresses have confirmed it."),
		),
		button: linkTo(locale.T(ctx, "Confirm or stop the change"), d),
		closing: sentences(
			untilExpiry(ctx, d),
			locale.T(ctx, "If it wasn't you, open the link, stop the change, and choose a new password: someone knows yours."),
		),
		why: locale.T(ctx, "You get this e-mail because this is the address of your account."),
	}
}

func newEmailLetter(ctx context.Context, d mail.Data) letter {
	return letter{
		subject: locale.T(ctx, "Confirm your new e-mail address"),
		opening: sentences(locale.T(ctx, "You asked to sign in with this address. The change takes effect once both this and your current address have confirmed it.")),
		button:  linkTo(locale.T(ctx, "Confirm this address"), d),
		closing: sentences(
			untilExpiry(ctx, d),
			locale.T(ctx, "If it wasn't you, you can ignore this e-mail: nothing changes."),
		),
		why: locale.T(ctx, "You get this e-mail because someone entered this address as their new one."),
	}
}

func emailTakenLetter(ctx context.Context, d mail.Data) letter {
	return letter{
		subject: locale.T(ctx, "This address already has an account"),
		opening: sentences(locale.T(ctx, "Someone, most likely you, tried to use this address for another account. An address can only have one account, so nothing has changed.")),
		button:  linkTo(locale.T(ctx, "Sign in"), d),
		closing: sentences(locale.T(ctx, "If it wasn't you, you can ignore this e-mail.")),
		why:     locale.T(ctx, "You get this e-mail because someone entered this address as their new one."),
	}
}

func emailChangedLetter(ctx context.Context, d mail.Data) letter {
	changed := locale.T(ctx, "From now on, sign in with your new address. Both addresses confirmed the change.")
	if d.Address != "" {
		changed = locale.T(ctx, "From now on, sign in with %s. Both addresses confirmed the change.", d.Address)
	}
	return letter{
		subject: locale.T(ctx, "Your e-mail address was changed"),
		opening: sentences(changed),
		button:  linkTo(locale.T(ctx, "Open your settings"), d),
		closing: sentences(locale.T(ctx, "If it wasn't you, contact support right away.")),
		why:     locale.T(ctx, "You get this e-mail because this was the address of your account."),
	}
}
