package mail

import (
	"usher/billing/mail"
	"usher/views/ui"
)

// securityWhy is the last line of every e-mail about the security of an account.
const securityWhy = "You get this because the security of your account changed."

// securityLetter is an e-mail about a change that somebody else may have made.
func securityLetter(d mail.Data, subject string, opening ...string) letter {
	return letter{
		subject: subject,
		opening: sentences(append(opening, onlyIf(!d.At.IsZero(), "That was on "+formatDeadline(d.At)+"."))...),
		button:  linkTo("Check your account's security", d),
		closing: sentences("If it wasn't you, somebody knows your password: choose a new one at once, and tell us."),
		why:     securityWhy,
	}
}

func secondFactorOnLetter(d mail.Data) letter {
	return securityLetter(d, "Two-step verification is on",
		"Your account is now protected by two-step verification: signing in takes your password and a code from your authenticator app.",
		"Keep your recovery codes somewhere safe. They let you in if you lose your phone.")
}

func secondFactorOffLetter(d mail.Data) letter {
	if d.Protected {
		return securityLetter(d, "Your authenticator app was removed",
			"The authenticator app of your account was removed. Your passkeys still protect it.")
	}
	return securityLetter(d, "Two-step verification is off",
		"Two-step verification of your account was turned off. Your password alone now lets you in.")
}

func recoveryCodeUsedLetter(d mail.Data) letter {
	left := "You have " + ui.Plural(d.CodesLeft, "recovery code", "recovery codes") + " left."
	if d.CodesLeft == 0 {
		left = "It was your last one. Please get new recovery codes."
	}
	return securityLetter(d, "A recovery code was used to sign in",
		"Somebody, most likely you, signed in to your account with one of your recovery codes.", left)
}

func recoveryCodesRenewedLetter(d mail.Data) letter {
	return securityLetter(d, "You have new recovery codes",
		"New recovery codes were made for your account. The former ones no longer work.")
}

func passkeyAddedLetter(d mail.Data) letter {
	l := securityLetter(d, "You have a new passkey",
		"A passkey was added to your account"+quotedName(d.Passkey)+". It lets you sign in without your password.",
		"It is the second step too if you sign in with your password.")
	l.closing = sentences("If it wasn't you, remove it there at once and choose a new password, and tell us.")
	return l
}

func passkeyRemovedLetter(d mail.Data) letter {
	left := "Your password alone now lets you in."
	if d.Protected {
		left = "Two-step verification is still on."
	}
	return securityLetter(d, "A passkey was removed", "A passkey of your account was removed"+quotedName(d.Passkey)+".", left)
}

// quotedName returns the end of a clause that names something; empty if the name is unknown.
func quotedName(name string) string {
	if name == "" {
		return ""
	}
	return ": \u201c" + name + "\u201d"
}
