package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/env"
	"usher/billing/job"
)

// Objects loads what messages carry, as the API shows it. Methods return [apperr.ErrNotFound] for
// what does not exist.
type Objects interface {
	State(ctx context.Context, organizationID string) (State, error)
	Member(ctx context.Context, organizationID, memberID string) (any, error)
	RemovedMember(m account.Member) any
	Invoice(ctx context.Context, organizationID, invoiceID string) (any, error)
}

// Publisher makes messages of changes.
type Publisher struct {
	*env.Env
	store   Storage
	objects Objects
}

// NewPublisher returns a [Publisher].
func NewPublisher(e *env.Env, store Storage, objects Objects) *Publisher {
	return &Publisher{Env: e, store: store, objects: objects}
}

// Limits of publishing.
const (
	changeBatch       = 200 // changes of an organization at once
	organizationBatch = 100
	publishAttempts   = 5 // with other publishers of the same organization
)

// errOvertaken means that another publisher was faster.
var errOvertaken = errors.New("another publisher has published meanwhile")

// PublishAllDue publishes every change, and what changes with time. It finds changes whose job was
// lost.
func (p *Publisher) PublishAllDue(ctx context.Context) error {
	organizations, err := p.store.Webhooks().Changed(ctx, p.Now(), organizationBatch)
	if err != nil {
		return err
	}
	var failed []error
	for _, organizationID := range organizations {
		failed = append(failed, p.Publish(ctx, organizationID)) // one does not delay the others
	}
	return errors.Join(failed...)
}

// Publish publishes the changes of an organization. The objects are loaded outside of the
// transaction and are as new as the changes at least. Messages are written only if no other
// publisher has written since: then all is read again. So each change is published, none twice, and
// in one order.
func (p *Publisher) Publish(ctx context.Context, organizationID string) error {
	for range publishAttempts {
		more, err := p.publishBatch(ctx, organizationID)
		switch {
		case errors.Is(err, errOvertaken):
			continue
		case err != nil:
			return fmt.Errorf("publish changes of %s: %w", organizationID, err)
		case !more:
			return nil
		}
	}
	return nil // PublishAllDue publishes the rest
}

// batch is what is to be published.
type batch struct {
	organizationID string
	stream         Stream // when the changes were read
	changes        []Change
	objects        []Object
	checkAt        *time.Time
}

func (p *Publisher) publishBatch(ctx context.Context, organizationID string) (more bool, err error) {
	b := batch{organizationID: organizationID}
	if b.stream, _, err = apperr.Found(p.store.Webhooks().Stream(ctx, organizationID)); err != nil {
		return false, err
	}
	if b.changes, err = p.store.Webhooks().Changes(ctx, organizationID, changeBatch); err != nil {
		return false, err
	}
	now := p.Now()
	isDue := b.stream.CheckAt != nil && !now.Before(*b.stream.CheckAt)
	if len(b.changes) == 0 && !isDue {
		return false, nil
	}
	if err := p.load(ctx, &b, isDue); err != nil {
		return false, err
	}
	if err := p.store.InTx(ctx, func(tx Tx) error { return p.write(ctx, tx, b, now) }); err != nil {
		return false, err
	}
	return len(b.changes) == changeBatch, nil
}

// load loads the objects of the changes, each once, in the order of the first change.
func (p *Publisher) load(ctx context.Context, b *batch, isDue bool) error {
	b.checkAt = b.stream.CheckAt
	changes := b.changes
	if isDue {
		changes = append([]Change{{Kind: ChangeState}}, changes...)
	}
	loaded := map[Change]bool{}
	for _, change := range changes {
		key := Change{Kind: change.Kind, ObjectID: change.ObjectID, FactID: change.FactID}
		if loaded[key] {
			continue
		}
		loaded[key] = true
		if err := p.loadChange(ctx, b, change); err != nil && !errors.Is(err, apperr.ErrNotFound) {
			return fmt.Errorf("load %s %s: %w", change.Kind, change.ObjectID, err)
		}
	}
	return nil
}

func (p *Publisher) loadChange(ctx context.Context, b *batch, c Change) error {
	object := Object{ID: c.ObjectID}
	var err error
	switch c.Kind {
	case ChangeState:
		state, err := p.objects.State(ctx, b.organizationID)
		b.objects, b.checkAt = append(b.objects, state.Objects...), state.ChangesAt
		return err
	case ChangeMember:
		object.Type = MemberChanged
		object.Data, err = p.objects.Member(ctx, b.organizationID, c.ObjectID)
	case ChangeMemberRemoved:
		if c.Member == nil {
			return nil
		}
		object.Type, object.Data = MemberChanged, p.objects.RemovedMember(*c.Member)
	case ChangeInvoicePaid:
		object.Type, object.Compared = InvoicePaid, c.ObjectID // once, whatever the invoice becomes
		object.Data, err = p.objects.Invoice(ctx, b.organizationID, c.ObjectID)
	case ChangeInvoicePaymentFailed:
		object.Type, object.ID, object.Compared = InvoicePaymentFailed, c.FactID, c.FactID
		object.Data, err = p.objects.Invoice(ctx, b.organizationID, c.ObjectID)
	}
	if err == nil {
		b.objects = append(b.objects, object)
	}
	return err
}

// write stores messages and deliveries, and removes the changes.
func (p *Publisher) write(ctx context.Context, tx Tx, b batch, now time.Time) error {
	stream, err := tx.Webhooks().LockStream(ctx, b.organizationID)
	if err != nil {
		return err
	}
	if stream.Version != b.stream.Version {
		return errOvertaken
	}
	endpoints, err := tx.Webhooks().LockEndpoints(ctx, b.organizationID)
	if err != nil {
		return err
	}
	if len(endpoints) > 0 { // otherwise the changes have no reader
		if err := p.writeMessages(ctx, tx, b, endpoints, now); err != nil {
			return err
		}
	}
	ids := make([]int64, 0, len(b.changes))
	for _, change := range b.changes {
		ids = append(ids, change.ID)
	}
	if err := tx.Webhooks().DeleteChanges(ctx, ids); err != nil {
		return err
	}
	stream.Version, stream.CheckAt = stream.Version+1, b.checkAt
	return tx.Webhooks().PutStream(ctx, stream)
}

func (p *Publisher) writeMessages(ctx context.Context, tx Tx, b batch, endpoints []Endpoint, now time.Time) error {
	given := make([]int, len(endpoints))
	for _, object := range b.objects {
		fresh, err := p.markPublished(ctx, tx, b.organizationID, object)
		if err != nil {
			return err
		}
		if !fresh {
			continue
		}
		if err := p.writeMessage(ctx, tx, b.organizationID, object, endpoints, given, now); err != nil {
			return err
		}
	}
	for i, endpoint := range endpoints {
		if given[i] == 0 || endpoint.DueAt != nil {
			continue // it sends already, or at its next attempt
		}
		endpoint.DueAt = &now
		if err := tx.Webhooks().UpdateEndpoint(ctx, endpoint); err != nil {
			return err
		}
		if err := p.Enqueue(ctx, tx.Jobs(), job.KindDelivery, endpoint.ID, fmt.Sprint(b.stream.Version), now); err != nil {
			return err
		}
	}
	return nil
}

// markPublished stores the state of an object; false if it is the last published one.
func (p *Publisher) markPublished(ctx context.Context, tx Tx, organizationID string, o Object) (bool, error) {
	digest, err := o.digest()
	if err != nil {
		return false, err
	}
	last, known, err := apperr.Found(tx.Webhooks().Published(ctx, organizationID, o.Type, o.ID))
	if err != nil || known && bytes.Equal(last.Digest, digest) {
		return false, err
	}
	return true, tx.Webhooks().PutPublished(ctx, Published{OrganizationID: organizationID, Type: o.Type, ObjectID: o.ID, Digest: digest})
}

// writeMessage stores a message if an endpoint wants it, and counts the deliveries in given.
func (p *Publisher) writeMessage(
	ctx context.Context, tx Tx, organizationID string, o Object, endpoints []Endpoint, given []int, now time.Time,
) error {
	var message Message
	for i, endpoint := range endpoints {
		if !endpoint.Subscribes(o.Type) {
			continue
		}
		if message.ID == "" {
			var err error
			if message, err = newMessage(p.NewID("msg"), organizationID, o, now); err != nil {
				return err
			}
			if err := tx.Webhooks().InsertMessage(ctx, message); err != nil {
				return err
			}
		}
		d := Delivery{EndpointID: endpoint.ID, MessageID: message.ID, Status: DeliveryPending, CreatedAt: now}
		if err := tx.Webhooks().InsertDelivery(ctx, d); err != nil {
			return err
		}
		given[i]++
	}
	return nil
}
