package db

import (
	"context"

	"usher/billing/account"
)

var selectMemberships = `select ` + memberColumns + ` from organization_members m
	join users u on u.id = m.user_id
	join roles r on r.id = m.role_id
	where m.user_id = $1 order by m.organization_id`

// Memberships implements [billing.AccountDeletionQueries].
func (q memberStore) OfUser(ctx context.Context, userID string) ([]account.Member, error) {
	return list[account.Member](ctx, q.queries, "list memberships", selectMemberships, userID)
}

// The replacement address is unique and not deliverable.
const eraseUser = `with used_tokens as (delete from account_tokens where user_id = $1)
	update users set name = $2, email = 'deleted:' || id, password_hash = '', email_verified_at = null, operator = false where id = $1`

// EraseUser implements [billing.AccountDeletionQueries].
func (q userStore) Erase(ctx context.Context, userID, name string) error {
	return q.execOne(ctx, "erase user", eraseUser, userID, name)
}
