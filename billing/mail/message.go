package mail

import (
	"errors"
	"time"

	"usher/billing/catalog"
	"usher/billing/phrase"
)

// Kind is the kind of an e-mail: its template and meaning.
type Kind string

// The kinds of e-mail. [Data] says which fields each of them uses.
const (
	KindInvitation    Kind = "invitation"
	KindVerifyEmail   Kind = "verify_email"
	KindPasswordReset Kind = "password_reset"
	// Somebody's address is to be changed to Address: to the present one, to the new one, to a new
	// one that has an account, and to the former one once it has changed.
	KindEmailChange  Kind = "email_change"
	KindNewEmail     Kind = "new_email"
	KindEmailTaken   Kind = "email_taken"
	KindEmailChanged Kind = "email_changed"

	// The password was changed: At is when, Reason how ('in your settings'). The link starts a
	// reset.
	KindPasswordChanged Kind = "password_changed"
	KindPaymentFailed   Kind = "payment_failed"
	KindActionRequired  Kind = "action_required"
	KindTrialEnding     Kind = "trial_ending"
	// The card expires before the next charge: Reason is its brand, Card its last four digits, At
	// when it is not valid any more, NextAt the next charge.
	KindCardExpiring Kind = "card_expiring"
	KindRenewed      Kind = "renewed"
	// A yearly plan renews soon, or the next period has another price: At is when, Amount what
	// Stripe will charge, Lines those of the invoice. Plan and Interval are those from then
	// on.
	KindRenewalNotice Kind = "renewal_notice"
	KindPriceChange   Kind = "price_change"

	KindCanceled    Kind = "canceled"
	KindResumed     Kind = "resumed"
	KindPackReceipt Kind = "pack_receipt"
	KindSeatSummary Kind = "seat_summary"
	// A second subscription was canceled and refunded.
	KindDuplicateCanceled Kind = "second_plan_ended"
	// The webhook to Endpoint was disabled: At is since when it failed; zero: it answered that it
	// is gone.
	KindWebhookDisabled Kind = "webhook_disabled"
	// An admin requested the organization's deletion: Inviter is the admin, At the time it takes
	// effect.
	KindDeletion Kind = "deletion"
	// About a person's two-step verification: At is when it changed, CodesLeft the number of unused
	// recovery codes.
	KindSecondFactorOn       Kind = "second_factor_on"
	KindSecondFactorOff      Kind = "second_factor_off"
	KindRecoveryCodeUsed     Kind = "recovery_code_used"
	KindRecoveryCodesRenewed Kind = "recovery_codes_renewed"
	// A passkey was added or removed: Passkey is its name, At when.
	KindPasskeyAdded   Kind = "passkey_added"
	KindPasskeyRemoved Kind = "passkey_removed"
	// An identity of Provider signs in to the person's account, or no longer does: Address is the
	// identity's, At when it changed.
	KindIdentityLinked   Kind = "identity_linked"
	KindIdentityUnlinked Kind = "identity_unlinked"
)

// requiresLink maps each kind to whether its message must have a URL. The URL of the others
// defaults to the billing page.
var requiresLink = map[Kind]bool{
	KindInvitation: true, KindVerifyEmail: true, KindPasswordReset: true, KindPasswordChanged: true, KindActionRequired: true,
	KindEmailChange: true, KindNewEmail: true, KindEmailTaken: true, KindEmailChanged: true,
	KindPaymentFailed: false, KindCardExpiring: false, KindTrialEnding: false, KindRenewed: false, KindCanceled: false, KindResumed: false,
	KindRenewalNotice: false, KindPriceChange: false, KindPackReceipt: false, KindSeatSummary: false, KindDuplicateCanceled: false, KindDeletion: false, KindWebhookDisabled: true,
	KindSecondFactorOn: true, KindSecondFactorOff: true, KindRecoveryCodeUsed: true, KindRecoveryCodesRenewed: true,
	KindPasskeyAdded: true, KindPasskeyRemoved: true, KindIdentityLinked: true, KindIdentityUnlinked: true,
}

// Kinds lists every kind.
func Kinds() []Kind {
	return []Kind{
		KindInvitation, KindVerifyEmail, KindPasswordReset, KindPasswordChanged, KindEmailChange, KindNewEmail, KindEmailTaken, KindEmailChanged, KindPaymentFailed, KindActionRequired, KindCardExpiring, KindTrialEnding, KindRenewalNotice,
		KindPriceChange, KindRenewed,
		KindCanceled, KindResumed, KindPackReceipt, KindSeatSummary, KindDuplicateCanceled, KindDeletion, KindWebhookDisabled,
		KindSecondFactorOn, KindSecondFactorOff, KindRecoveryCodeUsed, KindRecoveryCodesRenewed,
		KindPasskeyAdded, KindPasskeyRemoved, KindIdentityLinked, KindIdentityUnlinked,
	}
}

// AboutPerson reports whether a kind is about a person's account, and not about an organization's
// billing.
func (k Kind) AboutPerson() bool {
	switch k {
	case KindInvitation, KindVerifyEmail, KindPasswordReset, KindPasswordChanged, KindEmailChange, KindNewEmail, KindEmailTaken, KindEmailChanged,
		KindSecondFactorOn, KindSecondFactorOff, KindRecoveryCodeUsed, KindRecoveryCodesRenewed,
		KindPasskeyAdded, KindPasskeyRemoved, KindIdentityLinked, KindIdentityUnlinked:
		return true
	}
	return false
}

// Message is an e-mail for [Outbox.Queue].
type Message struct {
	Kind           Kind   `db:"kind"`
	To             string `db:"recipient"`            // a bare address
	OrganizationID string `db:"organization_id,null"` // empty: about a person
	// Key identifies the cause, for example an invoice and its status. A recipient gets at most one
	// e-mail per key.
	Key  string `db:"key"`
	Data Data   `db:"data,json"`
	// StaleAt is the time from which the message is outdated and not sent; zero: [Lifetime] after
	// it was queued.
	StaleAt time.Time `db:"stale_at"`
	// SendAt is the earliest time of the first attempt; zero: at once. It is not stored.
	SendAt time.Time
	// Language of the recipient, a BCP 47 tag such as de; empty: not known. It is their account's
	// when the message is sent, and not stored.
	Language string `db:"language"`
}

// Data is the content of an e-mail. Each kind uses a subset of the fields; templates omit sentences
// about zero fields.
type Data struct {
	// Of the recipient; empty if unknown.
	Name string `json:"name,omitempty"`
	// Webhook disabled: its address.
	Endpoint string `json:"endpoint,omitempty"`
	// Identity: the host of its provider.
	Provider string `json:"provider,omitempty"`
	// SenderLanguage is the language of whoever caused an invitation, for a recipient whose own is
	// not known.
	SenderLanguage string `json:"senderLanguage,omitempty"`
	// Change of an e-mail address: the new one. Identity: its address.
	Address string `json:"address,omitempty"`
	// The organization's name; all kinds except those about a person.
	Organization string `json:"organization,omitempty"`
	Inviter      string `json:"inviter,omitempty"`  // invitation: who invites; empty: a program or the installation
	OfImport     bool   `json:"ofImport,omitempty"` // invitation: to the owner of an imported organization
	Role         string `json:"role,omitempty"`     // invitation: the role's name
	// The plan's name; pack receipt: the pack's.
	Plan string `json:"plan,omitempty"`
	// Price change: the plan until then.
	FormerPlan     string           `json:"formerPlan,omitempty"`
	FormerInterval catalog.Interval `json:"formerInterval,omitempty"`
	Interval       catalog.Interval `json:"interval,omitempty"`
	Amount         catalog.Money    `json:"amount,omitzero"` // due, paid, or charged next
	// Payment failed: for example 'the card was declined'. Renewal: what else there is to know.
	Reason string `json:"reason,omitempty"`
	// Payment failed: a sentence that says what helps.
	Step        string `json:"step,omitempty"`
	Card        string `json:"card,omitempty"`  // card expiring: its last four digits
	Seats       int    `json:"seats,omitempty"` // billed from now on
	FormerSeats int    `json:"formerSeats,omitempty"`
	CodesLeft   int    `json:"codesLeft,omitempty"` // unused recovery codes
	Passkey     string `json:"passkey,omitempty"`   // its name
	// Protected: the account still has a second factor.
	Protected bool  `json:"protected,omitempty"`
	Credits   int64 `json:"credits,omitempty"` // pack receipt: purchased
	// Seat summary: one line each, for example 'Bo was added, by Ana'. Renewal and price change:
	// the lines of the invoice.
	Lines []phrase.Phrase `json:"lines,omitempty"`
	// Changes are the lines in messages that the previous version queued, in English.
	Changes []string `json:"changes,omitempty"`
	// URL is absolute. Invitation, verification, password reset: the link with the token; action
	// required: Stripe's hosted page; others: the page about the subject, by default the billing
	// page.
	URL       string    `json:"url,omitempty"`
	ExpiresAt time.Time `json:"expiresAt,omitzero"` // of the link
	// At is when the event happened or will: the payment failed or succeeded, the trial ends,
	// access ends (canceled; zero: it has ended).
	At time.Time `json:"at,omitzero"`
	// Deletion: when the plan ends; zero: there is none.
	PlanEndsAt time.Time `json:"planEndsAt,omitzero"`
	// Payment failed: next attempt; renewed and resumed: next renewal.
	NextAt time.Time `json:"nextAt,omitzero"`
}

// Status is the delivery status of a queued e-mail.
type Status string

// The delivery statuses.
const (
	StatusQueued     Status = "queued"
	StatusSent       Status = "sent"
	StatusFailed     Status = "failed" // gave up
	StatusStale      Status = "stale"  // outdated before it could be sent
	StatusUnsendable Status = "kept"   // no mail server is configured; the message is only listed
)

// QueuedMessage is a row of the outbox.
type QueuedMessage struct {
	Message
	ID            string     `db:"id"` // eml_…; part of the Message-ID of every attempt
	Status        Status     `db:"status"`
	Subject       string     `db:"subject"` // empty until sent
	QueuedAt      time.Time  `db:"queued_at"`
	NextAttemptAt *time.Time `db:"next_attempt_at"` // set while queued
	Attempts      int        `db:"attempts"`
	Error         string     `db:"error"` // of the last attempt, for the log and operators
	SentAt        *time.Time `db:"sent_at"`
}

// Lifetime is how long a message without its own StaleAt is sent after it was queued.
const Lifetime = 72 * time.Hour

// check rejects messages that could not be sent or lack their link.
func (m Message) check() error {
	_, known := requiresLink[m.Kind]
	switch {
	case !known:
		return errors.New("unknown kind")
	case !ValidAddress(m.To):
		return errors.New("the recipient is no e-mail address")
	case m.Key == "":
		return errors.New("it has no key")
	case m.Data.URL == "":
		return errors.New("it has no link")
	}
	return nil
}
