package db

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/lib/pq"

	"usher/billing/job"
	"usher/billing/webhook"
)

// webhookRecorder collects what a transaction changes. It is written at the end of the transaction,
// in one statement.
type webhookRecorder struct {
	changes  []webhook.Change
	recorded map[[4]string]bool // what changes has, by organization, kind, object and fact
	// marked is whether an organization has endpoints, as far as the transaction has locked it.
	marked map[string]bool
}

// mark stores what the lock of an organization has read. An endpoint is created under the same
// lock.
func (r *webhookRecorder) mark(organizationID string, hasWebhooks bool) {
	if r == nil {
		return
	}
	if r.marked == nil {
		r.marked = map[string]bool{}
	}
	r.marked[organizationID] = hasWebhooks
}

// changed records changes for the messages of organizations. All stores call it with what they
// write. Outside of a transaction the changes are written at once.
func (q queries) changed(ctx context.Context, changes ...webhook.Change) error {
	if q.webhooks == nil {
		return q.writeChanges(ctx, changes)
	}
	for _, c := range changes {
		if key := [4]string{c.OrganizationID, string(c.Kind), c.ObjectID, c.FactID}; !q.webhooks.recorded[key] {
			q.webhooks.recorded[key] = true
			q.webhooks.changes = append(q.webhooks.changes, c)
		}
	}
	return nil
}

// stateChanged is changed for the state of an organization.
func (q queries) stateChanged(ctx context.Context, organizationID string) error {
	return q.changed(ctx, webhook.Change{OrganizationID: organizationID, Kind: webhook.ChangeState})
}

// flushChanges writes what the transaction has recorded.
func (q queries) flushChanges(ctx context.Context) error {
	return q.writeChanges(ctx, slices.DeleteFunc(q.webhooks.changes, func(c webhook.Change) bool {
		has, known := q.webhooks.marked[c.OrganizationID]
		return known && !has
	}))
}

// Changes of organizations without an enabled endpoint have no reader.
const insertWebhookChanges = `insert into webhook_changes (organization_id, kind, object_id, fact_id, member)
	select c.organization_id, c.kind, c.object_id, c.fact_id, c.member::jsonb
	from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) with ordinality
		as c (organization_id, kind, object_id, fact_id, member, n)
	where exists (select from webhook_endpoints e where e.organization_id = c.organization_id and e.disabled_at is null)
	order by c.n
	returning id, organization_id`

type insertedChange struct {
	ID             int64  `db:"id"`
	OrganizationID string `db:"organization_id"`
}

// writeChanges writes changes and enqueues a job for each organization that has endpoints.
func (q queries) writeChanges(ctx context.Context, changes []webhook.Change) error {
	if len(changes) == 0 {
		return nil
	}
	var columns [5][]string
	for _, c := range changes {
		member, err := json.Marshal(c.Member)
		if err != nil {
			return wrap(ctx, "insert webhook changes", err)
		}
		for i, value := range []string{c.OrganizationID, string(c.Kind), c.ObjectID, c.FactID, string(member)} {
			columns[i] = append(columns[i], value)
		}
	}
	inserted, err := list[insertedChange](ctx, q, "insert webhook changes", insertWebhookChanges,
		pq.Array(columns[0]), pq.Array(columns[1]), pq.Array(columns[2]), pq.Array(columns[3]), pq.Array(columns[4]))
	if err != nil {
		return err
	}
	last := map[string]int64{}
	for _, row := range inserted {
		last[row.OrganizationID] = max(last[row.OrganizationID], row.ID)
	}
	for organizationID, id := range last {
		err := q.Jobs().Enqueue(ctx, job.Job{Kind: job.KindWebhook, ID: organizationID, Revision: strconv.FormatInt(id, 10)})
		if err != nil {
			return err
		}
	}
	return nil
}
