package webhook

import (
	"context"
	"fmt"
	"strings"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/env"
	"usher/billing/job"
	"usher/billing/secrets"
)

// Endpoints is what admins and programs do with the endpoints of their organization.
type Endpoints struct {
	*env.Env
	store   Storage
	members *account.Members
	keyring *secrets.Keyring
	strict  bool // only public addresses and HTTPS
}

// EndpointsOptions configure [Endpoints]. Every field is required.
type EndpointsOptions struct {
	Env     *env.Env
	Store   Storage
	Members *account.Members
	Secrets *secrets.Keyring // seals the signing secrets
	Strict  bool             // production: only public addresses and HTTPS
}

// NewEndpoints returns [Endpoints].
func NewEndpoints(o EndpointsOptions) *Endpoints {
	return &Endpoints{Env: o.Env, store: o.Store, members: o.Members, keyring: o.Secrets, strict: o.Strict}
}

// secretPurpose and the endpoint's id are authenticated with the sealed secret.
const secretPurpose = "webhook secret"

// deliveryLog is how many deliveries the log of an endpoint shows.
const deliveryLog = 50

// List lists the endpoints of the organization, the oldest first. Error: CodeForbidden.
func (es *Endpoints) List(ctx context.Context, a account.Access) ([]Endpoint, error) {
	if err := a.RequireWebhooks(); err != nil {
		return nil, err
	}
	return es.store.Webhooks().Endpoints(ctx, a.Organization.ID)
}

// Get reads an endpoint with its newest deliveries. Errors: CodeForbidden; [apperr.ErrNotFound].
func (es *Endpoints) Get(ctx context.Context, a account.Access, id string) (Endpoint, []Delivery, error) {
	if err := a.RequireWebhooks(); err != nil {
		return Endpoint{}, nil, err
	}
	endpoint, err := es.store.Webhooks().Endpoint(ctx, a.Organization.ID, id)
	if err != nil {
		return Endpoint{}, nil, err
	}
	deliveries, err := es.store.Webhooks().Deliveries(ctx, id, deliveryLog)
	return endpoint, deliveries, err
}

// HasDisabled reports whether an endpoint of the organization was disabled; false for people who
// can't see them.
func (es *Endpoints) HasDisabled(ctx context.Context, a account.Access) (bool, error) {
	if a.RequireWebhooks() != nil {
		return false, nil
	}
	disabled, err := es.store.Webhooks().CountDisabled(ctx, a.Organization.ID)
	return disabled > 0, err
}

// Create creates an endpoint and returns it with its signing secret, which can't be read again.
// Errors: CodeForbidden; CodeUnprocessable with the field url or events; CodeConflict if there are
// too many.
func (es *Endpoints) Create(ctx context.Context, a account.Access, draft Draft) (Endpoint, string, error) {
	var endpoint Endpoint
	secret := newSecret(es.Rand)
	err := es.change(ctx, a, func(tx Tx, actor account.Access) (err error) {
		if endpoint, err = es.newEndpoint(actor, draft, secret); err != nil {
			return err
		}
		present, err := tx.Webhooks().Endpoints(ctx, actor.Organization.ID)
		if err != nil {
			return err
		}
		if len(present) >= maxEndpoints {
			return apperr.Errorf(apperr.CodeConflict, "There are %d webhooks already. Delete one first.", maxEndpoints)
		}
		if err := tx.Webhooks().InsertEndpoint(ctx, endpoint); err != nil {
			return err
		}
		created := actor.Did(account.ActWebhookCreated).To(endpoint.ID, endpoint.URL)
		return es.record(ctx, tx, created.Changed(nil, account.AuditValues{"events": joinTypes(endpoint.Events)}))
	})
	if err != nil {
		return Endpoint{}, "", fmt.Errorf("create webhook: %w", err)
	}
	return endpoint, formatSecret(secret), nil
}

func (es *Endpoints) newEndpoint(actor account.Access, draft Draft, secret []byte) (Endpoint, error) {
	address, events, err := draft.check(es.strict)
	if err != nil {
		return Endpoint{}, err
	}
	e := Endpoint{
		ID: es.NewID("whe"), OrganizationID: actor.Organization.ID, URL: address, Events: events, CreatedBy: creator(actor), CreatedAt: es.Now(),
	}
	e.Secret, err = es.keyring.Seal(secret, secretPurpose, e.ID)
	return e, err
}

// creator names who creates an endpoint: a person, or the key of a program.
func creator(actor account.Access) string {
	if actor.ManagesWebhooks {
		return actor.Member.Role.Name
	}
	return actor.User.Name
}

// Rotate replaces the signing secret and returns the new one. The former one signs too for a day,
// so that receivers can be updated meanwhile. Errors: CodeForbidden; [apperr.ErrNotFound].
func (es *Endpoints) Rotate(ctx context.Context, a account.Access, id string) (Endpoint, string, error) {
	var endpoint Endpoint
	secret := newSecret(es.Rand)
	err := es.changeEndpoint(ctx, a, id, func(tx Tx, actor account.Access, e Endpoint) error {
		sealed, err := es.keyring.Seal(secret, secretPurpose, e.ID)
		if err != nil {
			return err
		}
		until := es.Now().Add(secretOverlap)
		e.Secret, e.FormerSecret, e.FormerUntil = sealed, e.Secret, &until
		endpoint = e
		rotated := actor.Did(account.ActWebhookRotated).To(e.ID, e.URL)
		if err := tx.Webhooks().UpdateEndpoint(ctx, e); err != nil {
			return err
		}
		return es.record(ctx, tx, rotated)
	})
	if err != nil {
		return Endpoint{}, "", fmt.Errorf("rotate webhook secret: %w", err)
	}
	return endpoint, formatSecret(secret), nil
}

// Delete deletes an endpoint. What is not sent yet is lost. Errors: CodeForbidden;
// [apperr.ErrNotFound].
func (es *Endpoints) Delete(ctx context.Context, a account.Access, id string) error {
	err := es.changeEndpoint(ctx, a, id, func(tx Tx, actor account.Access, e Endpoint) error {
		deleted := actor.Did(account.ActWebhookDeleted).To(e.ID, e.URL)
		if err := tx.Webhooks().DeleteEndpoint(ctx, e.OrganizationID, e.ID); err != nil {
			return err
		}
		return es.record(ctx, tx, deleted)
	})
	if err != nil {
		return fmt.Errorf("delete webhook: %w", err)
	}
	return nil
}

// Enable enables an endpoint that was disabled. Messages that were given up meanwhile are not sent.
// Errors: CodeForbidden; [apperr.ErrNotFound].
func (es *Endpoints) Enable(ctx context.Context, a account.Access, id string) error {
	err := es.changeEndpoint(ctx, a, id, func(tx Tx, actor account.Access, e Endpoint) error {
		if e.Enabled() {
			return nil
		}
		e.enable()
		enabled := actor.Did(account.ActWebhookEnabled).To(e.ID, e.URL)
		if err := tx.Webhooks().UpdateEndpoint(ctx, e); err != nil {
			return err
		}
		return es.record(ctx, tx, enabled)
	})
	if err != nil {
		return fmt.Errorf("enable webhook: %w", err)
	}
	return nil
}

// testData is the content of a test event.
type testData struct {
	EndpointID string `json:"endpointId"`
}

// SendTest sends a test event to an endpoint, after what is pending. A failing endpoint is tried at
// once. Errors: CodeForbidden; CodeConflict if it is disabled; [apperr.ErrNotFound].
func (es *Endpoints) SendTest(ctx context.Context, a account.Access, id string) error {
	err := es.changeEndpoint(ctx, a, id, func(tx Tx, _ account.Access, e Endpoint) error {
		message, err := newMessage(es.NewID("msg"), e.OrganizationID, Object{Type: TestEvent, Data: testData{e.ID}}, es.Now())
		if err != nil {
			return err
		}
		if err := tx.Webhooks().InsertMessage(ctx, message); err != nil {
			return err
		}
		return es.send(ctx, tx, e, message.ID)
	})
	if err != nil {
		return fmt.Errorf("send test event: %w", err)
	}
	return nil
}

// Resend sends the message of a finished delivery again, after what is pending: the same bytes
// under the same id. Errors: CodeForbidden; CodeConflict if the endpoint is disabled, or the
// delivery is pending; [apperr.ErrNotFound].
func (es *Endpoints) Resend(ctx context.Context, a account.Access, id string, deliveryID int64) error {
	err := es.changeEndpoint(ctx, a, id, func(tx Tx, actor account.Access, e Endpoint) error {
		delivery, err := tx.Webhooks().Delivery(ctx, e.ID, deliveryID)
		if err != nil {
			return err
		}
		if delivery.Status == DeliveryPending {
			return apperr.Errorf(apperr.CodeConflict, "This message is still being sent. It is retried automatically.")
		}
		if err := es.send(ctx, tx, e, delivery.MessageID); err != nil {
			return err
		}
		resent := actor.Did(account.ActWebhookResent).To(e.ID, e.URL)
		return es.record(ctx, tx, resent.Changed(nil, account.AuditValues{"message": delivery.MessageID, "event": string(delivery.Type)}))
	})
	if err != nil {
		return fmt.Errorf("resend message: %w", err)
	}
	return nil
}

// send adds a delivery and makes the endpoint due.
func (es *Endpoints) send(ctx context.Context, tx Tx, e Endpoint, messageID string) error {
	if !e.Enabled() {
		return apperr.Errorf(apperr.CodeConflict, "This webhook is off. Turn it on first.")
	}
	now := es.Now()
	err := tx.Webhooks().InsertDelivery(ctx, Delivery{EndpointID: e.ID, MessageID: messageID, Status: DeliveryPending, CreatedAt: now})
	if err != nil {
		return err
	}
	e.DueAt = &now
	if err := tx.Webhooks().UpdateEndpoint(ctx, e); err != nil {
		return err
	}
	return es.Enqueue(ctx, tx.Jobs(), job.KindDelivery, e.ID, es.NewID("now"), now)
}

// changeEndpoint runs f in a transaction that has locked the organization and the endpoint.
func (es *Endpoints) changeEndpoint(ctx context.Context, a account.Access, id string, f func(Tx, account.Access, Endpoint) error) error {
	return es.change(ctx, a, func(tx Tx, actor account.Access) error {
		if _, err := tx.Webhooks().Endpoint(ctx, actor.Organization.ID, id); err != nil {
			return err
		}
		e, err := tx.Webhooks().LockEndpoint(ctx, id)
		if err != nil {
			return err
		}
		return f(tx, actor, e)
	})
}

// change runs f in a transaction that has locked the organization. The permission of a person is
// read after the lock; that of a program is its key's.
func (es *Endpoints) change(ctx context.Context, a account.Access, f func(Tx, account.Access) error) error {
	if !a.ManagesWebhooks {
		return es.members.InLockedOrganization(ctx, a, func(tx account.Tx, actor account.Access) error {
			if err := actor.RequireWebhooks(); err != nil {
				return err
			}
			return f(tx.(Tx), actor)
		})
	}
	return es.store.InTx(ctx, func(tx Tx) error {
		organization, err := tx.Organizations().Lock(ctx, a.Organization.ID)
		if err != nil {
			return fmt.Errorf("lock organization: %w", err)
		}
		if organization.DeletedAt != nil {
			return apperr.Errorf(apperr.CodeConflict, account.MessageDeleted)
		}
		return f(tx, a)
	})
}

func (es *Endpoints) record(ctx context.Context, tx Tx, e account.AuditEntry) error {
	return account.Record(ctx, tx, es.Now(), e)
}

// FormerSecretUntil returns until when the former secret signs; zero: there is none any more.
func (e Endpoint) FormerSecretUntil(now time.Time) time.Time {
	if e.FormerUntil == nil || !now.Before(*e.FormerUntil) {
		return time.Time{}
	}
	return *e.FormerUntil
}

func joinTypes(types []EventType) string {
	texts := make([]string, 0, len(types))
	for _, t := range types {
		texts = append(texts, string(t))
	}
	return strings.Join(texts, ", ")
}
