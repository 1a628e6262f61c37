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
	return oneLine("You get this because you look after the billing of " + d.Organization + ".")
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
	inviter := d.Inviter
	if inviter == "" {
		inviter = "Somebody at " + d.Organization
	}
	return letter{
		subject: inviter + " invites you to " + d.Organization,
		opening: sentences(
			inviter+" invites you to work in "+d.Organization+onlyIf(d.Role != "", " as "+d.Role)+".",
			"Accepting costs you nothing: your seat is paid for by the organization.",
		),
		button:  linkTo("Accept the invitation", d),
		closing: sentences(onlyIf(!d.ExpiresAt.IsZero(), "The link is yours alone and works until "+formatDeadline(d.ExpiresAt)+"."), "If you do not know them, leave this be; nothing happens."),
		why:     "You get this because somebody gave this address to invite you.",
	}
}

func verifyLetter(d mail.Data) letter {
	return letter{
		subject: "Please confirm your e-mail address",
		opening: sentences("You have signed up for Usher with this address. Please confirm that it is yours, so that notices about your account and bill reach you."),
		button:  linkTo("Confirm this address", d),
		closing: sentences(onlyIf(!d.ExpiresAt.IsZero(), "The link works until "+formatDeadline(d.ExpiresAt)+"."), "If it was not you who signed up, leave this be."),
		why:     "You get this because this address was given at the sign-up.",
	}
}

func resetLetter(d mail.Data) letter {
	return letter{
		subject: "Choose a new password",
		opening: sentences("Somebody, most likely you, asked for a new password for the account with this address."),
		button:  linkTo("Choose a new password", d),
		closing: sentences(
			onlyIf(!d.ExpiresAt.IsZero(), "The link works once, until "+formatDeadline(d.ExpiresAt)+". Choosing a new password signs you out everywhere else."),
			"If it was not you, leave this be: your password stays as it is.",
		),
		why: "You get this because a new password was asked for on the sign-in page.",
	}
}

func passwordChangedLetter(d mail.Data) letter {
	return letter{
		subject: "Your password was changed",
		opening: sentences(
			"The password of your account was changed"+onlyIf(!d.At.IsZero(), " on "+formatDeadline(d.At))+onlyIf(d.Reason != "", ", "+d.Reason)+". You are signed out everywhere else.",
			"If it was you, there is nothing to do.",
			"If it was not you, somebody else has your account. Choose a new password at once: that signs them out. Then check that nobody else can read your e-mails.",
		),
		button: linkTo("It wasn't me: choose a new password", d),
		why:    "You get this because the password of the account with this address was changed.",
	}
}

func paymentFailedLetter(d mail.Data) letter {
	label := "Pay now"
	if d.Amount.Currency != "" {
		label = ui.PayLabel(d.Amount)
	}
	return letter{
		subject: "A payment for " + d.Organization + " failed",
		opening: sentences(
			ui.NotCollected(d.Amount, d.At.UTC(), d.Reason),
			onlyIf(d.Plan != "", "It is for "+ui.PlanName(d.Plan, d.Interval)+" of "+d.Organization+"."),
			d.Step,
			ui.NextTry(d.NextAt.UTC()),
		),
		button: linkTo(label, d),
		why:    contactWhy(d),
	}
}

func actionRequiredLetter(d mail.Data) letter {
	return letter{
		subject: "A payment for " + d.Organization + " needs your confirmation",
		opening: sentences(
			ui.ToConfirm(d.Amount),
			onlyIf(d.Plan != "", "It is for "+ui.PlanName(d.Plan, d.Interval)+" of "+d.Organization+"."),
			ui.ConfirmStep,
		),
		button: linkTo("Confirm payment", d),
		why:    contactWhy(d),
	}
}

func cardExpiringLetter(d mail.Data) letter {
	card := strings.TrimSpace(ui.CardBrand(d.Reason) + " " + d.Card)
	return letter{
		subject: "The card of " + d.Organization + " expires soon",
		opening: sentences(
			ui.CardExpiring(card, d.At.UTC(), d.NextAt.UTC(), time.Time{}),
			"Update the card to keep "+cmp.Or(ui.PlanName(d.Plan, d.Interval), "the plan")+" without interruption.",
		),
		button: linkTo("Update card", d),
		why:    contactWhy(d),
	}
}

func trialEndingLetter(d mail.Data) letter {
	ends := "soon"
	if !d.At.IsZero() {
		ends = "on " + formatDay(d.At)
	}
	return letter{
		subject: "The trial of " + d.Organization + " ends " + ends,
		opening: sentences(
			d.Organization+" is trying "+cmp.Or(ui.PlanName(d.Plan, d.Interval), "a plan")+". The trial ends "+ends+".",
			onlyIf(d.Amount.Currency != "", "The plan then goes on, and "+formatAmount(d.Amount)+" is charged"+onlyIf(d.Seats > 0, " for "+ui.Seats(d.Seats))+"."),
			"To stop before that, cancel the plan; nothing is charged then.",
		),
		button: linkTo("See plan and payment", d),
		why:    contactWhy(d),
	}
}

func renewalNoticeLetter(d mail.Data) letter {
	plan, when := cmp.Or(ui.PlanName(d.Plan, d.Interval), "The plan"), soonOrOn(d.At)
	return letter{
		subject: d.Organization + " renews " + when,
		opening: sentences(
			plan+" of "+d.Organization+" renews "+when+onlyIf(d.Amount.Currency != "", ", and "+formatAmount(d.Amount)+" is charged")+".",
			d.Reason,
		),
		lines:   sentences(d.Changes...),
		button:  linkTo("See the next invoice", d),
		closing: sentences("If people join or leave before then, the amount changes. You can change or cancel the plan until then."),
		why:     contactWhy(d),
	}
}

func priceChangeLetter(d mail.Data) letter {
	plan := cmp.Or(ui.PlanName(d.Plan, d.Interval), "another plan")
	when := soonOrOn(d.At)
	former := cmp.Or(ui.PlanName(d.FormerPlan, d.FormerInterval), "the present plan")
	return letter{
		subject: "The price for " + d.Organization + " changes " + when,
		opening: sentences(
			d.Organization+" changes from "+former+" to "+plan+" "+when+".",
			onlyIf(d.Amount.Currency != "", "The first invoice with the new price is "+formatAmount(d.Amount)+"."),
			d.Reason,
		),
		lines:   sentences(d.Changes...),
		button:  linkTo("See the next invoice", d),
		closing: sentences("If people join or leave before then, the amount changes. You can keep the present plan until then."),
		why:     contactWhy(d),
	}
}

// soonOrOn is the date of something that will happen.
func soonOrOn(at time.Time) string {
	if at.IsZero() {
		return "soon"
	}
	return "on " + formatDay(at)
}

func renewedLetter(d mail.Data) letter {
	return letter{
		subject: "The plan of " + d.Organization + " is renewed",
		opening: sentences(
			cmp.Or(ui.PlanName(d.Plan, d.Interval), "The plan") + " of " + d.Organization + " is renewed and paid" + onlyIf(!d.At.IsZero(), " on "+formatDay(d.At)) + ".",
		),
		lines: sentences(
			onlyIf(d.Amount.Currency != "", "Paid: "+formatAmount(d.Amount)),
			onlyIf(d.Seats > 0, "For: "+ui.Seats(d.Seats)),
			onlyIf(!d.NextAt.IsZero(), "Renews next on "+formatDay(d.NextAt)),
		),
		button: linkTo("See the invoice", d),
		why:    contactWhy(d),
	}
}

func canceledLetter(d mail.Data) letter {
	plan := cmp.Or(ui.PlanName(d.Plan, d.Interval), "The plan")
	l := letter{button: linkTo("See the plan", d), why: contactWhy(d)}
	if d.At.IsZero() {
		l.subject = "The plan of " + d.Organization + " has ended"
		l.opening = sentences(plan+" of "+d.Organization+" has ended. Nothing more is charged.", "You can choose a plan again at any time.")
		return l
	}
	l.subject = "The plan of " + d.Organization + " ends on " + formatDay(d.At)
	l.opening = sentences(
		plan+" of "+d.Organization+" is canceled and ends on "+formatDay(d.At)+". Until then everything works as before, and nothing more is charged.",
		"If that was not meant, the plan can be taken up again before that day.",
	)
	return l
}

func resumedLetter(d mail.Data) letter {
	return letter{
		subject: "The plan of " + d.Organization + " goes on",
		opening: sentences(
			cmp.Or(ui.PlanName(d.Plan, d.Interval), "The plan")+" of "+d.Organization+" is taken up again and no longer ends.",
			onlyIf(!d.NextAt.IsZero(), "It renews on "+formatDay(d.NextAt)+"."),
		),
		button: linkTo("See the plan", d),
		why:    contactWhy(d),
	}
}

func packReceiptLetter(d mail.Data) letter {
	return letter{
		subject: "Receipt: " + ui.FormatCount(d.Credits) + " credits for " + d.Organization,
		opening: sentences("Thank you. The credits are there for everybody in " + d.Organization + "."),
		lines: sentences(
			onlyIf(d.Plan != "", "Pack: "+d.Plan),
			"Credits: "+ui.FormatCount(d.Credits),
			onlyIf(d.Amount.Currency != "", "Paid: "+formatAmount(d.Amount)),
			onlyIf(!d.At.IsZero(), "On: "+formatDay(d.At)),
		),
		button: linkTo("See credits and invoices", d),
		why:    contactWhy(d),
	}
}

func seatSummaryLetter(d mail.Data) letter {
	return letter{
		subject: d.Organization + " now has " + ui.Seats(d.Seats),
		opening: sentences("The number of billed seats of " + d.Organization + " went from " + strconv.Itoa(d.FormerSeats) + " to " + strconv.Itoa(d.Seats) + "."),
		lines:   sentences(d.Changes...),
		button:  linkTo("See who is billed", d),
		closing: sentences("The bill follows: the next invoice says what it comes to."),
		why:     contactWhy(d),
	}
}

func secondPlanEndedLetter(d mail.Data) letter {
	back := "Nothing was paid for it."
	if d.Amount.Minor > 0 {
		back = "The " + formatAmount(d.Amount) + " paid for it go back to the card; banks take five to ten days to show that."
	}
	return letter{
		subject: "A second plan for " + d.Organization + " was ended",
		opening: sentences(
			"A plan was bought for "+d.Organization+" although it has one already: most likely two people paid at the same time.",
			"The second plan was ended"+onlyIf(!d.At.IsZero(), " on "+formatDay(d.At))+", the first one goes on unchanged. "+back,
		),
		button: linkTo("See plan and payment", d),
		why:    contactWhy(d),
	}
}

func deletionLetter(d mail.Data) letter {
	return letter{
		subject: d.Organization + " is to be deleted",
		opening: sentences(
			cmp.Or(d.Inviter, "Somebody")+" has asked for "+d.Organization+" to be deleted"+onlyIf(!d.At.IsZero(), " on "+formatDay(d.At))+". Nobody has access any more then.",
			deletionPlanLine(d),
			"Invoices stay readable for whoever looks after billing.",
			"If that was not meant, an admin can take it back until then.",
		),
		button: linkTo("See the organization", d),
		why:    contactWhy(d),
	}
}

// deletionPlanLine says when the plan of an organization that is to be deleted ends: with it, or
// before if its period ends sooner.
func deletionPlanLine(d mail.Data) string {
	switch {
	case d.PlanEndsAt.IsZero():
		return ""
	case d.PlanEndsAt.Before(d.At):
		return "Its plan is not renewed: it ends on " + formatDay(d.PlanEndsAt) + " with the period that is paid. Seats that are still to be billed are billed then."
	}
	return "Its plan is not renewed and ends on the same day, without a refund for the time that is left. Seats that are still to be billed are billed then."
}
