package mail

import (
	"cmp"

	"usher/billing/mail"
)

// identityLetter is an e-mail about an identity that was linked or unlinked.
func identityLetter(d mail.Data, state, can, remedy string) letter {
	provider := cmp.Or(d.Provider, "your identity provider")
	who := "Someone"
	if d.Address != "" {
		who = d.Address
	}
	l := securityLetter(d, "Sign-in with "+provider+" is "+state, who+" at "+provider+" "+can+" your account.")
	l.closing = sentences(remedy)
	return l
}

func identityLinkedLetter(d mail.Data) letter {
	return identityLetter(d, "on", "can now sign in to",
		"If it wasn't you, unlink it now, choose a new password, and contact support.")
}

func identityUnlinkedLetter(d mail.Data) letter {
	return identityLetter(d, "off", "can no longer sign in to",
		"If it wasn't you, choose a new password now, and contact support.")
}
