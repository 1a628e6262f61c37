package mail

import "usher/views/locale"

// billingTexts come with the data of an e-mail: package billing writes them in English, and the
// letters show them with [locale.Lookup]. They are listed to be marked.
var billingTexts = []string{
	// Why a payment failed, and what helps (billing.DeclineOf).
	locale.Mark("the card has insufficient funds"), locale.Mark("Add funds or use another card."),
	locale.Mark("the card is over its limit"), locale.Mark("Use another card."),
	locale.Mark("the card has expired"), locale.Mark("Update the card to pay."),
	locale.Mark("the card's expiry date is wrong"),
	locale.Mark("the card number is wrong"),
	locale.Mark("the card's security code is wrong"),
	locale.Mark("the postal code does not match the card"),
	locale.Mark("the card does not support this kind of payment"), locale.Mark("Ask your bank, or use another card."),
	locale.Mark("the card does not support this currency"),
	locale.Mark("the bank does not allow this payment"),
	locale.Mark("the bank has stopped payments to us"),
	locale.Mark("the bank could not be reached"), locale.Mark("Try again in a moment."),
	locale.Mark("the payment could not be processed"),
	locale.Mark("there is no card on file"), locale.Mark("Add a card to pay."),
	locale.Mark("the payment was not confirmed with the bank"), locale.Mark("Try again and confirm it, or use another card."),
	locale.Mark("the bank wants the payment confirmed"), locale.Mark("Confirm it on Stripe's page."),
	locale.Mark("the card was declined"),
	// How a password was changed (billing/account).
	locale.Mark("in your settings"), locale.Mark("with a link that was sent to this address"),
	// What else there is to know about a renewal (billing.UpcomingInvoices).
	locale.Mark("Seat changes are invoiced each month, so a part of this may be charged before."),
}
