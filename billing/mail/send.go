package mail

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"usher/billing/apperr"
)

// Sender delivers e-mails. Package smtp implements it.
type Sender interface {
	// Send returns nil once the server has accepted the e-mail, and an error that wraps
	// [ErrRefused] if no later attempt can succeed.
	Send(ctx context.Context, m Outgoing) error
}

// ErrRefused is wrapped by a [Sender] if another attempt at the same e-mail cannot succeed.
var ErrRefused = errors.New("the mail was refused for good")

// Outgoing is an e-mail ready to send.
type Outgoing struct {
	To        string // a bare address
	Subject   string // one line
	Text      string
	HTML      string
	MessageID string // without angle brackets; the same in every attempt
}

// Rendered is the subject and body of an e-mail.
type Rendered struct {
	Subject string // one line
	Text    string
	HTML    string
}

// Renderer renders e-mails. Package views/mail implements it.
type Renderer interface {
	Render(ctx context.Context, m Message) (Rendered, error)
}

// Limits of sending.
const (
	workers        = 2
	attemptTimeout = 30 * time.Second // per attempt
	// Longer than an attempt, so that no other worker claims the e-mail meanwhile.
	lease         = 2 * time.Minute
	maxAttempts   = 12
	finishTimeout = 15 * time.Second // for storing the result of an attempt
	unsentLimit   = 50               // maximum length of [Outbox.Unsent]
)

// SendAllDue sends every due e-mail with a few workers and returns when none is due.
func (o *Outbox) SendAllDue(ctx context.Context) {
	var group sync.WaitGroup
	for range workers {
		group.Go(func() { o.sendAllDue(ctx) })
	}
	group.Wait()
}

func (o *Outbox) sendAllDue(ctx context.Context) {
	for ctx.Err() == nil {
		worked, err := o.SendDue(ctx)
		if err != nil && !errors.Is(err, context.Canceled) {
			o.Log.ErrorContext(ctx, "mail queue failed", "err", err)
		}
		if err != nil || !worked {
			return
		}
	}
}

// SendDue makes one attempt at a due e-mail. It returns false if none was due. A crash between
// sending and storing the result sends the e-mail again, with the same Message-ID, by which most
// mail programs suppress the copy: SMTP cannot guarantee exactly-once delivery.
func (o *Outbox) SendDue(ctx context.Context) (bool, error) {
	now := o.Now()
	mail, claimed, err := apperr.Found(o.store.Mails().ClaimDue(ctx, now, now.Add(lease)))
	if err != nil || !claimed {
		return false, err
	}
	// A started attempt is finished during shutdown, since an interrupted one would be repeated.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptTimeout)
	defer cancel()
	o.attempt(ctx, &mail)
	return true, o.finish(ctx, mail)
}

// attempt sends one e-mail and sets its status.
func (o *Outbox) attempt(ctx context.Context, mail *QueuedMessage) {
	if !o.Now().Before(mail.StaleAt) {
		mail.Status, mail.NextAttemptAt = StatusStale, nil
		return
	}
	subject, err := o.send(ctx, *mail)
	if err != nil {
		o.scheduleRetry(mail, err)
		o.Log.WarnContext(ctx, "mail not sent", "mail_id", mail.ID, "kind", mail.Kind,
			"attempt", mail.Attempts, "status", mail.Status, "err", err)
		return
	}
	now := o.Now()
	mail.Status, mail.Subject, mail.Error, mail.NextAttemptAt, mail.SentAt = StatusSent, subject, "", nil, &now
}

func (o *Outbox) send(ctx context.Context, mail QueuedMessage) (subject string, err error) {
	rendered, err := o.renderer.Render(ctx, mail.Message)
	if err != nil {
		return "", fmt.Errorf("render mail: %w", err)
	}
	err = o.sender.Send(ctx, Outgoing{
		To: mail.To, Subject: rendered.Subject, Text: rendered.Text, HTML: rendered.HTML, MessageID: mail.ID + "@" + o.messageIDDomain(),
	})
	if err != nil {
		return "", fmt.Errorf("send mail: %w", err)
	}
	return rendered.Subject, nil
}

// messageIDDomain returns the right-hand side of Message-IDs: the site's host name, as RFC 5322
// section 3.6.4 recommends.
func (o *Outbox) messageIDDomain() string {
	if base, err := url.Parse(o.baseURL); err == nil && base.Hostname() != "" {
		return base.Hostname()
	}
	return "usher.invalid"
}

// scheduleRetry sets the next attempt, or gives up: after the last attempt, a permanent refusal, or
// if the message would be outdated by then.
func (o *Outbox) scheduleRetry(mail *QueuedMessage, cause error) {
	mail.Error = cause.Error()
	next := o.Now().Add(o.Backoff(mail.Attempts))
	switch {
	case mail.Attempts >= maxAttempts || errors.Is(cause, ErrRefused):
		mail.Status, mail.NextAttemptAt = StatusFailed, nil
	case !next.Before(mail.StaleAt):
		mail.Status, mail.NextAttemptAt = StatusStale, nil
	default:
		mail.NextAttemptAt = &next
	}
}

// finish stores the result of an attempt, even if the attempt used up its time.
func (o *Outbox) finish(ctx context.Context, mail QueuedMessage) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	return o.store.Mails().Finish(ctx, mail)
}
