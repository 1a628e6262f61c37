package db

import (
	"context"
	"fmt"
	"strings"
	"time"

	"usher/billing/account"
)

// auditStore implements [account.AuditStore].
type auditStore struct{ queries }

// Audit implements [account.Tx].
func (q queries) Audit() account.AuditStore { return auditStore{q} }

var (
	auditTable       = tableOf[account.AuditEntry]("audit_entries")
	insertAuditEntry = auditTable.insert()
)

// Insert implements [account.AuditStore]. The database assigns the id.
func (q auditStore) Insert(ctx context.Context, e account.AuditEntry) error {
	return q.exec(ctx, "insert audit entry", insertAuditEntry, auditTable.values(e)...)
}

var insertAuditEntries = auditTable.insertAll()

// InsertAll implements [account.AuditStore].
func (q auditStore) InsertAll(ctx context.Context, entries []account.AuditEntry) error {
	rows, err := auditTable.rows(entries)
	if err != nil {
		return err
	}
	return q.exec(ctx, "insert audit entries", insertAuditEntries, rows)
}

var selectLastAuditEntry = `select ` + auditTable.list("") + ` from audit_entries
	where organization_id = $1 and act = $2 and actor_id = $3 order by at desc, id desc limit 1`

// Last implements [account.AuditStore].
func (q auditStore) Last(ctx context.Context, organizationID string, act account.Act, actorID string) (account.AuditEntry, error) {
	return get[account.AuditEntry](ctx, q.queries, "read last audit entry", selectLastAuditEntry, organizationID, act, actorID)
}

// Search implements [account.AuditStore]. The statement has only the conditions that filter, so
// that each has a plan of its own with the index that fits.
func (q auditStore) Search(ctx context.Context, s account.AuditSearch) ([]account.AuditEntry, error) {
	conditions, args := auditConditions(s)
	query := unprepared + `select ` + auditTable.list("") + ` from audit_entries`
	if len(conditions) > 0 {
		query += ` where ` + strings.Join(conditions, " and ")
	}
	args = append(args, s.Limit)
	query += fmt.Sprintf(` order by at desc, id desc limit $%d`, len(args))
	return list[account.AuditEntry](ctx, q.queries, "search audit entries", query, args...)
}

func auditConditions(s account.AuditSearch) (conditions []string, args []any) {
	where := func(condition string, values ...any) {
		for i, value := range values {
			args = append(args, value)
			condition = strings.ReplaceAll(condition, fmt.Sprintf("{%d}", i), fmt.Sprintf("$%d", len(args)))
		}
		conditions = append(conditions, condition)
	}
	if s.OrganizationID != "" {
		where("organization_id = {0}", s.OrganizationID)
	}
	if s.Act != "" {
		where("act = {0}", s.Act)
	}
	if s.Kind != "" {
		where("actor_kind = {0}", s.Kind)
	}
	switch {
	case s.Text == "":
	case s.IsID():
		where("(actor_id = {0} or target_id = {0} or organization_id = {0} or request_id = {0})", s.Text)
	default:
		where(hasWords, wordsQuery(s.Text, ""))
	}
	if s.Actor != "" {
		where(hasWords, wordsQuery(s.Actor, "A"))
	}
	if !s.From.IsZero() {
		where("at >= {0}", s.From)
	}
	if !s.Until.IsZero() {
		where("at < {0}", s.Until)
	}
	if s.Before != (account.AuditCursor{}) {
		where("(at, id) < ({0}, {1})", s.Before.At, s.Before.ID)
	}
	return conditions, args
}

// A word is looked for as PostgreSQL divides it (o'brien is two words), and as it stands: the
// beginning of an address (grace@exa) is a word of the index only as a whole.
const hasWords = "words @@ (to_tsquery('simple', {0}) || lower({0})::tsquery)"

// wordsQuery returns the tsquery that finds all words of a text as beginnings. The words are
// quoted, so that they have no operators
// (https://www.postgresql.org/docs/current/datatype-textsearch.html#DATATYPE-TSQUERY).
func wordsQuery(text, weight string) string {
	quote := strings.NewReplacer(`'`, `''`, `\`, `\\`)
	var terms []string
	for word := range strings.FieldsSeq(text) {
		terms = append(terms, `'`+quote.Replace(word)+`':*`+weight)
	}
	return strings.Join(terms, " & ")
}

// maintainAudit allows one kind of maintenance in this transaction; see migration 60.
const maintainAudit = `select set_config('usher.audit_maintenance', $1, true)`

const pruneAudit = `delete from audit_entries where id in (select id from audit_entries where at < $1 order by at, id limit $2)`

// Prune implements [account.AuditStore].
func (q auditStore) Prune(ctx context.Context, before time.Time, limit int) (int, error) {
	if err := q.exec(ctx, "begin audit retention", maintainAudit, "retention"); err != nil {
		return 0, err
	}
	n, err := q.execCount(ctx, "prune audit entries", pruneAudit, before, limit)
	if err != nil {
		return 0, err
	}
	return int(n), q.exec(ctx, "end audit retention", maintainAudit, "")
}

// A name or an address of the person stands in four places: as actor, as target, and in the values
// of entries about them.
const eraseFromAudit = `update audit_entries set
		actor_name = case when actor_id = $1 then $3 else actor_name end,
		address = case when actor_id = $1 then '' else address end,
		target_name = case when target_id = $1 or lower(target_name) = lower($2) then $3 else target_name end,
		before = case when actor_id = $1 and act = 'person.renamed' or target_id = $1 then 'null' else before end,
		after = case when actor_id = $1 and act = 'person.renamed' or target_id = $1 then 'null' else after end
	where actor_id = $1 or target_id = $1 or $2 <> '' and lower(target_name) = lower($2)`

// ErasePerson implements [account.AuditStore].
func (q auditStore) ErasePerson(ctx context.Context, userID, email, name string) (int, error) {
	if err := q.exec(ctx, "begin audit erasure", maintainAudit, "erasure"); err != nil {
		return 0, err
	}
	n, err := q.execCount(ctx, "erase person from audit entries", eraseFromAudit, userID, email, name)
	if err != nil {
		return 0, err
	}
	return int(n), q.exec(ctx, "end audit erasure", maintainAudit, "")
}
