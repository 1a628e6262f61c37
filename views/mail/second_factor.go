package mail

import (
	"usher/billing/mail"
	"usher/views/ui"
)

// securityWhy is the last line of every e-mail about the security of an account.
const securityWhy = "You get this e-mail because the security of your account changed."

// securityLetter is an e-mail about a change that somebody else may have made.
func securityLetter(d mail.Data, subject string, opening ...string) letter {
	return letter{
		subject: subject,
		opening: sentences(append(opening, onlyIf(!d.At.IsZero(), "This happened on "+formatDeadline(d.At)+"."))...),
		button:  linkTo("Check your account's security", d),
		closing: sentences("If it wasn't you, someone knows your password: choose a new one now, and contact support."),
		why:     securityWhy,
	}
}

func secondFactorOnLetter(d mail.Data) letter {
	return securityLetter(d, "Two-step verification is on",
		"Two-step verification now protects your account: you sign in with your password and a code from your authenticator app.",
		"Keep your recovery codes somewhere safe. They let you in if you lose your phone.")
}

func secondFactorOffLetter(d mail.Data) letter {
	if d.Protected {
		return securityLetter(d, "Your authenticator app was removed",
			"The authenticator app was removed from your account. Your passkeys still protect it.")
	}
	return securityLetter(d, "Two-step verification is off",
		"Two-step verification was turned off for your account. You now sign in with your password only.")
}

func recoveryCodeUsedLetter(d mail.Data) letter {
	left := "You have " + ui.Plural(d.CodesLeft, "recovery code", "recovery codes") + " left."
	if d.CodesLeft == 0 {
		left = "It was your last one: create new recovery codes now."
	}
	return securityLetter(d, "A recovery code was used to sign in",
		"Someone, most likely you, signed in to your account with one of your recovery codes.", left)
}

func recoveryCodesRenewedLetter(d mail.Data) letter {
	return securityLetter(d, "You have new recovery codes",
		"New recovery codes were created for your account. The previous ones no longer work.")
}

func passkeyAddedLetter(d mail.Data) letter {
	l := securityLetter(d, "You have a new passkey",
		"A passkey was added to your account"+quotedName(d.Passkey)+". It lets you sign in without your password.",
		"It also works as the second step when you sign in with your password.")
	l.closing = sentences("If it wasn't you, remove it now, choose a new password, and contact support.")
	return l
}

func passkeyRemovedLetter(d mail.Data) letter {
	left := "You now sign in with your password only."
	if d.Protected {
		left = "Two-step verification is still on."
	}
	return securityLetter(d, "A passkey was removed", "A passkey was removed from your account"+quotedName(d.Passkey)+".", left)
}

// quotedName returns the end of a clause that names something; empty if the name is unknown.
func quotedName(name string) string {
	if name == "" {
		return ""
	}
	return ": \u201c" + name + "\u201d"
}
