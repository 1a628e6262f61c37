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

// Mailer hands an e-mail over to be delivered. Package smtp has one.
type Sender interface {
	// Send returns nil once the mail was taken. [ErrMailRefused] in the chain: this mail will never be taken.
	Send(ctx context.Context, m Outgoing) error
}

// ErrMailRefused is what a [Mailer] wraps where another attempt at the same mail can't succeed.
var ErrRefused = errors.New("the mail was refused for good")

// Outgoing is an e-mail as it goes out.
type Outgoing struct {
	To        string // a bare address
	Subject   string // one line
	Text      string
	HTML      string
	MessageID string // without angle brackets; the same in every attempt at one mail
}

// RenderedMail is an e-mail in words.
type Rendered struct {
	Subject string // one line
	Text    string
	HTML    string
}

// Renderer puts e-mails into words. Package views has one.
type Renderer interface {
	RenderMail(ctx context.Context, m Message) (Rendered, error)
}

// Bounds of sending.
const (
	workers   = 2
	attemptTimeout   = 30 * time.Second // for one attempt
	lease     = 2 * time.Minute  // longer than an attempt can take, so that nobody else takes the mail up meanwhile
	maxAttempts  = 12
	finishTimeout = 15 * time.Second // to store the result of an attempt
	unsentLimit      = 50               // how many [Service.UnsentMail] returns
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
			o.Log.ErrorContext(ctx, "queued mail", "error", err)
		}
		if err != nil || !worked {
			return
		}
	}
}

// sendDueMail works on one queued mail. false: none was due. A crash after the mail was taken and before that is written makes it go
// out a second time, under the same Message-ID, by which most mail programs show it once: SMTP has no way to make it exactly once.
func (o *Outbox) SendDue(ctx context.Context) (bool, error) {
	now := o.Now()
	mail, claimed, err := apperr.Found(o.store.Mails().ClaimDue(ctx, now, now.Add(lease)))
	if err != nil || !claimed {
		return false, err
	}
	// An attempt that has begun is carried through when the program is told to end: half of one would be made again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptTimeout)
	defer cancel()
	o.attempt(ctx, &mail)
	return true, o.finish(ctx, mail)
}

// attemptMail sends one mail and notes what became of it.
func (o *Outbox) attempt(ctx context.Context, mail *QueuedMessage) {
	if !o.Now().Before(mail.StaleAt) {
		mail.Status, mail.NextAttemptAt = StatusStale, nil
		return
	}
	subject, err := o.send(ctx, *mail)
	if err != nil {
		o.scheduleRetry(mail, err)
		o.Log.WarnContext(ctx, "mail is not sent", "mail", mail.ID, "kind", mail.Kind, "attempt", mail.Attempts, "status", mail.Status, "error", err)
		return
	}
	now := o.Now()
	mail.Status, mail.Subject, mail.Error, mail.NextAttemptAt, mail.SentAt = StatusSent, subject, "", nil, &now
}

func (o *Outbox) send(ctx context.Context, mail QueuedMessage) (subject string, err error) {
	rendered, err := o.renderer.RenderMail(ctx, mail.Message)
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

// mailDomain is the right-hand side of our Message-IDs: the site's own name, as RFC 5322 section 3.6.4 advises.
func (o *Outbox) messageIDDomain() string {
	if base, err := url.Parse(o.baseURL); err == nil && base.Hostname() != "" {
		return base.Hostname()
	}
	return "usher.invalid"
}

// postponeMail plans the next attempt, or gives up: after the last one, after a refusal for good, and where it would be old news.
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

// finishMail writes what became of an attempt even where the attempt has used up its time.
func (o *Outbox) finish(ctx context.Context, mail QueuedMessage) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	return o.store.Mails().Finish(ctx, mail)
}

// UnsentMail is an e-mail that was not sent, in words.
type Unsent struct {
	ID       string
	To       string
	QueuedAt time.Time
	Subject  string
	Text     string
}

// UnsentMail returns the newest e-mails that were not sent, the newest first: where no [Mailer] is configured these are all there are.
func (o *Outbox) Unsent(ctx context.Context) ([]Unsent, error) {
	unsent, err := o.store.Mails().Unsent(ctx, unsentLimit)
	if err != nil {
		return nil, err
	}
	kept := make([]Unsent, 0, len(unsent))
	for _, mail := range unsent {
		rendered, err := o.renderer.RenderMail(ctx, mail.Message)
		if err != nil {
			return nil, fmt.Errorf("render mail %s: %w", mail.ID, err)
		}
		kept = append(kept, Unsent{ID: mail.ID, To: mail.To, QueuedAt: mail.QueuedAt, Subject: rendered.Subject, Text: rendered.Text})
	}
	return kept, nil
}
