package db

import (
	"context"
	"time"

	"github.com/lib/pq"

	"usher/billing/account"
)

// secondFactorStore implements [account.SecondFactorStore].
type secondFactorStore struct{ queries }

// SecondFactors implements [account.Tx].
func (q queries) SecondFactors() account.SecondFactorStore { return secondFactorStore{q} }

var secondFactorTable = tableOf[account.SecondFactor]("second_factors")

var insertSecondFactor = `with factor as (` + secondFactorTable.insert() + ` returning user_id, confirmed_at)
	update users u set second_factor_at = factor.confirmed_at from factor where u.id = factor.user_id`

// Insert implements [account.SecondFactorStore].
func (q secondFactorStore) Insert(ctx context.Context, f account.SecondFactor) error {
	return q.exec(ctx, "insert second factor", insertSecondFactor, secondFactorTable.values(f)...)
}

var selectSecondFactor = `select ` + secondFactorTable.list("") + ` from second_factors where user_id = $1`

// Get implements [account.SecondFactorStore].
func (q secondFactorStore) Get(ctx context.Context, userID string) (account.SecondFactor, error) {
	return get[account.SecondFactor](ctx, q.queries, "read second factor", selectSecondFactor, userID)
}

var lockSecondFactor = selectSecondFactor + ` for update`

// Lock implements [account.SecondFactorStore].
func (q secondFactorStore) Lock(ctx context.Context, userID string) (account.SecondFactor, error) {
	return get[account.SecondFactor](ctx, q.queries, "lock second factor", lockSecondFactor, userID)
}

const updateSecondFactor = `update second_factors set seed = $2, last_step = $3 where user_id = $1`

// Update implements [account.SecondFactorStore].
func (q secondFactorStore) Update(ctx context.Context, f account.SecondFactor) error {
	return q.execOne(ctx, "update second factor", updateSecondFactor, f.UserID, f.Seed, f.LastStep)
}

// A trigger corrects users.second_factor_at if there are passkeys, and deletes the recovery codes
// if there are none.
const deleteSecondFactor = `with factor as (delete from second_factors where user_id = $1 returning user_id)
	update users u set second_factor_at = null from factor where u.id = factor.user_id`

// Delete implements [account.SecondFactorStore].
func (q secondFactorStore) Delete(ctx context.Context, userID string) (bool, error) {
	n, err := q.execCount(ctx, "delete second factor", deleteSecondFactor, userID)
	return n == 1, err
}

const (
	deleteRecoveryCodes = `delete from recovery_codes where user_id = $1`
	insertRecoveryCodes = `insert into recovery_codes (user_id, code_hash) select $1, unnest($2::bytea[])`
)

// ReplaceCodes implements [account.SecondFactorStore].
func (q secondFactorStore) ReplaceCodes(ctx context.Context, userID string, hashes [][]byte) error {
	if err := q.exec(ctx, "delete recovery codes", deleteRecoveryCodes, userID); err != nil {
		return err
	}
	return q.exec(ctx, "insert recovery codes", insertRecoveryCodes, userID, pq.ByteaArray(hashes))
}

const markRecoveryCodeUsed = `update recovery_codes set used_at = $3 where user_id = $1 and code_hash = $2 and used_at is null`

// UseCode implements [account.SecondFactorStore].
func (q secondFactorStore) UseCode(ctx context.Context, userID string, hash []byte, now time.Time) (bool, error) {
	n, err := q.execCount(ctx, "mark recovery code used", markRecoveryCodeUsed, userID, hash, now)
	return n == 1, err
}

const countRecoveryCodes = `select count(*) from recovery_codes where user_id = $1 and used_at is null`

// CountCodes implements [account.SecondFactorStore].
func (q secondFactorStore) CountCodes(ctx context.Context, userID string) (int, error) {
	return get[int](ctx, q.queries, "count recovery codes", countRecoveryCodes, userID)
}

const isOutdated = ` from second_factors where substring(seed for octet_length($1::bytea)) <> $1`

const countOutdatedSeeds = `select count(*)` + isOutdated

// CountOutdated implements [account.SecondFactorStore].
func (q secondFactorStore) CountOutdated(ctx context.Context, prefix []byte) (int, error) {
	return get[int](ctx, q.queries, "count outdated seeds", countOutdatedSeeds, prefix)
}

var selectOutdatedSeeds = `select ` + secondFactorTable.list("") + isOutdated + ` and user_id > $2 order by user_id limit $3`

// Outdated implements [account.SecondFactorStore].
func (q secondFactorStore) Outdated(ctx context.Context, prefix []byte, after string, limit int) ([]account.SecondFactor, error) {
	return list[account.SecondFactor](ctx, q.queries, "list outdated seeds", selectOutdatedSeeds, prefix, after, limit)
}
