package db

import (
	"context"

	"usher/billing"
	"usher/billing/apperr"

	"usher/billing/mail"
)

// contactStore implements [billing.ContactStore].
type contactStore struct{ queries }

// Contacts implements [billing.Tx].
func (q queries) Contacts() billing.ContactStore { return contactStore{q} }

// List implements [billing.ContactStore].
func (q contactStore) List(ctx context.Context, organizationID string) ([]string, error) {
	return list[string](ctx, q.queries, "list billing contacts", `select email from billing_contacts where organization_id = $1 order by id`, organizationID)
}

const insertContact = `insert into billing_contacts (organization_id, email) values ($1, $2) on conflict do nothing`

// Add implements [billing.ContactStore].
func (q contactStore) Add(ctx context.Context, organizationID, email string) error {
	return q.exec(ctx, "add billing contact", insertContact, organizationID, email)
}

// Remove implements [billing.ContactStore].
func (q contactStore) Remove(ctx context.Context, organizationID, email string) error {
	n, err := q.execCount(ctx, "remove billing contact", `delete from billing_contacts where organization_id = $1 and lower(email) = lower($2)`,
		organizationID, email)
	if err == nil && n == 0 {
		return apperr.ErrNotFound
	}
	return err
}

// Muted implements [billing.ContactStore].
func (q contactStore) Muted(ctx context.Context, organizationID string) ([]mail.Kind, error) {
	return list[mail.Kind](ctx, q.queries, "list muted notices", `select kind from muted_notices where organization_id = $1 order by kind`, organizationID)
}

// Mute implements [billing.ContactStore].
func (q contactStore) Mute(ctx context.Context, organizationID string, kinds []mail.Kind) error {
	if err := q.exec(ctx, "unmute notices", `delete from muted_notices where organization_id = $1`, organizationID); err != nil {
		return err
	}
	for _, kind := range kinds {
		if err := q.exec(ctx, "mute notice", `insert into muted_notices (organization_id, kind) values ($1, $2)`, organizationID, kind); err != nil {
			return err
		}
	}
	return nil
}
