package mail

import (
	"context"
	"fmt"
	"time"

	"usher/billing/env"
	"usher/billing/job"
)

// Outbox stores e-mails in the transaction of the change that causes them, and sends them after the
// commit.
type Outbox struct {
	*env.Env
	store    Tx
	renderer Renderer
	sender   Sender // nil: e-mails are stored and listed, never sent
	baseURL  string
}

// NewOutbox returns an Outbox. A nil sender stores e-mails without sending them. baseURL is the
// public origin, for links.
func NewOutbox(e *env.Env, store Tx, renderer Renderer, sender Sender, baseURL string) *Outbox {
	return &Outbox{Env: e, store: store, renderer: renderer, sender: sender, baseURL: baseURL}
}

// Sends reports whether a mail server is configured.
func (o *Outbox) Sends() bool { return o.sender != nil }

// Queue writes an e-mail to the outbox in the caller's transaction: it is sent if and only if that
// commits. If the recipient already has one with this key, Queue does nothing.
func (o *Outbox) Queue(ctx context.Context, tx Tx, m Message) error {
	if !requiresLink[m.Kind] && m.Data.URL == "" {
		m.Data.URL = o.baseURL + "/organization?tab=billing"
	}
	m.Data.unlinkNames()
	if err := m.check(); err != nil {
		return fmt.Errorf("queue mail %s: %w", m.Kind, err)
	}
	now := o.Now()
	if m.StaleAt.IsZero() {
		m.StaleAt = now.Add(Lifetime)
	}
	first := now
	if m.SendAt.After(now) {
		first = m.SendAt
	}
	queued := QueuedMessage{Message: m, ID: o.NewID("eml"), Status: StatusQueued, QueuedAt: now, NextAttemptAt: &first}
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
	return o.Enqueue(ctx, tx.Jobs(), job.KindMail, queued.ID, "", first)
}

// Discard removes the e-mails of a key that were not sent, in the caller's transaction. One that is
// being sent meanwhile may still arrive.
func (o *Outbox) Discard(ctx context.Context, tx Tx, kind Kind, key string) error {
	discarded, err := tx.Mails().Discard(ctx, kind, key)
	if err != nil {
		return fmt.Errorf("discard mail %s: %w", kind, err)
	}
	if discarded > 0 {
		tx.Record("e-mail %s: discarded before it was sent", kind)
	}
	return nil
}

// Unsent is an e-mail that was not sent, rendered.
type Unsent struct {
	ID       string
	To       string
	QueuedAt time.Time
	Subject  string
	Text     string
	HTML     string
}

// Unsent returns the newest e-mails that were not sent, newest first. Without a [Sender] that is
// every e-mail.
func (o *Outbox) Unsent(ctx context.Context) ([]Unsent, error) {
	unsent, err := o.store.Mails().Unsent(ctx, unsentLimit)
	if err != nil {
		return nil, err
	}
	kept := make([]Unsent, 0, len(unsent))
	for _, mail := range unsent {
		rendered, err := o.renderer.Render(ctx, mail.Message)
		if err != nil {
			return nil, fmt.Errorf("render mail %s: %w", mail.ID, err)
		}
		kept = append(kept, Unsent{ID: mail.ID, To: mail.To, QueuedAt: mail.QueuedAt, Subject: rendered.Subject, Text: rendered.Text, HTML: rendered.HTML})
	}
	return kept, nil
}
