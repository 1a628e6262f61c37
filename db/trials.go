package db

import (
	"context"
	"time"

	"usher/billing"
)

// trialStore implements [billing.TrialStore].
type trialStore struct{ queries }

// Trials implements [billing.Tx].
func (q queries) Trials() billing.TrialStore { return trialStore{q} }

var trialTable = tableOf[billing.Trial]("trials")

var putTrial = trialTable.insert() + ` on conflict (subscription_id, started_at) do update set
		ends_at = excluded.ends_at, guarded = trials.guarded or excluded.guarded,
		card_fingerprint = coalesce(nullif(excluded.card_fingerprint, ''), trials.card_fingerprint)
	where (trials.ends_at, trials.guarded) is distinct from (excluded.ends_at, trials.guarded or excluded.guarded)
		or excluded.card_fingerprint not in ('', trials.card_fingerprint)`

// Put implements [billing.TrialStore].
func (q trialStore) Put(ctx context.Context, t billing.Trial) error {
	return q.exec(ctx, "put trial", putTrial, trialTable.values(t)...)
}

var selectTrials = `select ` + trialTable.list("") + ` from trials
	where organization_id = $1 and account = $2 and livemode = $3 order by started_at, subscription_id`

// List implements [billing.TrialStore].
func (q trialStore) List(ctx context.Context, organizationID string, acct billing.StripeAccount) ([]billing.Trial, error) {
	return list[billing.Trial](ctx, q.queries, "list trials", selectTrials, organizationID, acct.ID, acct.Livemode)
}

// Two trials of the same card in the same second are ordered by their ids, so that one is kept.
var claimRepeatedTrials = `with due as (
		select t.subscription_id, t.started_at from trials t
		where t.account = $1 and t.livemode = $2 and t.guarded and t.canceled_at is null and t.card_fingerprint <> ''
			and t.ends_at > $3 and (t.next_attempt_at is null or t.next_attempt_at <= $3) and exists (
				select from trials e where e.account = t.account and e.livemode = t.livemode and e.card_fingerprint = t.card_fingerprint
					and e.organization_id <> t.organization_id and (e.started_at, e.subscription_id) < (t.started_at, t.subscription_id))
		order by t.started_at limit $5 for update of t skip locked
	)
	update trials set next_attempt_at = $4, attempts = attempts + 1 from due
	where trials.subscription_id = due.subscription_id and trials.started_at = due.started_at
	returning ` + trialTable.list("trials")

// ClaimRepeated implements [billing.TrialStore].
func (q trialStore) ClaimRepeated(ctx context.Context, acct billing.StripeAccount, now, leaseUntil time.Time, limit int) ([]billing.Trial, error) {
	return list[billing.Trial](ctx, q.queries, "claim repeated trials", claimRepeatedTrials, acct.ID, acct.Livemode, now, leaseUntil, limit)
}

const finishTrial = `update trials set canceled_at = $3, next_attempt_at = $4, error = $5 where subscription_id = $1 and started_at = $2`

// Finish implements [billing.TrialStore].
func (q trialStore) Finish(ctx context.Context, t billing.Trial) error {
	return q.exec(ctx, "finish trial", finishTrial, t.SubscriptionID, t.StartedAt, t.CanceledAt, t.NextAttemptAt, t.Error)
}
