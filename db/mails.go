package db

import (
	"context"
	"time"

	"usher/billing/mail"
)

// mailStore implements [mail.Store].
type mailStore struct{ queries }

// Mails implements [mail.Tx].
func (q queries) Mails() mail.Store { return mailStore{q} }

var mailTable = tableOf[mail.QueuedMessage]("emails").without("language")

// mailColumns are the columns of a message with the language of its recipient's account.
var mailColumns = mailTable.list("") + `, coalesce((select u.language from users u where lower(u.email) = lower(recipient)), '') as language`

// A concurrent writer of the same key blocks here until the first commits, so a conflict always
// means that the mail is committed.
var insertMail = mailTable.insert() + ` on conflict (key, lower(recipient)) do nothing`

// Insert implements [mail.Store].
func (q mailStore) Insert(ctx context.Context, m mail.QueuedMessage) (bool, error) {
	n, err := q.execCount(ctx, "insert mail", insertMail, mailTable.values(m)...)
	return n == 1, err
}

// As in claimDueEvent: skip locked rows, and update what the select found.
var claimDueMail = `with due as materialized (
		select id from emails where status = 'queued' and next_attempt_at <= $1
		order by next_attempt_at limit 1 for no key update skip locked
	)
	update emails set next_attempt_at = $2, attempts = attempts + 1 where id = (select id from due)
	returning ` + mailColumns

// ClaimDue implements [mail.Store].
func (q mailStore) ClaimDue(ctx context.Context, now, leaseUntil time.Time) (mail.QueuedMessage, error) {
	return get[mail.QueuedMessage](ctx, q.queries, "claim due mail", claimDueMail, now, leaseUntil)
}

// A worker whose lease expired has an outdated attempt count and must not overwrite the result of
// its successor.
const finishMail = `update emails set status = $3, subject = $4, error = $5, next_attempt_at = $6, sent_at = $7,
		data = case when $3 = 'sent' then '{}'::jsonb else data end
	where id = $1 and status <> 'sent' and ($3 = 'sent' or (status = 'queued' and attempts = $2))`

// Finish implements [mail.Store].
func (q mailStore) Finish(ctx context.Context, m mail.QueuedMessage) error {
	return q.exec(ctx, "finish mail", finishMail, m.ID, m.Attempts, m.Status, m.Subject, m.Error, m.NextAttemptAt, m.SentAt)
}

const discardMail = `delete from emails where kind = $1 and key = $2 and status in ('queued', 'kept')`

// Discard implements [mail.Store].
func (q mailStore) Discard(ctx context.Context, kind mail.Kind, key string) (int, error) {
	n, err := q.execCount(ctx, "discard mail", discardMail, kind, key)
	return int(n), err
}

var selectUnsentMail = `select ` + mailColumns + ` from emails where status <> 'sent' order by seq desc limit $1`

// Unsent implements [mail.Store].
func (q mailStore) Unsent(ctx context.Context, limit int) ([]mail.QueuedMessage, error) {
	return list[mail.QueuedMessage](ctx, q.queries, "list unsent mail", selectUnsentMail, limit)
}
