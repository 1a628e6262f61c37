package handlers

import (
	"context"
	"slices"

	"usher/views/locale"
)

// seatReasons are the texts of the seat ledger, which billing and account store in English. Those
// about a person continue the person's name.
var seatReasons = []string{
	locale.Mark("accepted an invitation"), locale.Mark("was added"), locale.Mark("was given a seat"), locale.Mark("lost their seat"),
	locale.Mark("was suspended"), locale.Mark("was reactivated"), locale.Mark("was removed"), locale.Mark("joined"), locale.Mark("deleted their account"),
	locale.Mark("the number at Stripe was corrected"), locale.Mark("the subscription began"), locale.Mark("the seats were counted again"),
	locale.Mark("a retry was requested"), locale.Mark("compared with Stripe"), locale.Mark("checked before the seat update"),
	locale.Mark("checked an unanswered seat update"), locale.Mark("unused seats were released before the renewal"), locale.Mark("Stripe's subscription changed"),
}

// seatReasonIn translates a text of the seat ledger. A text of an earlier version stays English.
func seatReasonIn(ctx context.Context, reason string) string {
	if reason == "left" && locale.Of(ctx) != locale.English { // "5 left" is another word
		return locale.T(ctx, "left the organization")
	}
	if slices.Contains(seatReasons, reason) {
		return locale.Lookup(ctx, reason)
	}
	return reason
}
