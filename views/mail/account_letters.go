package mail

import (
	"cmp"

	"usher/billing/mail"
)

func emailChangeLetter(d mail.Data) letter {
	return letter{
		subject: "Confirm the change of your e-mail address",
		opening: sentences(
			"Somebody, most likely you, wants to change the e-mail address of your account to "+cmp.Or(d.Address, "another one")+".",
			"It changes once both addresses have confirmed it.",
		),
		button: linkTo("Confirm or stop the change", d),
		closing: sentences(
			onlyIf(!d.ExpiresAt.IsZero(), "The link works until "+formatDeadline(d.ExpiresAt)+"."),
			"If it wasn't you, open the link, stop the change, and choose a new password: somebody knows yours.",
		),
		why: "You get this because it is the address of your account.",
	}
}

func newEmailLetter(d mail.Data) letter {
	return letter{
		subject: "Confirm your new e-mail address",
		opening: sentences("You asked to sign in with this address. It changes once this and your present address have confirmed it."),
		button:  linkTo("Confirm this address", d),
		closing: sentences(
			onlyIf(!d.ExpiresAt.IsZero(), "The link works until "+formatDeadline(d.ExpiresAt)+"."), "If it wasn't you, ignore this e-mail: nothing changes.",
		),
		why: "You get this because somebody gave this address as their new one.",
	}
}

func emailTakenLetter(d mail.Data) letter {
	return letter{
		subject: "This address already has an account",
		opening: sentences("Somebody, most likely you, wanted to use this address for another account. An address can have one account only. Nothing has changed."),
		button:  linkTo("Sign in", d),
		closing: sentences("If it wasn't you, ignore this e-mail."),
		why:     "You get this because somebody gave this address as their new one.",
	}
}

func emailChangedLetter(d mail.Data) letter {
	return letter{
		subject: "Your e-mail address was changed",
		opening: sentences("You sign in with " + cmp.Or(d.Address, "your new address") + " from now on. Both addresses had confirmed it."),
		button:  linkTo("Your settings", d),
		closing: sentences("If it wasn't you, write to whoever runs this site at once."),
		why:     "You get this because this was the address of your account.",
	}
}
