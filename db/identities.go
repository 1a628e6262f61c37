package db

import (
	"context"

	"usher/billing/account"
)

// identityStore implements [account.IdentityStore].
type identityStore struct{ queries }

// Identities implements [account.Tx].
func (q queries) Identities() account.IdentityStore { return identityStore{q} }

var identityTable = tableOf[account.Identity]("identities")

var insertIdentity = identityTable.insert()

// Insert implements [account.IdentityStore].
func (q identityStore) Insert(ctx context.Context, i account.Identity) error {
	return q.exec(ctx, "insert identity", insertIdentity, identityTable.values(i)...)
}

var selectIdentity = `select ` + identityTable.list("") + ` from identities where issuer = $1 and subject = $2`

// Get implements [account.IdentityStore].
func (q identityStore) Get(ctx context.Context, issuer, subject string) (account.Identity, error) {
	return get[account.Identity](ctx, q.queries, "read identity", selectIdentity, issuer, subject)
}

var selectIdentitiesOfUser = `select ` + identityTable.list("") + ` from identities where user_id = $1 order by created_at, issuer, subject`

// OfUser implements [account.IdentityStore].
func (q identityStore) OfUser(ctx context.Context, userID string) ([]account.Identity, error) {
	return list[account.Identity](ctx, q.queries, "list identities of user", selectIdentitiesOfUser, userID)
}

const touchIdentity = `update identities set email = $3, last_used_at = $4 where issuer = $1 and subject = $2`

// Touch implements [account.IdentityStore].
func (q identityStore) Touch(ctx context.Context, i account.Identity) error {
	return q.exec(ctx, "touch identity", touchIdentity, i.Issuer, i.Subject, i.Email, i.LastUsedAt)
}

const deleteIdentity = `delete from identities where user_id = $1 and issuer = $2 and subject = $3`

// Delete implements [account.IdentityStore].
func (q identityStore) Delete(ctx context.Context, userID, issuer, subject string) (bool, error) {
	deleted, err := q.execCount(ctx, "delete identity", deleteIdentity, userID, issuer, subject)
	return deleted > 0, err
}

const deleteIdentitiesOfUser = `delete from identities where user_id = $1`

// DeleteOfUser implements [account.IdentityStore].
func (q identityStore) DeleteOfUser(ctx context.Context, userID string) (int64, error) {
	return q.execCount(ctx, "delete identities of user", deleteIdentitiesOfUser, userID)
}
