package mail

import (
	"cmp"
	"context"
	"strings"
	"time"

	"slices"

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
	mail.KindWebhookDisabled:   webhookDisabledLetter,

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
// listLines returns the lines of a letter with a list.
func listLines(ctx context.Context, d mail.Data) []string {
	lines := slices.Clone(d.Changes)
	for _, line := range d.Lines {
		lines = append(lines, locale.Phrase(ctx, line))
	}
	return sentences(lines...)
}

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

// untilExpiry says until when a link works; empty if it is unknown.
func untilExpiry(ctx context.Context, d mail.Data) string {
	if d.ExpiresAt.IsZero() {
		return ""
	}
	return locale.T(ctx, "The link works until %s.", locale.DateTime(ctx, d.ExpiresAt))
}

// contactWhy is the last line of every e-mail about billing.
func contactWhy(ctx context.Context, d mail.Data) string {
	return oneLine(locale.T(ctx, "You get this e-mail because you manage billing for %s.", d.Organization))
}

// withPlan names an organization and its plan, such as "Lyric Street (Pro, yearly)".
func withPlan(ctx context.Context, d mail.Data) string {
	if d.Plan == "" {
		return d.Organization
	}
	return d.Organization + " (" + ui.PlanName(ctx, d.Plan, d.Interval) + ")"
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
	if d.OfImport {
		return ownerInvitationLetter(ctx, d)
	}
	inviter := cmp.Or(d.Inviter, locale.T(ctx, "Someone at %s", d.Organization))
	invites := locale.T(ctx, "%s has invited you to join %s.", inviter, d.Organization)
	if d.Role != "" {
		invites = locale.T(ctx, "%s has invited you to join %s as %s.", inviter, d.Organization, locale.Lookup(ctx, d.Role))
	}
	return letter{
		subject: locale.T(ctx, "%s invited you to %s", inviter, d.Organization),
		opening: sentences(
			invites,
			locale.T(ctx, "It's free for you: the organization pays for your seat."),
		),
		button:  linkTo(locale.T(ctx, "Accept the invitation"), d),
		closing: sentences(onlyIf(!d.ExpiresAt.IsZero(), locale.T(ctx, "The link is for you only and works until %s.", locale.DateTime(ctx, d.ExpiresAt))), locale.T(ctx, "If you don't know them, you can ignore this e-mail.")),
		why:     locale.T(ctx, "You get this e-mail because someone invited this address."),
	}
}

// ownerInvitationLetter invites the owner of an organization that was imported from Stripe: no
// person sends it.
func ownerInvitationLetter(ctx context.Context, d mail.Data) letter {
	return letter{
		subject: locale.T(ctx, "Manage the plan of %s", d.Organization),
		opening: sentences(
			locale.T(ctx, "The plan of %s is managed in a new place from now on: its invoices, its card and the people with a seat.", d.Organization),
			locale.T(ctx, "Your subscription stays as it is. Nothing is charged when you join, and the number of seats changes only after you have confirmed it."),
		),
		button:  linkTo(locale.T(ctx, "Accept the invitation"), d),
		closing: sentences(onlyIf(!d.ExpiresAt.IsZero(), locale.T(ctx, "The link is for you only and works until %s.", locale.DateTime(ctx, d.ExpiresAt)))),
		why:     locale.T(ctx, "You get this e-mail because this is the address of the subscription."),
	}
}

func verifyLetter(ctx context.Context, d mail.Data) letter {
	return letter{
		subject: locale.T(ctx, "Confirm your e-mail address"),
		opening: sentences(locale.T(ctx, "You signed up for Usher with this address. Confirm that it's yours, so that we can reach you about your account and your bill.")),
		button:  linkTo(locale.T(ctx, "Confirm this address"), d),
		closing: sentences(untilExpiry(ctx, d), locale.T(ctx, "If you didn't sign up, you can ignore this e-mail.")),
		why:     locale.T(ctx, "You get this e-mail because this address was used to sign up."),
	}
}

func resetLetter(ctx context.Context, d mail.Data) letter {
	return letter{
		subject: locale.T(ctx, "Choose a new password"),
		opening: sentences(locale.T(ctx, "Someone, most likely you, asked for a new password for the account with this address.")),
		button:  linkTo(locale.T(ctx, "Choose a new password"), d),
		closing: sentences(
			onlyIf(!d.ExpiresAt.IsZero(), locale.T(ctx, "The link works once, until %s. A new password signs you out everywhere else.", locale.DateTime(ctx, d.ExpiresAt))),
			locale.T(ctx, "If it wasn't you, you can ignore this e-mail: your password stays the same."),
		),
		why: locale.T(ctx, "You get this e-mail because a new password was requested on the sign-in page."),
	}
}

func passwordChangedLetter(ctx context.Context, d mail.Data) letter {
	return letter{
		subject: locale.T(ctx, "Your password was changed"),
		opening: sentences(
			passwordChanged(ctx, d),
			locale.T(ctx, "If it was you, there's nothing to do."),
			locale.T(ctx, "If it wasn't you, someone else can sign in to your account. Choose a new password now: that signs them out. Then make sure that only you can read your e-mail."),
		),
		button: linkTo(locale.T(ctx, "It wasn't me: choose a new password"), d),
		why:    locale.T(ctx, "You get this e-mail because the password of the account with this address was changed."),
	}
}

// passwordChanged says when and how the password was changed, as far as that is known.
func passwordChanged(ctx context.Context, d mail.Data) string {
	at, how := locale.DateTime(ctx, d.At), locale.Lookup(ctx, d.Reason)
	switch {
	case d.At.IsZero() && how == "":
		return locale.T(ctx, "Your password was changed. You are signed out everywhere else.")
	case d.At.IsZero():
		return locale.T(ctx, "Your password was changed, %s. You are signed out everywhere else.", how)
	case how == "":
		return locale.T(ctx, "Your password was changed on %s. You are signed out everywhere else.", at)
	}
	return locale.T(ctx, "Your password was changed on %s, %s. You are signed out everywhere else.", at, how)
}

func paymentFailedLetter(ctx context.Context, d mail.Data) letter {
	label := locale.T(ctx, "Pay now")
	if d.Amount.Currency != "" {
		label = ui.PayLabel(ctx, d.Amount)
	}
	return aboutAmount(ctx, letter{
		subject: withAmount(ctx, d.Amount, func(amount string) string { return locale.T(ctx, "Pay %s for %s", amount, d.Organization) }, locale.T(ctx, "A payment for %s failed", d.Organization)),
		opening: sentences(
			ui.NotCollected(ctx, d.Amount, d.At.UTC(), locale.Lookup(ctx, d.Reason)),
			onlyIf(d.Plan != "", locale.T(ctx, "The payment is for the plan of %s.", withPlan(ctx, d))),
			locale.Lookup(ctx, d.Step),
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
			onlyIf(d.Plan != "", locale.T(ctx, "The payment is for the plan of %s.", withPlan(ctx, d))),
			ui.ConfirmStep(ctx),
		),
		button: linkTo(locale.T(ctx, "Confirm payment"), d),
		why:    contactWhy(ctx, d),
	}, d.Amount, locale.T(ctx, "to confirm for %s", d.Organization))
}

func cardExpiringLetter(ctx context.Context, d mail.Data) letter {
	card := strings.TrimSpace(ui.CardBrand(ctx, d.Reason) + " " + d.Card)
	update := locale.T(ctx, "Update the card to keep the plan without interruption.")
	if d.Plan != "" {
		update = locale.T(ctx, "Update the card to keep %s without interruption.", d.Plan)
	}
	return letter{
		subject: locale.T(ctx, "Update the card for %s", d.Organization),
		opening: sentences(
			ui.CardExpiring(ctx, card, d.At.UTC(), d.NextAt.UTC(), time.Time{}),
			update,
		),
		button: linkTo(locale.T(ctx, "Update card"), d),
		why:    contactWhy(ctx, d),
	}
}

func trialEndingLetter(ctx context.Context, d mail.Data) letter {
	subject := locale.T(ctx, "The trial of %s ends soon", d.Organization)
	if !d.At.IsZero() {
		subject = locale.T(ctx, "The trial of %s ends on %s", d.Organization, formatDay(ctx, d.At))
	}
	return letter{
		subject: subject,
		opening: sentences(trialEnds(ctx, d), afterTrial(ctx, d), locale.T(ctx, "To pay nothing, cancel before then.")),
		button:  linkTo(locale.T(ctx, "See plan and payment"), d),
		why:     contactWhy(ctx, d),
	}
}

func trialEnds(ctx context.Context, d mail.Data) string {
	switch {
	case d.At.IsZero() && d.Plan == "":
		return locale.T(ctx, "%s is trying the plan. The trial ends soon.", d.Organization)
	case d.At.IsZero():
		return locale.T(ctx, "%s is trying %s. The trial ends soon.", d.Organization, d.Plan)
	case d.Plan == "":
		return locale.T(ctx, "%s is trying the plan. The trial ends on %s.", d.Organization, formatDay(ctx, d.At))
	}
	return locale.T(ctx, "%s is trying %s. The trial ends on %s.", d.Organization, d.Plan, formatDay(ctx, d.At))
}

// afterTrial says what the plan costs after the trial; empty if it is unknown.
func afterTrial(ctx context.Context, d mail.Data) string {
	switch {
	case d.Amount.Currency == "":
		return ""
	case d.Seats > 0:
		return locale.N(ctx, "The plan then continues for %[2]s, for %[1]s seat.", "The plan then continues for %[2]s, for %[1]s seats.", d.Seats, formatAmount(ctx, d.Amount))
	}
	return locale.T(ctx, "The plan then continues for %s.", formatAmount(ctx, d.Amount))
}

func renewalNoticeLetter(ctx context.Context, d mail.Data) letter {
	amountIs := locale.T(ctx, "for %s, charged soon", d.Organization)
	if !d.At.IsZero() {
		amountIs = locale.T(ctx, "for %s, charged on %s", d.Organization, formatDay(ctx, d.At))
	}
	return aboutAmount(ctx, letter{
		subject: renewalSubject(ctx, d),
		opening: sentences(renewal(ctx, d), locale.Lookup(ctx, d.Reason)),
		lines:   listLines(ctx, d),
		button:  linkTo(locale.T(ctx, "See the next invoice"), d),
		closing: sentences(locale.T(ctx, "The amount changes if people join or leave before then. You can change or cancel the plan until then.")),
		why:     contactWhy(ctx, d),
	}, d.Amount, amountIs)
}

func renewalSubject(ctx context.Context, d mail.Data) string {
	amount := locale.Money(ctx, d.Amount)
	switch {
	case d.At.IsZero() && d.Amount.Currency == "":
		return locale.T(ctx, "%s renews soon", d.Organization)
	case d.At.IsZero():
		return locale.T(ctx, "%s renews soon for %s", d.Organization, amount)
	case d.Amount.Currency == "":
		return locale.T(ctx, "%s renews on %s", d.Organization, formatDay(ctx, d.At))
	}
	return locale.T(ctx, "%s renews on %s for %s", d.Organization, formatDay(ctx, d.At), amount)
}

// renewal says when the plan renews and for how much, as far as that is known.
func renewal(ctx context.Context, d mail.Data) string {
	amount := formatAmount(ctx, d.Amount)
	switch {
	case d.At.IsZero() && amount == "":
		return locale.T(ctx, "The plan of %s renews soon.", withPlan(ctx, d))
	case d.At.IsZero():
		return locale.T(ctx, "The plan of %s renews soon for %s.", withPlan(ctx, d), amount)
	case amount == "":
		return locale.T(ctx, "The plan of %s renews on %s.", withPlan(ctx, d), formatDay(ctx, d.At))
	}
	return locale.T(ctx, "The plan of %s renews on %s for %s.", withPlan(ctx, d), formatDay(ctx, d.At), amount)
}

func priceChangeLetter(ctx context.Context, d mail.Data) letter {
	subject, amountIs := locale.T(ctx, "The price for %s changes soon", d.Organization), locale.T(ctx, "on the first invoice at the new price, soon")
	if !d.At.IsZero() {
		subject = locale.T(ctx, "The price for %s changes on %s", d.Organization, formatDay(ctx, d.At))
		amountIs = locale.T(ctx, "on the first invoice at the new price, on %s", formatDay(ctx, d.At))
	}
	return aboutAmount(ctx, letter{
		subject: subject,
		opening: sentences(
			planChange(ctx, d),
			onlyIf(d.Amount.Currency != "", locale.T(ctx, "The first invoice at the new price is %s.", formatAmount(ctx, d.Amount))),
			locale.Lookup(ctx, d.Reason),
		),
		lines:   listLines(ctx, d),
		button:  linkTo(locale.T(ctx, "See the next invoice"), d),
		closing: sentences(locale.T(ctx, "The amount changes if people join or leave before then. You can keep the current plan until then.")),
		why:     contactWhy(ctx, d),
	}, d.Amount, amountIs)
}

// planChange says which plan follows which, and when. It names no plan if one of them is unknown.
func planChange(ctx context.Context, d mail.Data) string {
	from, to := ui.PlanName(ctx, d.FormerPlan, d.FormerInterval), ui.PlanName(ctx, d.Plan, d.Interval)
	named := d.FormerPlan != "" && d.Plan != ""
	switch {
	case d.At.IsZero() && !named:
		return locale.T(ctx, "%s changes to another plan soon.", d.Organization)
	case d.At.IsZero():
		return locale.T(ctx, "%s changes from %s to %s soon.", d.Organization, from, to)
	case !named:
		return locale.T(ctx, "%s changes to another plan on %s.", d.Organization, formatDay(ctx, d.At))
	}
	return locale.T(ctx, "%s changes from %s to %s on %s.", d.Organization, from, to, formatDay(ctx, d.At))
}

func renewedLetter(ctx context.Context, d mail.Data) letter {
	renewed := locale.T(ctx, "The plan of %s was renewed and paid.", withPlan(ctx, d))
	if !d.At.IsZero() {
		renewed = locale.T(ctx, "The plan of %s was renewed and paid on %s.", withPlan(ctx, d), formatDay(ctx, d.At))
	}
	return aboutAmount(ctx, letter{
		subject: withAmount(ctx, d.Amount, func(amount string) string { return locale.T(ctx, "Receipt: %s for %s", amount, d.Organization) }, locale.T(ctx, "The plan of %s was renewed", d.Organization)),
		opening: sentences(renewed),
		lines: sentences(
			onlyIf(d.Amount.Currency != "", locale.T(ctx, "Paid: %s", formatAmount(ctx, d.Amount))),
			onlyIf(d.Seats > 0, locale.N(ctx, "For: %s seat", "For: %s seats", d.Seats)),
			onlyIf(!d.NextAt.IsZero(), locale.T(ctx, "Renews on: %s", formatDay(ctx, d.NextAt))),
		),
		button: linkTo(locale.T(ctx, "See the invoice"), d),
		why:    contactWhy(ctx, d),
	}, d.Amount, locale.T(ctx, "paid for %s", d.Organization))
}

func canceledLetter(ctx context.Context, d mail.Data) letter {
	l := letter{button: linkTo(locale.T(ctx, "See the plan"), d), why: contactWhy(ctx, d)}
	day, keeps := formatDay(ctx, d.At), ""
	switch {
	case d.At.IsZero():
		l.subject = locale.T(ctx, "The plan of %s has ended", d.Organization)
		l.opening = sentences(locale.T(ctx, "The plan of %s has ended. You won't be charged again.", withPlan(ctx, d)), locale.T(ctx, "You can choose a plan again at any time."))
		return l
	case d.Plan == "":
		l.subject = locale.T(ctx, "%s keeps the plan until %s", d.Organization, day)
		keeps = locale.T(ctx, "The plan is canceled. %s keeps the plan until %s, and you won't be charged again.", d.Organization, day)
	default:
		l.subject = locale.T(ctx, "%s keeps %s until %s", d.Organization, d.Plan, day)
		keeps = locale.T(ctx, "The plan is canceled. %s keeps %s until %s, and you won't be charged again.", d.Organization, d.Plan, day)
	}
	l.opening = sentences(keeps, locale.T(ctx, "Changed your mind? You can resume the plan before then."))
	return l
}

func resumedLetter(ctx context.Context, d mail.Data) letter {
	subject, keeps := locale.T(ctx, "%s keeps the plan", d.Organization), locale.T(ctx, "The cancellation was withdrawn: %s keeps the plan.", d.Organization)
	if d.Plan != "" {
		subject = locale.T(ctx, "%s keeps %s", d.Organization, d.Plan)
		keeps = locale.T(ctx, "The cancellation was withdrawn: %s keeps %s.", d.Organization, d.Plan)
	}
	return letter{
		subject: subject,
		opening: sentences(keeps, onlyIf(!d.NextAt.IsZero(), locale.T(ctx, "It renews on %s.", formatDay(ctx, d.NextAt)))),
		button:  linkTo(locale.T(ctx, "See the plan"), d),
		why:     contactWhy(ctx, d),
	}
}

func packReceiptLetter(ctx context.Context, d mail.Data) letter {
	credits := int(d.Credits)
	return aboutAmount(ctx, letter{
		subject: locale.N(ctx, "Receipt: %s credit for %s", "Receipt: %s credits for %s", credits, d.Organization),
		opening: sentences(locale.T(ctx, "Thank you. Everyone in %s can use the credits now.", d.Organization)),
		lines: sentences(
			onlyIf(d.Plan != "", locale.T(ctx, "Pack: %s", d.Plan)),
			locale.T(ctx, "Credits: %s", locale.Count(ctx, d.Credits)),
			onlyIf(d.Amount.Currency != "", locale.T(ctx, "Paid: %s", formatAmount(ctx, d.Amount))),
			onlyIf(!d.At.IsZero(), locale.T(ctx, "Date: %s", formatDay(ctx, d.At))),
		),
		button: linkTo(locale.T(ctx, "See credits and invoices"), d),
		why:    contactWhy(ctx, d),
	}, d.Amount, locale.N(ctx, "paid for %s credit", "paid for %s credits", credits))
}

func seatSummaryLetter(ctx context.Context, d mail.Data) letter {
	return letter{
		subject: locale.N(ctx, "%[2]s now has %[1]s seat", "%[2]s now has %[1]s seats", d.Seats, d.Organization),
		opening: sentences(locale.T(ctx, "The number of seats at %s went from %s to %s.", d.Organization, locale.Count(ctx, d.FormerSeats), locale.Count(ctx, d.Seats))),
		lines:   listLines(ctx, d),
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
	canceled := locale.T(ctx, "We canceled the second plan. The first one stays as it is.")
	if !d.At.IsZero() {
		canceled = locale.T(ctx, "We canceled the second plan on %s. The first one stays as it is.", formatDay(ctx, d.At))
	}
	l.subject = locale.T(ctx, "A duplicate plan for %s was canceled", d.Organization)
	l.opening = sentences(
		locale.T(ctx, "%s already had a plan when another one was bought, most likely because two people paid at the same time.", d.Organization),
		ui.Sentences(canceled, back),
	)
	return l
}

func deletionLetter(ctx context.Context, d mail.Data) letter {
	asker := cmp.Or(d.Inviter, locale.T(ctx, "Someone"))
	subject := locale.T(ctx, "%s will be deleted", d.Organization)
	asked := locale.T(ctx, "%s asked to delete %s. Everyone loses access when it is deleted.", asker, d.Organization)
	if !d.At.IsZero() {
		subject = locale.T(ctx, "%s will be deleted on %s", d.Organization, formatDay(ctx, d.At))
		asked = locale.T(ctx, "%s asked to delete %s. Everyone loses access when it is deleted on %s.", asker, d.Organization, formatDay(ctx, d.At))
	}
	return letter{
		subject: subject,
		opening: sentences(
			asked,
			deletionPlanLine(ctx, d),
			locale.T(ctx, "Billing managers can still read the invoices."),
			locale.T(ctx, "If this is a mistake, an admin can keep the organization until then."),
		),
		button: linkTo(locale.T(ctx, "See the organization"), d),
		why:    contactWhy(ctx, d),
	}
}

func webhookDisabledLetter(ctx context.Context, d mail.Data) letter {
	why := locale.T(ctx, "The address answered that it is gone.")
	if !d.At.IsZero() {
		why = locale.T(ctx, "Messages have failed since %s.", formatDay(ctx, d.At))
	}
	off := locale.T(ctx, "We turned off a webhook.")
	if d.Endpoint != "" {
		off = locale.T(ctx, "We turned off the webhook to %s.", d.Endpoint)
	}
	return letter{
		subject: locale.T(ctx, "A webhook of %s is off", d.Organization),
		opening: sentences(
			off, why,
			locale.T(ctx, "Your product isn't notified of changes any more. Fix the address, then turn the webhook on again."),
		),
		button: linkTo(locale.T(ctx, "See webhooks"), d),
		why:    oneLine(locale.T(ctx, "You get this e-mail because you are an admin of %s.", d.Organization)),
	}
}

// deletionPlanLine says when the plan of an organization that is to be deleted ends: with it, or
// before if its period ends sooner.
func deletionPlanLine(ctx context.Context, d mail.Data) string {
	ends := locale.T(ctx, "The plan doesn't renew. It ends on the same day, without a refund for the remaining time.")
	switch {
	case d.PlanEndsAt.IsZero():
		return ""
	case d.PlanEndsAt.Before(d.At):
		ends = locale.T(ctx, "The plan doesn't renew. It ends on %s, at the end of the paid period.", formatDay(ctx, d.PlanEndsAt))
	}
	return ui.Sentences(ends, locale.T(ctx, "Seat changes that haven't been billed yet are billed then."))
}
