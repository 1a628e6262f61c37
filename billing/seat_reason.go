package billing

import (
	"strings"

	"usher/billing/account"
	"usher/billing/phrase"
)

// Reasons of the seat ledger that are about no person, beside [ReasonResent] and [ReasonBought].
const (
	reasonSubscriptionChanged = "Stripe's subscription changed"
	reasonRecounted           = "the seats were counted again"
	reasonReconciled          = "compared with Stripe"
	reasonRetried             = "a retry was requested"
	reasonChecked             = "checked before the seat update"
	reasonUnanswered          = "checked an unanswered seat update"
	reasonPeopleConfirmed     = "the number of people was confirmed"
	reasonReleased            = "unused seats were released before the renewal"
)

// reasonPhrases are the reasons that the seat ledger stores, in English, as texts to show.
var reasonPhrases = map[string]phrase.Phrase{
	account.ReasonAdded:          phrase.Of("was added"),
	account.ReasonAccepted:       phrase.Of("accepted an invitation"),
	account.ReasonSeatGiven:      phrase.Of("was given a seat"),
	account.ReasonSeatTaken:      phrase.Of("lost their seat"),
	account.ReasonSuspended:      phrase.Of("was suspended"),
	account.ReasonReactivated:    phrase.Of("was reactivated"),
	account.ReasonRemoved:        phrase.Of("was removed"),
	account.ReasonLeft:           phrase.Of("left the organization"), // "5 left" is another word
	account.ReasonAccountDeleted: phrase.Of("deleted their account"),

	ReasonResent:              phrase.Of("the number at Stripe was corrected"),
	ReasonBought:              phrase.Of("the subscription began"),
	reasonSubscriptionChanged: phrase.Of("Stripe's subscription changed"),
	reasonRecounted:           phrase.Of("the seats were counted again"),
	reasonReconciled:          phrase.Of("compared with Stripe"),
	reasonRetried:             phrase.Of("a retry was requested"),
	reasonChecked:             phrase.Of("checked before the seat update"),
	reasonUnanswered:          phrase.Of("checked an unanswered seat update"),
	reasonPeopleConfirmed:     phrase.Of("the number of people was confirmed"),
	reasonReleased:            phrase.Of("unused seats were released before the renewal"),
}

// keyReason returns a reason that ends with the name of an API key as a text to show.
func keyReason(reason string) (phrase.Phrase, bool) {
	after := func(prefix string) phrase.Arg { return phrase.Name(strings.TrimPrefix(reason, prefix)) }
	switch {
	case strings.HasPrefix(reason, account.ReasonKeyAdded):
		return phrase.Of("was added by the API key %s", after(account.ReasonKeyAdded)), true
	case strings.HasPrefix(reason, account.ReasonKeyRemoved):
		return phrase.Of("was removed by the API key %s", after(account.ReasonKeyRemoved)), true
	case strings.HasPrefix(reason, account.ReasonKeySeatGiven):
		return phrase.Of("was given a seat by the API key %s", after(account.ReasonKeySeatGiven)), true
	case strings.HasPrefix(reason, account.ReasonKeySeatTaken):
		return phrase.Of("lost their seat by the API key %s", after(account.ReasonKeySeatTaken)), true
	case strings.HasPrefix(reason, account.ReasonKeySuspended):
		return phrase.Of("was suspended by the API key %s", after(account.ReasonKeySuspended)), true
	case strings.HasPrefix(reason, account.ReasonKeyReactivated):
		return phrase.Of("was reactivated by the API key %s", after(account.ReasonKeyReactivated)), true
	}
	return phrase.Phrase{}, false
}

// ReasonPhrase returns a reason of the seat ledger as a text to show. One of an earlier version
// stays English.
func ReasonPhrase(reason string) phrase.Phrase {
	if known, found := reasonPhrases[reason]; found {
		return known
	}
	if known, found := keyReason(reason); found {
		return known
	}
	if domain, found := strings.CutPrefix(reason, account.ReasonDomain); found {
		return phrase.Of("joined by the domain %s", phrase.Name(domain))
	}
	if role, found := strings.CutPrefix(reason, account.ReasonRole); found {
		return phrase.Of("was made %s", phrase.Name(role))
	}
	return phrase.Verbatim(reason)
}
