package mail

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usher/billing/catalog"
	"usher/billing/env"
	"usher/billing/job"
)

// MailKind says what an e-mail tells.
type Kind string

// The kinds of e-mail. What each one's [MailData] holds is said there.
const (
	KindInvitation     Kind = "invitation"
	KindVerifyEmail    Kind = "verify_email"
	KindPasswordReset  Kind = "password_reset"
	KindPaymentFailed  Kind = "payment_failed"
	KindActionRequired Kind = "action_required"
	KindTrialEnding    Kind = "trial_ending"
	KindRenewed        Kind = "renewed"
	KindCanceled       Kind = "canceled"
	KindResumed        Kind = "resumed"
	KindPackReceipt    Kind = "pack_receipt"
	KindSeatSummary    Kind = "seat_summary"
	// A second plan was bought, ended by us and refunded.
	KindDuplicateCanceled Kind = "second_plan_ended"
	// Somebody has the organization deleted: Inviter is who, At when it happens.
	KindDeletion Kind = "deletion"
)

// requiresLink says for each kind whether it is about its link: such a mail must have one. All others lead to the billing page where
// they have none.
var requiresLink = map[Kind]bool{
	KindInvitation: true, KindVerifyEmail: true, KindPasswordReset: true, KindActionRequired: true,
	KindPaymentFailed: false, KindTrialEnding: false, KindRenewed: false, KindCanceled: false, KindResumed: false,
	KindPackReceipt: false, KindSeatSummary: false, KindDuplicateCanceled: false, KindDeletion: false,
}

// MailKinds lists every kind.
func Kinds() []Kind {
	return []Kind{
		KindInvitation, KindVerifyEmail, KindPasswordReset, KindPaymentFailed, KindActionRequired, KindTrialEnding, KindRenewed,
		KindCanceled, KindResumed, KindPackReceipt, KindSeatSummary, KindDuplicateCanceled, KindDeletion,
	}
}

// Mail is an e-mail to be queued with [Service.queueMail].
type Message struct {
	Kind           Kind   `db:"kind"`
	To             string `db:"recipient"`            // a bare address
	OrganizationID string `db:"organization_id,null"` // empty: about a person
	// Key names the source: what the mail tells about (an invitation and its token, an invoice and what became of it). Nobody gets a
	// second mail of the same key.
	Key  string `db:"key"`
	Data Data   `db:"data,json"`
	// StaleAt is when it is old news and not sent any more; the zero time is three days after it was queued.
	StaleAt time.Time `db:"stale_at"`
}

// MailData is what an e-mail says. A kind uses the fields that have a meaning for it; a sentence whose field is zero is left out.
type Data struct {
	Name         string           `json:"name,omitempty"`         // whom it is to; empty: not known
	Organization string           `json:"organization,omitempty"` // which it is about; all kinds but those about a person
	Inviter      string           `json:"inviter,omitempty"`      // invitation
	Role         string           `json:"role,omitempty"`         // invitation: the role's name
	Plan         string           `json:"plan,omitempty"`         // the plan's name; pack receipt: the pack's
	Interval     catalog.Interval `json:"interval,omitempty"`
	Amount       catalog.Money    `json:"amount,omitzero"`  // what was to be paid, was paid, or will be
	Reason       string           `json:"reason,omitempty"` // payment failed: in words, such as 'the card was declined'
	Seats        int              `json:"seats,omitempty"`  // billed from now on
	FormerSeats  int              `json:"formerSeats,omitempty"`
	Credits      int64            `json:"credits,omitempty"` // pack receipt: bought
	Changes      []string         `json:"changes,omitempty"` // seat summary: a line each, such as 'Ana added Bo'
	// URL is absolute. Invitation, verify, reset: the link with the token; action required: Stripe's hosted page; else where the
	// thing is looked after, the billing page where empty.
	URL       string    `json:"url,omitempty"`
	ExpiresAt time.Time `json:"expiresAt,omitzero"` // of the link
	// At is when it happened or happens: the payment failed or was made, the trial ends, access ends (canceled; zero: it has ended).
	At     time.Time `json:"at,omitzero"`
	NextAt time.Time `json:"nextAt,omitzero"` // payment failed: tried again; renewed and resumed: renews next
}

// MailStatus is what became of a queued mail.
type Status string

// The statuses.
const (
	StatusQueued     Status = "queued"
	StatusSent       Status = "sent"
	StatusFailed     Status = "failed" // given up
	StatusStale      Status = "stale"  // old news before it could be sent
	StatusUnsendable Status = "kept"   // nothing sends mail here: it is only shown
)

// QueuedMail is a line of the outbox.
type QueuedMessage struct {
	Message
	ID            string     `db:"id"` // eml_…, and the same in every attempt's Message-ID
	Status        Status     `db:"status"`
	Subject       string     `db:"subject"` // empty until it was sent
	QueuedAt      time.Time  `db:"queued_at"`
	NextAttemptAt *time.Time `db:"next_attempt_at"` // set while it is queued
	Attempts      int        `db:"attempts"`
	Error         string     `db:"error"` // of the last attempt, for the log and operators
	SentAt        *time.Time `db:"sent_at"`
}

// mailLifetime is how long news is news.
const Lifetime = 72 * time.Hour

// Outbox stores e-mails in the transaction of the change that they are about, and sends them afterwards.
type Outbox struct {
	*env.Env
	store    Tx
	renderer Renderer
	sender   Sender // nil: e-mails are stored and only shown
	baseURL  string
}

// NewOutbox returns an Outbox. A nil sender stores e-mails without sending them. baseURL is the public
// origin, for links.
func NewOutbox(e *env.Env, store Tx, renderer Renderer, sender Sender, baseURL string) *Outbox {
	return &Outbox{Env: e, store: store, renderer: renderer, sender: sender, baseURL: baseURL}
}

// Sends reports whether a mail server is configured.
func (o *Outbox) Sends() bool { return o.sender != nil }

// queue writes an e-mail into the outbox, in the transaction of what it tells about: it is sent if and only if that commits. Whoever
// has a mail of this key already gets no second one.
func (o *Outbox) Queue(ctx context.Context, tx Tx, m Message) error {
	if !requiresLink[m.Kind] && m.Data.URL == "" {
		m.Data.URL = o.baseURL + "/organization?tab=billing"
	}
	if err := m.check(); err != nil {
		return fmt.Errorf("queue mail %s: %w", m.Kind, err)
	}
	now := o.Now()
	if m.StaleAt.IsZero() {
		m.StaleAt = now.Add(Lifetime)
	}
	queued := QueuedMessage{Message: m, ID: o.NewID("eml"), Status: StatusQueued, QueuedAt: now, NextAttemptAt: &now}
	if o.sender == nil {
		queued.Status, queued.NextAttemptAt = StatusUnsendable, nil
	}
	fresh, err := tx.Mails().Insert(ctx, queued)
	if err != nil {
		return fmt.Errorf("queue mail %s: %w", m.Kind, err)
	}
	if fresh {
		tx.Record("e-mail %s: queued", m.Kind)
	}
	if !fresh || queued.Status != StatusQueued {
		return nil
	}
	return o.Enqueue(ctx, tx.Jobs(), job.KindMail, queued.ID, "", now)
}

// check refuses what could never be sent, or never be of use.
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
