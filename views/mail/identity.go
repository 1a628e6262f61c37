package mail

import (
	"cmp"

	"usher/billing/mail"
)

// identityLetter is an e-mail about an identity that was linked or unlinked.
func identityLetter(d mail.Data, state, can, remedy string) letter {
	provider := cmp.Or(d.Provider, "your identity provider")
	who := "Somebody"
	if d.Address != "" {
		who = d.Address
	}
	l := securityLetter(d, "Sign-in with "+provider+" is "+state, who+" there "+can+" your account here.")
	l.closing = sentences(remedy)
	return l
}

func identityLinkedLetter(d mail.Data) letter {
	return identityLetter(d, "on", "can now sign in to",
		"If it wasn't you, unlink it at once, choose a new password, and tell us.")
}

func identityUnlinkedLetter(d mail.Data) letter {
	return identityLetter(d, "off", "can no longer sign in to",
		"If it wasn't you, choose a new password at once, and tell us.")
}
