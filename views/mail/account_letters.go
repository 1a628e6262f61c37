package mail

import (
	"cmp"

	"usher/billing/mail"
)

func emailChangeLetter(d mail.Data) letter {
	return letter{
		subject: "Confirm your change of e-mail address",
		opening: sentences(
			"Someone, most likely you, asked to change the e-mail address of your account to "+cmp.Or(d.Address, "another one")+".",
			"It changes once both addresses have confirmed it.",
		),
		button: linkTo("Confirm or stop the change", d),
		closing: sentences(
			onlyIf(!d.ExpiresAt.IsZero(), "The link works until "+formatDeadline(d.ExpiresAt)+"."),
			"If it wasn't you, open the link, stop the change, and choose a new password: someone knows yours.",
		),
		why: "You get this e-mail because this is the address of your account.",
	}
}

func newEmailLetter(d mail.Data) letter {
	return letter{
		subject: "Confirm your new e-mail address",
		opening: sentences("You asked to sign in with this address. The change takes effect once both this and your current address have confirmed it."),
		button:  linkTo("Confirm this address", d),
		closing: sentences(
			onlyIf(!d.ExpiresAt.IsZero(), "The link works until "+formatDeadline(d.ExpiresAt)+"."), "If it wasn't you, you can ignore this e-mail: nothing changes.",
		),
		why: "You get this e-mail because someone entered this address as their new one.",
	}
}

func emailTakenLetter(d mail.Data) letter {
	return letter{
		subject: "This address already has an account",
		opening: sentences("Someone, most likely you, tried to use this address for another account. An address can only have one account, so nothing has changed."),
		button:  linkTo("Sign in", d),
		closing: sentences("If it wasn't you, you can ignore this e-mail."),
		why:     "You get this e-mail because someone entered this address as their new one.",
	}
}

func emailChangedLetter(d mail.Data) letter {
	return letter{
		subject: "Your e-mail address was changed",
		opening: sentences("From now on, sign in with " + cmp.Or(d.Address, "your new address") + ". Both addresses confirmed the change."),
		button:  linkTo("Open your settings", d),
		closing: sentences("If it wasn't you, contact support right away."),
		why:     "You get this e-mail because this was the address of your account.",
	}
}
