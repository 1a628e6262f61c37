package views

import (
	"strconv"
	"strings"
	"time"

	"usher/billing"
)

// letters has the words of every kind of e-mail.
var letters = map[billing.MailKind]func(billing.MailData) letter{
	billing.MailInvitation:     invitationLetter,
	billing.MailVerifyEmail:    verifyLetter,
	billing.MailPasswordReset:  resetLetter,
	billing.MailPaymentFailed:  paymentFailedLetter,
	billing.MailActionRequired: actionRequiredLetter,
	billing.MailTrialEnding:    trialEndingLetter,
	billing.MailRenewed:        renewedLetter,
	billing.MailCanceled:       canceledLetter,
	billing.MailResumed:        resumedLetter,
	billing.MailPackReceipt:    packReceiptLetter,
	billing.MailSeatSummary:    seatSummaryLetter,

	billing.MailSecondPlanEnded: secondPlanEndedLetter,
	billing.MailDeletion:        deletionLetter,
}

// said joins the sentences that have something to say.
func said(sentences ...string) []string {
	var all []string
	for _, sentence := range sentences {
		if sentence != "" {
			all = append(all, oneLine(sentence))
		}
	}
	return all
}

// when writes a sentence around something that may not be known, and nothing where it is not.
func when(known bool, sentence string) string {
	if !known {
		return ""
	}
	return sentence
}

func mailDay(t time.Time) string { return day(t.UTC()) }

// mailMoment writes the end of a link's life to the minute: 1 Dec 2026, 14:02 UTC.
func mailMoment(t time.Time) string { return mailDay(t) + ", " + clock(t.UTC()) + " UTC" }

// contactWhy is the line under every notice about billing.
func contactWhy(d billing.MailData) string {
	return oneLine("You get this because you look after the billing of " + d.Organization + ".")
}

func mailAmount(m billing.Money) string {
	if m.Currency == "" {
		return ""
	}
	return m.Format() + " " + strings.ToUpper(m.Currency)
}

func mailLink(label string, d billing.MailData) LinkButtonProps {
	return LinkButtonProps{Label: label, Href: d.URL}
}

func invitationLetter(d billing.MailData) letter {
	inviter := d.Inviter
	if inviter == "" {
		inviter = "Somebody at " + d.Organization
	}
	return letter{
		subject: inviter + " invites you to " + d.Organization,
		opening: said(
			inviter+" invites you to work in "+d.Organization+when(d.Role != "", " as "+d.Role)+".",
			"Accepting costs you nothing: your seat is paid for by the organization.",
		),
		button:  mailLink("Accept the invitation", d),
		closing: said(when(!d.ExpiresAt.IsZero(), "The link is yours alone and works until "+mailMoment(d.ExpiresAt)+"."), "If you do not know them, leave this be; nothing happens."),
		why:     "You get this because somebody gave this address to invite you.",
	}
}

func verifyLetter(d billing.MailData) letter {
	return letter{
		subject: "Please confirm your e-mail address",
		opening: said("You have signed up for Usher with this address. Please confirm that it is yours, so that notices about your account and bill reach you."),
		button:  mailLink("Confirm this address", d),
		closing: said(when(!d.ExpiresAt.IsZero(), "The link works until "+mailMoment(d.ExpiresAt)+"."), "If it was not you who signed up, leave this be."),
		why:     "You get this because this address was given at the sign-up.",
	}
}

func resetLetter(d billing.MailData) letter {
	return letter{
		subject: "Choose a new password",
		opening: said("Somebody, most likely you, asked for a new password for the account with this address."),
		button:  mailLink("Choose a new password", d),
		closing: said(
			when(!d.ExpiresAt.IsZero(), "The link works once, until "+mailMoment(d.ExpiresAt)+". Choosing a new password signs you out everywhere else."),
			"If it was not you, leave this be: your password stays as it is.",
		),
		why: "You get this because a new password was asked for on the sign-in page.",
	}
}

func paymentFailedLetter(d billing.MailData) letter {
	amount := mailAmount(d.Amount)
	if amount == "" {
		amount = "the bill"
	}
	return letter{
		subject: "A payment for " + d.Organization + " failed",
		opening: said(
			"The payment of "+amount+" for "+d.Organization+when(d.Plan != "", " ("+planName(d.Plan, d.Interval)+")")+" did not go through"+
				when(!d.At.IsZero(), " on "+mailDay(d.At))+when(d.Reason != "", ": "+d.Reason)+".",
			when(!d.NextAt.IsZero(), "It is tried again on "+mailDay(d.NextAt)+". With another card it can be paid before."),
		),
		button: mailLink("Look after the payment", d),
		why:    contactWhy(d),
	}
}

func actionRequiredLetter(d billing.MailData) letter {
	return letter{
		subject: "A payment for " + d.Organization + " needs your confirmation",
		opening: said(
			"Your bank asks you to confirm the payment"+when(d.Amount.Currency != "", " of "+mailAmount(d.Amount))+" for "+d.Organization+
				when(d.Plan != "", " ("+planName(d.Plan, d.Interval)+")")+".",
			"It takes a minute, on Stripe's own page. Nothing is charged before.",
		),
		button: mailLink("Confirm the payment", d),
		why:    contactWhy(d),
	}
}

func trialEndingLetter(d billing.MailData) letter {
	ends := "soon"
	if !d.At.IsZero() {
		ends = "on " + mailDay(d.At)
	}
	return letter{
		subject: "The trial of " + d.Organization + " ends " + ends,
		opening: said(
			d.Organization+" is trying "+orElse(planName(d.Plan, d.Interval), "a plan")+". The trial ends "+ends+".",
			when(d.Amount.Currency != "", "The plan then goes on, and "+mailAmount(d.Amount)+" is charged"+when(d.Seats > 0, " for "+seats(d.Seats))+"."),
			"To stop before that, cancel the plan; nothing is charged then.",
		),
		button: mailLink("See plan and payment", d),
		why:    contactWhy(d),
	}
}

func renewedLetter(d billing.MailData) letter {
	return letter{
		subject: "The plan of " + d.Organization + " is renewed",
		opening: said(
			orElse(planName(d.Plan, d.Interval), "The plan") + " of " + d.Organization + " is renewed and paid" + when(!d.At.IsZero(), " on "+mailDay(d.At)) + ".",
		),
		lines: said(
			when(d.Amount.Currency != "", "Paid: "+mailAmount(d.Amount)),
			when(d.Seats > 0, "For: "+seats(d.Seats)),
			when(!d.NextAt.IsZero(), "Renews next on "+mailDay(d.NextAt)),
		),
		button: mailLink("See the invoice", d),
		why:    contactWhy(d),
	}
}

func canceledLetter(d billing.MailData) letter {
	plan := orElse(planName(d.Plan, d.Interval), "The plan")
	l := letter{button: mailLink("See the plan", d), why: contactWhy(d)}
	if d.At.IsZero() {
		l.subject = "The plan of " + d.Organization + " has ended"
		l.opening = said(plan+" of "+d.Organization+" has ended. Nothing more is charged.", "You can choose a plan again at any time.")
		return l
	}
	l.subject = "The plan of " + d.Organization + " ends on " + mailDay(d.At)
	l.opening = said(
		plan+" of "+d.Organization+" is canceled and ends on "+mailDay(d.At)+". Until then everything works as before, and nothing more is charged.",
		"If that was not meant, the plan can be taken up again before that day.",
	)
	return l
}

func resumedLetter(d billing.MailData) letter {
	return letter{
		subject: "The plan of " + d.Organization + " goes on",
		opening: said(
			orElse(planName(d.Plan, d.Interval), "The plan")+" of "+d.Organization+" is taken up again and no longer ends.",
			when(!d.NextAt.IsZero(), "It renews on "+mailDay(d.NextAt)+"."),
		),
		button: mailLink("See the plan", d),
		why:    contactWhy(d),
	}
}

func packReceiptLetter(d billing.MailData) letter {
	return letter{
		subject: "Receipt: " + count(d.Credits) + " credits for " + d.Organization,
		opening: said("Thank you. The credits are there for everybody in " + d.Organization + "."),
		lines: said(
			when(d.Plan != "", "Pack: "+d.Plan),
			"Credits: "+count(d.Credits),
			when(d.Amount.Currency != "", "Paid: "+mailAmount(d.Amount)),
			when(!d.At.IsZero(), "On: "+mailDay(d.At)),
		),
		button: mailLink("See credits and invoices", d),
		why:    contactWhy(d),
	}
}

func seatSummaryLetter(d billing.MailData) letter {
	return letter{
		subject: d.Organization + " now has " + seats(d.Seats),
		opening: said("The number of billed seats of " + d.Organization + " went from " + strconv.Itoa(d.FormerSeats) + " to " + strconv.Itoa(d.Seats) + "."),
		lines:   said(d.Changes...),
		button:  mailLink("See who is billed", d),
		closing: said("The bill follows: the next invoice says what it comes to."),
		why:     contactWhy(d),
	}
}

func secondPlanEndedLetter(d billing.MailData) letter {
	back := "Nothing was paid for it."
	if d.Amount.Minor > 0 {
		back = "The " + mailAmount(d.Amount) + " paid for it go back to the card; banks take five to ten days to show that."
	}
	return letter{
		subject: "A second plan for " + d.Organization + " was ended",
		opening: said(
			"A plan was bought for "+d.Organization+" although it has one already: most likely two people paid at the same time.",
			"The second plan was ended"+when(!d.At.IsZero(), " on "+mailDay(d.At))+", the first one goes on unchanged. "+back,
		),
		button: mailLink("See plan and payment", d),
		why:    contactWhy(d),
	}
}

func deletionLetter(d billing.MailData) letter {
	return letter{
		subject: d.Organization + " is to be deleted",
		opening: said(
			orElse(d.Inviter, "Somebody")+" has asked for "+d.Organization+" to be deleted"+when(!d.At.IsZero(), " on "+mailDay(d.At))+". Until then everything works.",
			"Then its plan ends, and nobody has access any more. Invoices stay readable for whoever looks after billing.",
			"If that was not meant, an admin can take it back until then.",
		),
		button: mailLink("See the organization", d),
		why:    contactWhy(d),
	}
}
