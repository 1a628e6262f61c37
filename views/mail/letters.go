package mail

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

	"usher/billing/catalog"
	"usher/billing/mail"
	"usher/views/locale"
	"usher/views/ui"
)

// letters has a function for each kind of e-mail.
var letters = map[mail.Kind]func(context.Context, mail.Data) letter{
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

func formatDay(ctx context.Context, t time.Time) string { return locale.Date(ctx, t.UTC()) }

// formatDeadline formats the expiry of a link to the minute: 1 Dec 2026, 14:02 UTC.
func formatDeadline(ctx context.Context, t time.Time) string {
	return locale.T(ctx, "%s, %s UTC", formatDay(ctx, t), locale.Time(t.UTC()))
}

// contactWhy is the last line of every e-mail about billing.
func contactWhy(ctx context.Context, d mail.Data) string {
	return oneLine(locale.T(ctx, "You get this e-mail because you manage billing for %s.", d.Organization))
}

// planOrAny names the plan in a sentence; "the plan" if it is unknown.
func planOrAny(ctx context.Context, d mail.Data) string {
	return cmp.Or(d.Plan, locale.T(ctx, "the plan"))
}

// planOf names plan and organization, such as "plan of Lyric Street (Pro, yearly)".
func planOf(ctx context.Context, d mail.Data) string {
	plan := locale.T(ctx, "plan of %s", d.Organization)
	if d.Plan != "" {
		plan += " (" + ui.PlanName(ctx, d.Plan, d.Interval) + ")"
	}
	return plan
}

// aboutAmount makes an amount the heading of a letter. Without an amount the subject stays it.
func aboutAmount(ctx context.Context, l letter, m catalog.Money, amountIs string) letter {
	if m.Currency != "" {
		l.amount, l.amountIs = locale.Money(ctx, m), amountIs
	}
	return l
}

// withAmount returns the subject that names the amount or, without one, the other.
func withAmount(ctx context.Context, m catalog.Money, subject func(amount string) string, other string) string {
	if m.Currency == "" {
		return other
	}
	return subject(locale.Money(ctx, m))
}

func formatAmount(ctx context.Context, m catalog.Money) string {
	if m.Currency == "" {
		return ""
	}
	return locale.Money(ctx, m) + " " + strings.ToUpper(m.Currency)
}

func linkTo(label string, d mail.Data) ui.LinkButtonProps {
	return ui.LinkButtonProps{Label: label, Href: d.URL}
}

func invitationLetter(ctx context.Context, d mail.Data) letter {
	inviter := cmp.Or(d.Inviter, locale.T(ctx, "Someone at %s", d.Organization))
	return letter{
		subject: locale.T(ctx, "%s invited you to %s", inviter, d.Organization),
		opening: sentences(
			locale.T(ctx, "%s has invited you to join %s%s.", inviter, d.Organization, onlyIf(d.Role != "", locale.T(ctx, " as %s", d.Role))),
			locale.T(ctx, "It's free for you: the organization pays for your seat."),
		),
		button:  linkTo(locale.T(ctx, "Accept the invitation"), d),
		closing: sentences(onlyIf(!d.ExpiresAt.IsZero(), locale.T(ctx, "The link is for you only and works until %s.", formatDeadline(ctx, d.ExpiresAt))), locale.T(ctx, "If you don't know them, you can ignore this e-mail.")),
		why:     locale.T(ctx, "You get this e-mail because someone invited this address."),
	}
}

func verifyLetter(ctx context.Context, d mail.Data) letter {
	return letter{
		subject: locale.T(ctx, "Confirm your e-mail address"),
		opening: sentences(locale.T(ctx, "You signed up for Usher with this address. Confirm that it's yours, so that we can reach you about your account and your bill.")),
		button:  linkTo(locale.T(ctx, "Confirm this address"), d),
		closing: sentences(onlyIf(!d.ExpiresAt.IsZero(), locale.T(ctx, "The link works until %s.", formatDeadline(ctx, d.ExpiresAt))), locale.T(ctx, "If you didn't sign up, you can ignore this e-mail.")),
		why:     locale.T(ctx, "You get this e-mail because this address was used to sign up."),
	}
}

func resetLetter(ctx context.Context, d mail.Data) letter {
	return letter{
		subject: locale.T(ctx, "Choose a new password"),
		opening: sentences(locale.T(ctx, "Someone, most likely you, asked for a new password for the account with this address.")),
		button:  linkTo(locale.T(ctx, "Choose a new password"), d),
		closing: sentences(
			onlyIf(!d.ExpiresAt.IsZero(), locale.T(ctx, "The link works once, until %s. A new password signs you out everywhere else.", formatDeadline(ctx, d.ExpiresAt))),
			locale.T(ctx, "If it wasn't you, you can ignore this e-mail: your password stays the same."),
		),
		why: locale.T(ctx, "You get this e-mail because a new password was requested on the sign-in page."),
	}
}

func passwordChangedLetter(ctx context.Context, d mail.Data) letter {
	return letter{
		subject: locale.T(ctx, "Your password was changed"),
		opening: sentences(
			locale.T(ctx, "Your password was changed%s%s. You are signed out everywhere else.", onlyIf(!d.At.IsZero(), locale.T(ctx, " on %s", formatDeadline(ctx, d.At))), onlyIf(d.Reason != "", ", "+d.Reason)),
			locale.T(ctx, "If it was you, there's nothing to do."),
			locale.T(ctx, "If it wasn't you, someone else can sign in to your account. Choose a new password now: that signs them out. Then make sure that only you can read your e-mail."),
		),
		button: linkTo(locale.T(ctx, "It wasn't me: choose a new password"), d),
		why:    locale.T(ctx, "You get this e-mail because the password of the account with this address was changed."),
	}
}

func paymentFailedLetter(ctx context.Context, d mail.Data) letter {
	label := locale.T(ctx, "Pay now")
	if d.Amount.Currency != "" {
		label = ui.PayLabel(ctx, d.Amount)
	}
	return aboutAmount(ctx, letter{
		subject: withAmount(ctx, d.Amount, func(amount string) string { return locale.T(ctx, "Pay %s for %s", amount, d.Organization) }, locale.T(ctx, "A payment for %s failed", d.Organization)),
		opening: sentences(
			ui.NotCollected(ctx, d.Amount, d.At.UTC(), d.Reason),
			onlyIf(d.Plan != "", locale.T(ctx, "The payment is for the %s.", planOf(ctx, d))),
			d.Step,
			ui.NextTry(ctx, d.NextAt.UTC()),
		),
		button: linkTo(label, d),
		why:    contactWhy(ctx, d),
	}, d.Amount, locale.T(ctx, "to pay for %s", d.Organization))
}

func actionRequiredLetter(ctx context.Context, d mail.Data) letter {
	return aboutAmount(ctx, letter{
		subject: withAmount(ctx, d.Amount, func(amount string) string {
			return locale.T(ctx, "Confirm the payment of %s for %s", amount, d.Organization)
		}, locale.T(ctx, "Confirm a payment for %s", d.Organization)),
		opening: sentences(
			ui.ToConfirm(ctx, d.Amount),
			onlyIf(d.Plan != "", locale.T(ctx, "The payment is for the %s.", planOf(ctx, d))),
			ui.ConfirmStep(ctx),
		),
		button: linkTo(locale.T(ctx, "Confirm payment"), d),
		why:    contactWhy(ctx, d),
	}, d.Amount, locale.T(ctx, "to confirm for %s", d.Organization))
}

func cardExpiringLetter(ctx context.Context, d mail.Data) letter {
	card := strings.TrimSpace(ui.CardBrand(ctx, d.Reason) + " " + d.Card)
	return letter{
		subject: locale.T(ctx, "Update the card for %s", d.Organization),
		opening: sentences(
			ui.CardExpiring(ctx, card, d.At.UTC(), d.NextAt.UTC(), time.Time{}),
			locale.T(ctx, "Update the card to keep %s without interruption.", planOrAny(ctx, d)),
		),
		button: linkTo(locale.T(ctx, "Update card"), d),
		why:    contactWhy(ctx, d),
	}
}

func trialEndingLetter(ctx context.Context, d mail.Data) letter {
	ends := soonOrOn(ctx, d.At)
	return letter{
		subject: locale.T(ctx, "The trial of %s ends %s", d.Organization, ends),
		opening: sentences(
			locale.T(ctx, "%s is trying %s. The trial ends %s.", d.Organization, planOrAny(ctx, d), ends),
			onlyIf(d.Amount.Currency != "", locale.T(ctx, "The plan then continues for %s%s.", formatAmount(ctx, d.Amount), onlyIf(d.Seats > 0, locale.T(ctx, ", for %s", ui.Seats(ctx, d.Seats))))),
			locale.T(ctx, "To pay nothing, cancel before then."),
		),
		button: linkTo(locale.T(ctx, "See plan and payment"), d),
		why:    contactWhy(ctx, d),
	}
}

func renewalNoticeLetter(ctx context.Context, d mail.Data) letter {
	when := soonOrOn(ctx, d.At)
	return aboutAmount(ctx, letter{
		subject: withAmount(ctx, d.Amount, func(amount string) string { return locale.T(ctx, "%s renews %s for %s", d.Organization, when, amount) }, locale.T(ctx, "%s renews %s", d.Organization, when)),
		opening: sentences(
			locale.T(ctx, "The %s renews %s%s.", planOf(ctx, d), when, onlyIf(d.Amount.Currency != "", locale.T(ctx, " for %s", formatAmount(ctx, d.Amount)))),
			d.Reason,
		),
		lines:   sentences(d.Changes...),
		button:  linkTo(locale.T(ctx, "See the next invoice"), d),
		closing: sentences(locale.T(ctx, "The amount changes if people join or leave before then. You can change or cancel the plan until then.")),
		why:     contactWhy(ctx, d),
	}, d.Amount, locale.T(ctx, "for %s, charged %s", d.Organization, when))
}

func priceChangeLetter(ctx context.Context, d mail.Data) letter {
	when := soonOrOn(ctx, d.At)
	plan := cmp.Or(ui.PlanName(ctx, d.Plan, d.Interval), locale.T(ctx, "another plan"))
	former := cmp.Or(ui.PlanName(ctx, d.FormerPlan, d.FormerInterval), locale.T(ctx, "the current plan"))
	return aboutAmount(ctx, letter{
		subject: locale.T(ctx, "The price for %s changes %s", d.Organization, when),
		opening: sentences(
			locale.T(ctx, "%s changes from %s to %s %s.", d.Organization, former, plan, when),
			onlyIf(d.Amount.Currency != "", locale.T(ctx, "The first invoice at the new price is %s.", formatAmount(ctx, d.Amount))),
			d.Reason,
		),
		lines:   sentences(d.Changes...),
		button:  linkTo(locale.T(ctx, "See the next invoice"), d),
		closing: sentences(locale.T(ctx, "The amount changes if people join or leave before then. You can keep the current plan until then.")),
		why:     contactWhy(ctx, d),
	}, d.Amount, locale.T(ctx, "on the first invoice at the new price, %s", when))
}

// soonOrOn is the date of something that will happen.
func soonOrOn(ctx context.Context, at time.Time) string {
	if at.IsZero() {
		return "soon"
	}
	return locale.T(ctx, "on %s", formatDay(ctx, at))
}

func renewedLetter(ctx context.Context, d mail.Data) letter {
	return aboutAmount(ctx, letter{
		subject: withAmount(ctx, d.Amount, func(amount string) string { return locale.T(ctx, "Receipt: %s for %s", amount, d.Organization) }, locale.T(ctx, "The plan of %s was renewed", d.Organization)),
		opening: sentences(
			locale.T(ctx, "The %s was renewed and paid%s.", planOf(ctx, d), onlyIf(!d.At.IsZero(), locale.T(ctx, " on %s", formatDay(ctx, d.At)))),
		),
		lines: sentences(
			onlyIf(d.Amount.Currency != "", locale.T(ctx, "Paid: %s", formatAmount(ctx, d.Amount))),
			onlyIf(d.Seats > 0, locale.T(ctx, "For: %s", ui.Seats(ctx, d.Seats))),
			onlyIf(!d.NextAt.IsZero(), locale.T(ctx, "Renews on: %s", formatDay(ctx, d.NextAt))),
		),
		button: linkTo(locale.T(ctx, "See the invoice"), d),
		why:    contactWhy(ctx, d),
	}, d.Amount, locale.T(ctx, "paid for %s", d.Organization))
}

func canceledLetter(ctx context.Context, d mail.Data) letter {
	plan := planOrAny(ctx, d)
	l := letter{button: linkTo(locale.T(ctx, "See the plan"), d), why: contactWhy(ctx, d)}
	if d.At.IsZero() {
		l.subject = locale.T(ctx, "The plan of %s has ended", d.Organization)
		l.opening = sentences(locale.T(ctx, "The %s has ended. You won't be charged again.", planOf(ctx, d)), locale.T(ctx, "You can choose a plan again at any time."))
		return l
	}
	l.subject = locale.T(ctx, "%s keeps %s until %s", d.Organization, plan, formatDay(ctx, d.At))
	l.opening = sentences(
		locale.T(ctx, "The plan is canceled. %s keeps %s until %s, and you won't be charged again.", d.Organization, plan, formatDay(ctx, d.At)),
		locale.T(ctx, "Changed your mind? You can resume the plan before then."),
	)
	return l
}

func resumedLetter(ctx context.Context, d mail.Data) letter {
	return letter{
		subject: locale.T(ctx, "%s keeps %s", d.Organization, planOrAny(ctx, d)),
		opening: sentences(
			locale.T(ctx, "The cancellation was withdrawn: %s keeps %s.", d.Organization, planOrAny(ctx, d)),
			onlyIf(!d.NextAt.IsZero(), locale.T(ctx, "It renews on %s.", formatDay(ctx, d.NextAt))),
		),
		button: linkTo(locale.T(ctx, "See the plan"), d),
		why:    contactWhy(ctx, d),
	}
}

func packReceiptLetter(ctx context.Context, d mail.Data) letter {
	credits := locale.N(ctx, "%s credit", "%s credits", int(d.Credits))
	return aboutAmount(ctx, letter{
		subject: locale.T(ctx, "Receipt: %s for %s", credits, d.Organization),
		opening: sentences(locale.T(ctx, "Thank you. Everyone in %s can use the credits now.", d.Organization)),
		lines: sentences(
			onlyIf(d.Plan != "", locale.T(ctx, "Pack: %s", d.Plan)),
			locale.T(ctx, "Credits: %s", locale.Count(ctx, d.Credits)),
			onlyIf(d.Amount.Currency != "", locale.T(ctx, "Paid: %s", formatAmount(ctx, d.Amount))),
			onlyIf(!d.At.IsZero(), locale.T(ctx, "Date: %s", formatDay(ctx, d.At))),
		),
		button: linkTo(locale.T(ctx, "See credits and invoices"), d),
		why:    contactWhy(ctx, d),
	}, d.Amount, locale.T(ctx, "paid for %s", credits))
}

func seatSummaryLetter(ctx context.Context, d mail.Data) letter {
	return letter{
		subject: locale.T(ctx, "%s now has %s", d.Organization, ui.Seats(ctx, d.Seats)),
		opening: sentences(locale.T(ctx, "The number of seats at %s went from %s to %s.", d.Organization, strconv.Itoa(d.FormerSeats), strconv.Itoa(d.Seats))),
		lines:   sentences(d.Changes...),
		button:  linkTo(locale.T(ctx, "See who has a seat"), d),
		closing: sentences(locale.T(ctx, "The next invoice includes the change.")),
		why:     contactWhy(ctx, d),
	}
}

func secondPlanEndedLetter(ctx context.Context, d mail.Data) letter {
	back := locale.T(ctx, "Nothing was paid for it.")
	l := letter{button: linkTo(locale.T(ctx, "See plan and payment"), d), why: contactWhy(ctx, d)}
	if d.Amount.Minor > 0 {
		back = locale.T(ctx, "The %s paid for it will be refunded to the card; banks take five to ten days.", formatAmount(ctx, d.Amount))
		l = aboutAmount(ctx, l, d.Amount, locale.T(ctx, "refunded to %s", d.Organization))
	}
	l.subject = locale.T(ctx, "A duplicate plan for %s was canceled", d.Organization)
	l.opening = sentences(
		locale.T(ctx, "%s already had a plan when another one was bought, most likely because two people paid at the same time.", d.Organization),
		locale.T(ctx, "We canceled the second plan%s. The first one stays as it is. %s", onlyIf(!d.At.IsZero(), locale.T(ctx, " on %s", formatDay(ctx, d.At))), back),
	)
	return l
}

func deletionLetter(ctx context.Context, d mail.Data) letter {
	return letter{
		subject: locale.T(ctx, "%s will be deleted%s", d.Organization, onlyIf(!d.At.IsZero(), locale.T(ctx, " on %s", formatDay(ctx, d.At)))),
		opening: sentences(
			locale.T(ctx, "%s asked to delete %s. Everyone loses access when it is deleted%s.", cmp.Or(d.Inviter, "Someone"), d.Organization, onlyIf(!d.At.IsZero(), locale.T(ctx, " on %s", formatDay(ctx, d.At)))),
			deletionPlanLine(ctx, d),
			locale.T(ctx, "Billing managers can still read the invoices."),
			locale.T(ctx, "If this is a mistake, an admin can keep the organization until then."),
		),
		button: linkTo(locale.T(ctx, "See the organization"), d),
		why:    contactWhy(ctx, d),
	}
}

// deletionPlanLine says when the plan of an organization that is to be deleted ends: with it, or
// before if its period ends sooner.
func deletionPlanLine(ctx context.Context, d mail.Data) string {
	seats := locale.T(ctx, "Seat changes that haven't been billed yet are billed then.")
	switch {
	case d.PlanEndsAt.IsZero():
		return ""
	case d.PlanEndsAt.Before(d.At):
		return locale.T(ctx, "The plan doesn't renew. It ends on %s, at the end of the paid period. %s", formatDay(ctx, d.PlanEndsAt), seats)
	}
	return locale.T(ctx, "The plan doesn't renew. It ends on the same day, without a refund for the remaining time. %s", seats)
}
