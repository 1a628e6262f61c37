package webhook

import (
	"context"
	"fmt"
	"sync"
	"time"

	"usher/billing/apperr"
	"usher/billing/env"
	"usher/billing/job"
	"usher/billing/mail"
	"usher/billing/secrets"
)

// Deliverer sends messages.
type Deliverer struct {
	*env.Env
	store   Storage
	client  Client // nil: nothing is sent
	keyring *secrets.Keyring
	outbox  *mail.Outbox
	baseURL string // the public origin, for the link in e-mails
	observe func(outcome string)
}

// DelivererOptions configure a [Deliverer]. Every field is required unless its comment says more.
type DelivererOptions struct {
	Env     *env.Env
	Store   Storage
	Client  Client // nil: messages are stored, not sent
	Secrets *secrets.Keyring
	Outbox  *mail.Outbox
	BaseURL string
	// Observe is called after each attempt with its outcome: delivered, failed or retried; nil: it
	// is not called.
	Observe func(outcome string)
}

// NewDeliverer returns a [Deliverer].
func NewDeliverer(o DelivererOptions) *Deliverer {
	if o.Observe == nil {
		o.Observe = func(string) {}
	}
	return &Deliverer{
		Env: o.Env, store: o.Store, client: o.Client, keyring: o.Secrets, outbox: o.Outbox, baseURL: o.BaseURL, observe: o.Observe,
	}
}

// The outcomes of attempts.
const (
	OutcomeDelivered = "delivered"
	OutcomeRetried   = "retried" // failed, and will be repeated
	OutcomeFailed    = "failed"  // given up
)

// Limits of sending.
const (
	sendTimeout = 10 * time.Second // of one attempt
	// Longer than an attempt with its transactions, so that no other worker sends to the same
	// endpoint meanwhile.
	lease         = 30 * time.Second
	finishTimeout = 10 * time.Second // for storing the result of an attempt
	// budget is how long a worker sends to one endpoint before others get it.
	budget  = 5 * time.Second
	workers = 4
)

// DeliverAllDue sends to every endpoint that is due, with a few workers.
func (d *Deliverer) DeliverAllDue(ctx context.Context) {
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for ctx.Err() == nil {
				worked, err := d.Deliver(ctx, "")
				if err != nil && ctx.Err() == nil {
					d.Log.ErrorContext(ctx, "webhook deliveries failed", "err", err)
				}
				if err != nil || !worked {
					return
				}
			}
		})
	}
	group.Wait()
}

// Deliver sends what is pending for one endpoint, or for the one that has been due longest, in
// order, until its budget is used up. While an attempt fails, later messages stay where they are.
// It returns false if none was due, or another worker sends. A crash between an attempt and its
// result repeats the attempt, with the same id.
func (d *Deliverer) Deliver(ctx context.Context, endpointID string) (bool, error) {
	if d.client == nil {
		return false, nil
	}
	started := d.Wall()
	now := d.Now()
	e, claimed, err := apperr.Found(d.store.Webhooks().ClaimEndpoint(ctx, endpointID, now, now.Add(lease)))
	if err != nil || !claimed {
		return false, err
	}
	for {
		delivery, pending, err := apperr.Found(d.store.Webhooks().Next(ctx, e.ID))
		if err != nil {
			return true, err
		}
		if !pending {
			return true, d.release(ctx, e)
		}
		// A secret that was rotated since the claim has to sign what is made after that.
		current, known, err := apperr.Found(d.store.Webhooks().Endpoint(ctx, e.OrganizationID, e.ID))
		if err != nil || !known || current.Claims != e.Claims {
			return true, err
		}
		attempt := d.attempt(ctx, current, delivery)
		last := attempt.failure != FailureNone || d.Wall().Sub(started) > budget || ctx.Err() != nil
		if owned, err := d.finish(ctx, e, delivery, attempt, last); err != nil || !owned || last {
			return true, err
		}
	}
}

// attempt is the result of one attempt.
type attempt struct {
	at       time.Time
	took     time.Duration
	response Response
	failure  Failure
}

// attempt makes one attempt. A started attempt is finished during shutdown, since an interrupted
// one would be repeated.
func (d *Deliverer) attempt(ctx context.Context, e Endpoint, delivery Delivery) attempt {
	a := attempt{at: d.Now()}
	signed, err := d.sign(e, delivery)
	if err != nil {
		d.Log.ErrorContext(ctx, "webhook secret not readable", "endpoint_id", e.ID, "err", err)
		a.failure = FailureSecret
		return a
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer cancel()
	started := d.Wall()
	a.response, err = d.client.Post(ctx, signed)
	a.took = d.Wall().Sub(started)
	if a.failure = a.response.failure(); err != nil {
		a.failure = failureOf(err)
	}
	if a.failure != FailureNone {
		d.Log.InfoContext(ctx, "webhook attempt failed", "organization_id", e.OrganizationID, "endpoint_id", e.ID,
			"message_id", delivery.MessageID, "failure", a.failure, "status", a.response.Status, "err", err)
	}
	return a
}

// sign returns the request, signed with the time of the attempt.
func (d *Deliverer) sign(e Endpoint, delivery Delivery) (Request, error) {
	secret, _, err := d.keyring.Open(e.Secret, secretPurpose, e.ID)
	if err != nil {
		return Request{}, fmt.Errorf("open secret: %w", err)
	}
	signing := [][]byte{secret}
	if !e.FormerSecretUntil(d.Now()).IsZero() {
		former, _, err := d.keyring.Open(e.FormerSecret, secretPurpose, e.ID)
		if err != nil {
			return Request{}, fmt.Errorf("open former secret: %w", err)
		}
		signing = append(signing, former)
	}
	at := d.Wall() // receivers compare it with the real time
	return Request{
		URL: e.URL, MessageID: delivery.MessageID, Timestamp: at, Body: delivery.Body,
		Signature: signature(delivery.MessageID, at, delivery.Body, signing...),
	}, nil
}

// finish stores the result of an attempt, even if the attempt used up its time. owned is false if
// another worker has taken the endpoint over, or it is gone.
func (d *Deliverer) finish(ctx context.Context, e Endpoint, delivery Delivery, a attempt, last bool) (owned bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	outcome := ""
	err = d.store.InTx(ctx, func(tx Tx) error {
		current, known, err := apperr.Found(tx.Webhooks().LockEndpoint(ctx, e.ID))
		if owned = known && current.Claims == e.Claims; err != nil || !owned && a.failure != FailureNone || !known {
			return err
		}
		outcome = OutcomeDelivered
		delivery := delivery
		delivery.Attempts++
		delivery.AttemptedAt, delivery.StatusCode, delivery.Response = &a.at, a.response.Status, a.response.Text
		delivery.Failure, delivery.TookMS = a.failure, a.took.Milliseconds()
		if a.failure == FailureNone {
			delivery.Status = DeliveryDelivered
			current.Failures, current.FailingSince, current.SucceededAt = 0, nil, &a.at
		} else {
			outcome = d.fail(&current, &delivery, a)
		}
		if err := tx.Webhooks().FinishDelivery(ctx, delivery); err != nil || !owned {
			return err
		}
		return d.storeEndpoint(ctx, tx, current, last)
	})
	if err != nil {
		return owned, fmt.Errorf("store webhook attempt: %w", err)
	}
	if outcome != "" {
		d.observe(outcome)
	}
	return owned, nil
}

// statusGone ends an endpoint: the receiver does not want messages any more (Standard Webhooks,
// HTTP status codes).
const statusGone = 410

// fail decides about a failed attempt: when the endpoint is tried again, whether the delivery is
// given up, and whether the endpoint is disabled.
func (d *Deliverer) fail(e *Endpoint, delivery *Delivery, a attempt) (outcome string) {
	now := d.Now()
	if e.FailingSince == nil {
		e.FailingSince = &a.at
	}
	e.Failures++
	next := now.Add(delay(e.Failures, a.response.RetryAfter, d.Jitter))
	e.DueAt = &next
	outcome = OutcomeRetried
	if next.Sub(delivery.CreatedAt) > retryFor {
		delivery.Status, outcome = DeliveryFailed, OutcomeFailed
	}
	switch {
	case a.response.Status == statusGone:
		e.DisabledReason = DisabledGone
	case now.Sub(*e.FailingSince) >= disableAfter:
		e.DisabledReason = DisabledFailing
	default:
		return outcome
	}
	e.DisabledAt, e.DueAt, delivery.Status = &now, nil, DeliveryFailed
	return OutcomeFailed
}

// storeEndpoint stores the endpoint after an attempt and, if it was the last one, gives the lease
// back. The endpoint is locked.
func (d *Deliverer) storeEndpoint(ctx context.Context, tx Tx, e Endpoint, last bool) error {
	now := d.Now()
	until := now.Add(lease)
	e.LeaseUntil = &until
	if !e.Enabled() {
		e.LeaseUntil = nil
		if err := tx.Webhooks().FailPending(ctx, e.ID, FailureDisabled); err != nil {
			return err
		}
		if err := d.notify(ctx, tx, e); err != nil {
			return err
		}
		return tx.Webhooks().UpdateEndpoint(ctx, e)
	}
	if !last {
		return tx.Webhooks().UpdateEndpoint(ctx, e)
	}
	return d.giveBack(ctx, tx, e)
}

// release gives the lease back when nothing is pending any more.
func (d *Deliverer) release(ctx context.Context, e Endpoint) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	return d.store.InTx(ctx, func(tx Tx) error {
		current, known, err := apperr.Found(tx.Webhooks().LockEndpoint(ctx, e.ID))
		if err != nil || !known || current.Claims != e.Claims {
			return err
		}
		return d.giveBack(ctx, tx, current)
	})
}

// giveBack ends the lease. What became pending meanwhile is seen here: the publisher locks the
// endpoint too.
func (d *Deliverer) giveBack(ctx context.Context, tx Tx, e Endpoint) error {
	e.LeaseUntil = nil
	_, pending, err := apperr.Found(tx.Webhooks().Next(ctx, e.ID))
	if err != nil {
		return err
	}
	now := d.Now()
	switch {
	case !pending:
		e.DueAt = nil
	case e.Failures == 0:
		e.DueAt = &now
	}
	if err := tx.Webhooks().UpdateEndpoint(ctx, e); err != nil || e.DueAt == nil {
		return err
	}
	return d.Enqueue(ctx, tx.Jobs(), job.KindDelivery, e.ID, fmt.Sprint("claim-", e.Claims), *e.DueAt)
}

// Prune deletes messages that are older than 30 days, and what belongs to deleted organizations
// once everything was sent.
func (d *Deliverer) Prune(ctx context.Context) error {
	if err := d.store.Webhooks().Prune(ctx, d.Now().Add(-retention), pruneBatch); err != nil {
		return err
	}
	return d.store.InTx(ctx, func(tx Tx) error { return tx.Webhooks().PruneDeleted(ctx) })
}

const pruneBatch = 1000
