package db

import (
	"context"
	"time"

	"usher/billing/account"
	"usher/billing/webhook"
)

// userStore implements [account.UserStore].
type userStore struct{ queries }

// Users implements [account.Tx].
func (q queries) Users() account.UserStore { return userStore{q} }

var userTable = tableOf[account.User]("users")

var insertUser = userTable.insert()

// Insert implements [account.UserStore].
func (q userStore) Insert(ctx context.Context, u account.User) error {
	return q.exec(ctx, "insert user", insertUser, userTable.values(u)...)
}

var insertUsers = userTable.insertAll()

// InsertAll implements [account.UserStore].
func (q userStore) InsertAll(ctx context.Context, users []account.User) error {
	rows, err := userTable.rows(users)
	if err != nil {
		return err
	}
	return q.exec(ctx, "insert users", insertUsers, rows)
}

var selectUser = `select ` + userTable.list("u") + ` from users u where u.id = $1`

// Get implements [account.UserStore].
func (q userStore) Get(ctx context.Context, id string) (account.User, error) {
	return get[account.User](ctx, q.queries, "read user", selectUser, id)
}

var lockUser = selectUser + ` for no key update`

// Lock implements [account.UserStore].
func (q userStore) Lock(ctx context.Context, id string) (account.User, error) {
	return get[account.User](ctx, q.queries, "lock user", lockUser, id)
}

var selectUserByEmail = `select ` + userTable.list("u") + ` from users u where lower(u.email) = lower($1)`

// ByEmail implements [account.UserStore].
func (q userStore) ByEmail(ctx context.Context, email string) (account.User, error) {
	return get[account.User](ctx, q.queries, "read user by e-mail", selectUserByEmail, email)
}

// The replacement address is unique and not deliverable.
const eraseUser = `with used_tokens as (delete from account_tokens where user_id = $1),
		changes as (delete from email_changes where user_id = $1), devices as (delete from login_devices where user_id = $1),
		factors as (delete from second_factors where user_id = $1), passkeys as (delete from passkeys where user_id = $1),
		handles as (delete from passkey_handles where user_id = $1), linked as (delete from identities where user_id = $1)
	update users set name = $2, email = 'deleted:' || id, password_hash = '', email_verified_at = null, operator = false, second_factor_at = null, language = '' where id = $1`

// Erase implements [account.UserStore].
func (q userStore) Erase(ctx context.Context, userID, name string) error {
	return q.execOne(ctx, "erase user", eraseUser, userID, name)
}

const setUserLanguage = `update users set language = $2 where id = $1`

// SetLanguage implements [account.UserStore].
func (q userStore) SetLanguage(ctx context.Context, id, language string) error {
	return q.exec(ctx, "set user language", setUserLanguage, id, language)
}

// Only memberships of organizations with webhooks are of interest.
const selectMembershipsOf = `select m.organization_id, m.id as object_id from organization_members m
	join organizations o on o.id = m.organization_id where m.user_id = $1 and o.has_webhooks order by m.organization_id`

// personChanged records a change of the name or the address of a person for all memberships.
func (q queries) personChanged(ctx context.Context, userID string) error {
	memberships, err := list[webhook.Change](ctx, q, "list memberships", selectMembershipsOf, userID)
	if err != nil {
		return err
	}
	for i := range memberships {
		memberships[i].Kind = webhook.ChangeMember
	}
	return q.changed(ctx, memberships...)
}

const setUserName = `update users set name = $2 where id = $1`

// SetName implements [account.UserStore].
func (q userStore) SetName(ctx context.Context, userID, name string) error {
	if err := q.execOne(ctx, "set user name", setUserName, userID, name); err != nil {
		return err
	}
	return q.personChanged(ctx, userID)
}

const setOperator = `update users set operator = $2 where id = $1`

// SetOperator implements [account.UserStore].
func (q userStore) SetOperator(ctx context.Context, userID string, operator bool) error {
	return q.execOne(ctx, "set operator", setOperator, userID, operator)
}

const setPassword = `update users set password_hash = $2 where id = $1`

// SetPassword implements [account.UserStore]; ErrNotFound if there is no such user.
func (q userStore) SetPassword(ctx context.Context, userID, hash string) error {
	return q.execOne(ctx, "set password", setPassword, userID, hash)
}

const replaceHash = `update users set password_hash = $3 where id = $1 and password_hash = $2`

// ReplaceHash implements [account.UserStore].
func (q userStore) ReplaceHash(ctx context.Context, userID, old, replacement string) error {
	return q.exec(ctx, "replace password hash", replaceHash, userID, old, replacement)
}

const markEmailVerified = `update users set email_verified_at = coalesce(email_verified_at, $2) where id = $1`

// MarkEmailVerified implements [account.UserStore]; ErrNotFound if there is no such user.
func (q userStore) MarkEmailVerified(ctx context.Context, userID string, at time.Time) error {
	return q.execOne(ctx, "mark e-mail verified", markEmailVerified, userID, at)
}

const setEmail = `update users set email = $2, email_verified_at = $3 where id = $1`

// SetEmail implements [account.UserStore].
func (q userStore) SetEmail(ctx context.Context, userID, email string, verifiedAt time.Time) error {
	if err := q.execOne(ctx, "set e-mail", setEmail, userID, email, verifiedAt); err != nil {
		return err
	}
	return q.personChanged(ctx, userID)
}

const deleteLoginDevices = `delete from login_devices where user_id = $1`

// DeleteLoginDevices implements [account.UserStore].
func (q userStore) DeleteLoginDevices(ctx context.Context, userID string) error {
	return q.exec(ctx, "delete log-in devices of user", deleteLoginDevices, userID)
}

const deleteSessions = `delete from sessions where user_id = $1`

// DeleteSessions implements [account.UserStore].
func (q userStore) DeleteSessions(ctx context.Context, userID string) (int64, error) {
	return q.execCount(ctx, "delete sessions of user", deleteSessions, userID)
}

var countSessions = `select count(*) from sessions where user_id = $1 and ` + liveSession

// CountSessions implements [account.UserStore].
func (q userStore) CountSessions(ctx context.Context, userID string) (int, error) {
	return get[int](ctx, q.queries, "count sessions of user", countSessions, userID)
}
