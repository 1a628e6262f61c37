package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"usher/billing"
)

const mailColumns = `id, key, kind, recipient, organization_id, data, status, subject, queued_at, stale_at, next_attempt_at, attempts,
	error, sent_at`

type mailRow struct {
	ID             string         `db:"id"`
	Key            string         `db:"key"`
	Kind           string         `db:"kind"`
	Recipient      string         `db:"recipient"`
	OrganizationID sql.NullString `db:"organization_id"`
	Data           []byte         `db:"data"`
	Status         string         `db:"status"`
	Subject        string         `db:"subject"`
	QueuedAt       time.Time      `db:"queued_at"`
	StaleAt        time.Time      `db:"stale_at"`
	NextAttemptAt  *time.Time     `db:"next_attempt_at"`
	Attempts       int            `db:"attempts"`
	Error          string         `db:"error"`
	SentAt         *time.Time     `db:"sent_at"`
}

func (r mailRow) mail() (billing.QueuedMail, error) {
	var data billing.MailData
	if err := json.Unmarshal(r.Data, &data); err != nil {
		return billing.QueuedMail{}, fmt.Errorf("read data of mail %s: %w", r.ID, err)
	}
	return billing.QueuedMail{
		Mail: billing.Mail{Kind: billing.MailKind(r.Kind), To: r.Recipient, OrganizationID: r.OrganizationID.String, Key: r.Key,
			Data: data, StaleAt: r.StaleAt.UTC()},
		ID: r.ID, Status: billing.MailStatus(r.Status), Subject: r.Subject, QueuedAt: r.QueuedAt.UTC(),
		NextAttemptAt: utc(r.NextAttemptAt), Attempts: r.Attempts, Error: r.Error, SentAt: utc(r.SentAt),
	}, nil
}

// A second writer of the same key waits here for the first one's commit, so 'known' always means committed.
const insertMail = `insert into emails (` + mailColumns + `)
	values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
	on conflict (key, lower(recipient)) do nothing`

// InsertMail implements [billing.MailQueries].
func (q queries) InsertMail(ctx context.Context, m billing.QueuedMail) (bool, error) {
	data, err := json.Marshal(m.Data)
	if err != nil {
		return false, fmt.Errorf("write data of mail: %w", err)
	}
	n, err := q.execCount(ctx, "insert mail", insertMail,
		m.ID, m.Key, m.Kind, m.To, textOrNull(m.OrganizationID), string(data), m.Status, m.Subject, m.QueuedAt, m.StaleAt,
		m.NextAttemptAt, m.Attempts, m.Error, m.SentAt)
	return n == 1, err
}

// As for events: the inner select skips what somebody else is just claiming; once that is committed it is due no more.
const claimDueMail = `with due as materialized (
		select id from emails where status = 'queued' and next_attempt_at <= $1
		order by next_attempt_at limit 1 for no key update skip locked
	)
	update emails set next_attempt_at = $2, attempts = attempts + 1 where id = (select id from due)
	returning ` + mailColumns

// ClaimDueMail implements [billing.MailQueries].
func (q queries) ClaimDueMail(ctx context.Context, now, leaseUntil time.Time) (billing.QueuedMail, error) {
	row, err := get[mailRow](ctx, q, "claim due mail", claimDueMail, now, leaseUntil)
	if err != nil {
		return billing.QueuedMail{}, err
	}
	return row.mail()
}

// The count of attempts tells a worker that has outlived its lease from the one that took over.
const finishMail = `update emails set status = $3, subject = $4, error = $5, next_attempt_at = $6, sent_at = $7,
		data = case when $3 = 'sent' then '{}'::jsonb else data end
	where id = $1 and status <> 'sent' and ($3 = 'sent' or (status = 'queued' and attempts = $2))`

// FinishMail implements [billing.MailQueries].
func (q queries) FinishMail(ctx context.Context, m billing.QueuedMail) error {
	return q.exec(ctx, "finish mail", finishMail, m.ID, m.Attempts, m.Status, m.Subject, m.Error, m.NextAttemptAt, m.SentAt)
}

const selectUnsentMail = `select ` + mailColumns + ` from emails where status <> 'sent' order by seq desc limit $1`

// UnsentMail implements [billing.MailQueries].
func (q queries) UnsentMail(ctx context.Context, limit int) ([]billing.QueuedMail, error) {
	rows, err := list[mailRow](ctx, q, "list unsent mail", selectUnsentMail, limit)
	if err != nil {
		return nil, err
	}
	unsent := make([]billing.QueuedMail, 0, len(rows))
	for _, row := range rows {
		mail, err := row.mail()
		if err != nil {
			return nil, err
		}
		unsent = append(unsent, mail)
	}
	return unsent, nil
}
