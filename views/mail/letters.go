package mail

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"usher/billing/catalog"
	"usher/billing/mail"
	"usher/views/ui"
)

// letters has a function for each kind of e-mail.
var letters = map[mail.Kind]func(mail.Data) letter{
	mail.KindInvitation:     invitationLetter,
	mail.KindVerifyEmail:    verifyLetter,
	mail.KindPasswordReset:  resetLetter,
	mail.KindEmailChange:    emailChangeLetter,
	mail.KindNewEmail:       newEmailLetter,
	mail.KindEmailTaken:     emailTakenLetter,
	mail.KindEmailChanged:   emailChangedLetter,
	mail.KindPaymentFailed:  paymentFailedLetter,
	mail.KindActionRequired: actionRequiredLetter,
	mail.KindTrialEnding:    trialEndingLetter,
	mail.KindCardExpiring:   cardExpiringLetter,
	mail.KindRenewalNotice:  renewalNoticeLetter,
	mail.KindPriceChange:    priceChangeLetter,
	mail.KindRenewed:        renewedLetter,
	mail.KindCanceled:       canceledLetter,
	mail.KindResumed:        resumedLetter,
	mail.KindPackReceipt:    packReceiptLetter,
	mail.KindSeatSummary:    seatSummaryLetter,

	mail.KindPasswordChanged:   passwordChangedLetter,
	mail.KindDuplicateCanceled: secondPlanEndedLetter,
	mail.KindDeletion:          deletionLetter,

	mail.KindSecondFactorOn:       secondFactorOnLetter,
	mail.KindSecondFactorOff:      secondFactorOffLetter,
	mail.KindRecoveryCodeUsed:     recoveryCodeUsedLetter,
	mail.KindRecoveryCodesRenewed: recoveryCodesRenewedLetter,
	mail.KindPasskeyAdded:         passkeyAddedLetter,
	mail.KindPasskeyRemoved:       passkeyRemovedLetter,
	mail.KindIdentityLinked:       identityLinkedLetter,
	mail.KindIdentityUnlinked:     identityUnlinkedLetter,
}

// sentences drops empty sentences and cleans the others with [oneLine].
func sentences(sentences ...string) []string {
	var all []string
	for _, sentence := range sentences {
		if sentence != "" {
			all = append(all, oneLine(sentence))
		}
	}
	return all
}

// onlyIf returns the sentence if the condition holds, and an empty string otherwise.
func onlyIf(known bool, sentence string) string {
	if !known {
		return ""
	}
	return sentence
}

func formatDay(t time.Time) string { return ui.FormatDate(t.UTC()) }

// formatDeadline formats the expiry of a link to the minute: 1 Dec 2026, 14:02 UTC.
func formatDeadline(t time.Time) string { return formatDay(t) + ", " + ui.FormatTime(t.UTC()) + " UTC" }

// contactWhy is the last line of every e-mail about billing.
func contactWhy(d mail.Data) string {
	return oneLine("You get this e-mail because you manage billing for " + d.Organization + ".")
}

// planOrAny names the plan in a sentence; "the plan" if it is unknown.
func planOrAny(d mail.Data) string { return cmp.Or(d.Plan, "the plan") }

// planOf names plan and organization, such as "plan of Lyric Street (Pro, yearly)".
func planOf(d mail.Data) string {
	plan := "plan of " + d.Organization
	if d.Plan != "" {
		plan += " (" + ui.PlanName(d.Plan, d.Interval) + ")"
	}
	return plan
}

// aboutAmount makes an amount the heading of a letter. Without an amount the subject stays it.
func aboutAmount(l letter, m catalog.Money, amountIs string) letter {
	if m.Currency != "" {
		l.amount, l.amountIs = m.Format(), amountIs
	}
	return l
}

// withAmount returns the subject that names the amount or, without one, the other.
func withAmount(m catalog.Money, subject func(amount string) string, other string) string {
	if m.Currency == "" {
		return other
	}
	return subject(m.Format())
}

func formatAmount(m catalog.Money) string {
	if m.Currency == "" {
		return ""
	}
	return m.Format() + " " + strings.ToUpper(m.Currency)
}

func linkTo(label string, d mail.Data) ui.LinkButtonProps {
	return ui.LinkButtonProps{Label: label, Href: d.URL}
}

func invitationLetter(d mail.Data) letter {
	inviter := cmp.Or(d.Inviter, "Someone at "+d.Organization)
	return letter{
		subject: inviter + " invited you to " + d.Organization,
		opening: sentences(
			inviter+" has invited you to join "+d.Organization+onlyIf(d.Role != "", " as "+d.Role)+".",
			"It's free for you: the organization pays for your seat.",
		),
		button:  linkTo("Accept the invitation", d),
		closing: sentences(onlyIf(!d.ExpiresAt.IsZero(), "The link is for you only and works until "+formatDeadline(d.ExpiresAt)+"."), "If you don't know them, you can ignore this e-mail."),
		why:     "You get this e-mail because someone invited this address.",
	}
}

func verifyLetter(d mail.Data) letter {
	return letter{
		subject: "Confirm your e-mail address",
		opening: sentences("You signed up for Usher with this address. Confirm that it's yours, so that we can reach you about your account and your bill."),
		button:  linkTo("Confirm this address", d),
		closing: sentences(onlyIf(!d.ExpiresAt.IsZero(), "The link works until "+formatDeadline(d.ExpiresAt)+"."), "If you didn't sign up, you can ignore this e-mail."),
		why:     "You get this e-mail because this address was used to sign up.",
	}
}

func resetLetter(d mail.Data) letter {
	return letter{
		subject: "Choose a new password",
		opening: sentences("Someone, most likely you, asked for a new password for the account with this address."),
		button:  linkTo("Choose a new password", d),
		closing: sentences(
			onlyIf(!d.ExpiresAt.IsZero(), "The link works once, until "+formatDeadline(d.ExpiresAt)+". A new password signs you out everywhere else."),
			"If it wasn't you, you can ignore this e-mail: your password stays the same.",
		),
		why: "You get this e-mail because a new password was requested on the sign-in page.",
	}
}

func passwordChangedLetter(d mail.Data) letter {
	return letter{
		subject: "Your password was changed",
		opening: sentences(
			"Your password was changed"+onlyIf(!d.At.IsZero(), " on "+formatDeadline(d.At))+onlyIf(d.Reason != "", ", "+d.Reason)+". You are signed out everywhere else.",
			"If it was you, there's nothing to do.",
			"If it wasn't you, someone else can sign in to your account. Choose a new password now: that signs them out. Then make sure that only you can read your e-mail.",
		),
		button: linkTo("It wasn't me: choose a new password", d),
		why:    "You get this e-mail because the password of the account with this address was changed.",
	}
}

func paymentFailedLetter(d mail.Data) letter {
	label := "Pay now"
	if d.Amount.Currency != "" {
		label = ui.PayLabel(d.Amount)
	}
	return aboutAmount(letter{
		subject: withAmount(d.Amount, func(amount string) string { return "Pay " + amount + " for " + d.Organization }, "A payment for "+d.Organization+" failed"),
		opening: sentences(
			ui.NotCollected(d.Amount, d.At.UTC(), d.Reason),
			onlyIf(d.Plan != "", "The payment is for the "+planOf(d)+"."),
			d.Step,
			ui.NextTry(d.NextAt.UTC()),
		),
		button: linkTo(label, d),
		why:    contactWhy(d),
	}, d.Amount, "to pay for "+d.Organization)
}

func actionRequiredLetter(d mail.Data) letter {
	return aboutAmount(letter{
		subject: withAmount(d.Amount, func(amount string) string { return "Confirm the payment of " + amount + " for " + d.Organization }, "Confirm a payment for "+d.Organization),
		opening: sentences(
			ui.ToConfirm(d.Amount),
			onlyIf(d.Plan != "", "The payment is for the "+planOf(d)+"."),
			ui.ConfirmStep,
		),
		button: linkTo("Confirm payment", d),
		why:    contactWhy(d),
	}, d.Amount, "to confirm for "+d.Organization)
}

func cardExpiringLetter(d mail.Data) letter {
	card := strings.TrimSpace(ui.CardBrand(d.Reason) + " " + d.Card)
	return letter{
		subject: "Update the card for " + d.Organization,
		opening: sentences(
			ui.CardExpiring(card, d.At.UTC(), d.NextAt.UTC(), time.Time{}),
			"Update the card to keep "+planOrAny(d)+" without interruption.",
		),
		button: linkTo("Update card", d),
		why:    contactWhy(d),
	}
}

func trialEndingLetter(d mail.Data) letter {
	ends := soonOrOn(d.At)
	return letter{
		subject: "The trial of " + d.Organization + " ends " + ends,
		opening: sentences(
			d.Organization+" is trying "+planOrAny(d)+". The trial ends "+ends+".",
			onlyIf(d.Amount.Currency != "", "The plan then continues for "+formatAmount(d.Amount)+onlyIf(d.Seats > 0, ", for "+ui.Seats(d.Seats))+"."),
			"To pay nothing, cancel before then.",
		),
		button: linkTo("See plan and payment", d),
		why:    contactWhy(d),
	}
}

func renewalNoticeLetter(d mail.Data) letter {
	when := soonOrOn(d.At)
	return aboutAmount(letter{
		subject: withAmount(d.Amount, func(amount string) string { return d.Organization + " renews " + when + " for " + amount }, d.Organization+" renews "+when),
		opening: sentences(
			"The "+planOf(d)+" renews "+when+onlyIf(d.Amount.Currency != "", " for "+formatAmount(d.Amount))+".",
			d.Reason,
		),
		lines:   sentences(d.Changes...),
		button:  linkTo("See the next invoice", d),
		closing: sentences("The amount changes if people join or leave before then. You can change or cancel the plan until then."),
		why:     contactWhy(d),
	}, d.Amount, "for "+d.Organization+", charged "+when)
}

func priceChangeLetter(d mail.Data) letter {
	when := soonOrOn(d.At)
	plan := cmp.Or(ui.PlanName(d.Plan, d.Interval), "another plan")
	former := cmp.Or(ui.PlanName(d.FormerPlan, d.FormerInterval), "the current plan")
	return aboutAmount(letter{
		subject: "The price for " + d.Organization + " changes " + when,
		opening: sentences(
			d.Organization+" changes from "+former+" to "+plan+" "+when+".",
			onlyIf(d.Amount.Currency != "", "The first invoice at the new price is "+formatAmount(d.Amount)+"."),
			d.Reason,
		),
		lines:   sentences(d.Changes...),
		button:  linkTo("See the next invoice", d),
		closing: sentences("The amount changes if people join or leave before then. You can keep the current plan until then."),
		why:     contactWhy(d),
	}, d.Amount, "on the first invoice at the new price, "+when)
}

// soonOrOn is the date of something that will happen.
func soonOrOn(at time.Time) string {
	if at.IsZero() {
		return "soon"
	}
	return "on " + formatDay(at)
}

func renewedLetter(d mail.Data) letter {
	return aboutAmount(letter{
		subject: withAmount(d.Amount, func(amount string) string { return "Receipt: " + amount + " for " + d.Organization }, "The plan of "+d.Organization+" was renewed"),
		opening: sentences(
			"The " + planOf(d) + " was renewed and paid" + onlyIf(!d.At.IsZero(), " on "+formatDay(d.At)) + ".",
		),
		lines: sentences(
			onlyIf(d.Amount.Currency != "", "Paid: "+formatAmount(d.Amount)),
			onlyIf(d.Seats > 0, "For: "+ui.Seats(d.Seats)),
			onlyIf(!d.NextAt.IsZero(), "Renews on: "+formatDay(d.NextAt)),
		),
		button: linkTo("See the invoice", d),
		why:    contactWhy(d),
	}, d.Amount, "paid for "+d.Organization)
}

func canceledLetter(d mail.Data) letter {
	plan := planOrAny(d)
	l := letter{button: linkTo("See the plan", d), why: contactWhy(d)}
	if d.At.IsZero() {
		l.subject = "The plan of " + d.Organization + " has ended"
		l.opening = sentences("The "+planOf(d)+" has ended. You won't be charged again.", "You can choose a plan again at any time.")
		return l
	}
	l.subject = d.Organization + " keeps " + plan + " until " + formatDay(d.At)
	l.opening = sentences(
		"The plan is canceled. "+d.Organization+" keeps "+plan+" until "+formatDay(d.At)+", and you won't be charged again.",
		"Changed your mind? You can resume the plan before then.",
	)
	return l
}

func resumedLetter(d mail.Data) letter {
	return letter{
		subject: d.Organization + " keeps " + planOrAny(d),
		opening: sentences(
			"The cancellation was withdrawn: "+d.Organization+" keeps "+planOrAny(d)+".",
			onlyIf(!d.NextAt.IsZero(), "It renews on "+formatDay(d.NextAt)+"."),
		),
		button: linkTo("See the plan", d),
		why:    contactWhy(d),
	}
}

func packReceiptLetter(d mail.Data) letter {
	credits := ui.Plural(int(d.Credits), "credit", "credits")
	return aboutAmount(letter{
		subject: "Receipt: " + credits + " for " + d.Organization,
		opening: sentences("Thank you. Everyone in " + d.Organization + " can use the credits now."),
		lines: sentences(
			onlyIf(d.Plan != "", "Pack: "+d.Plan),
			"Credits: "+ui.FormatCount(d.Credits),
			onlyIf(d.Amount.Currency != "", "Paid: "+formatAmount(d.Amount)),
			onlyIf(!d.At.IsZero(), "Date: "+formatDay(d.At)),
		),
		button: linkTo("See credits and invoices", d),
		why:    contactWhy(d),
	}, d.Amount, "paid for "+credits)
}

func seatSummaryLetter(d mail.Data) letter {
	return letter{
		subject: d.Organization + " now has " + ui.Seats(d.Seats),
		opening: sentences("The number of seats at " + d.Organization + " went from " + strconv.Itoa(d.FormerSeats) + " to " + strconv.Itoa(d.Seats) + "."),
		lines:   sentences(d.Changes...),
		button:  linkTo("See who has a seat", d),
		closing: sentences("The next invoice includes the change."),
		why:     contactWhy(d),
	}
}

func secondPlanEndedLetter(d mail.Data) letter {
	back := "Nothing was paid for it."
	l := letter{button: linkTo("See plan and payment", d), why: contactWhy(d)}
	if d.Amount.Minor > 0 {
		back = "The " + formatAmount(d.Amount) + " paid for it will be refunded to the card; banks take five to ten days."
		l = aboutAmount(l, d.Amount, "refunded to "+d.Organization)
	}
	l.subject = "A duplicate plan for " + d.Organization + " was canceled"
	l.opening = sentences(
		d.Organization+" already had a plan when another one was bought, most likely because two people paid at the same time.",
		"We canceled the second plan"+onlyIf(!d.At.IsZero(), " on "+formatDay(d.At))+". The first one stays as it is. "+back,
	)
	return l
}

func deletionLetter(d mail.Data) letter {
	return letter{
		subject: d.Organization + " will be deleted" + onlyIf(!d.At.IsZero(), " on "+formatDay(d.At)),
		opening: sentences(
			cmp.Or(d.Inviter, "Someone")+" asked to delete "+d.Organization+". Everyone loses access when it is deleted"+onlyIf(!d.At.IsZero(), " on "+formatDay(d.At))+".",
			deletionPlanLine(d),
			"Billing managers can still read the invoices.",
			"If this is a mistake, an admin can keep the organization until then.",
		),
		button: linkTo("See the organization", d),
		why:    contactWhy(d),
	}
}

// deletionPlanLine says when the plan of an organization that is to be deleted ends: with it, or
// before if its period ends sooner.
func deletionPlanLine(d mail.Data) string {
	const seats = "Seat changes that haven't been billed yet are billed then."
	switch {
	case d.PlanEndsAt.IsZero():
		return ""
	case d.PlanEndsAt.Before(d.At):
		return "The plan doesn't renew. It ends on " + formatDay(d.PlanEndsAt) + ", at the end of the paid period. " + seats
	}
	return "The plan doesn't renew. It ends on the same day, without a refund for the remaining time. " + seats
}
