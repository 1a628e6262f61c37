package db

import (
	"context"
	"time"

	"github.com/lib/pq"

	"usher/billing/webhook"
)

// webhookStore implements [webhook.Store].
type webhookStore struct{ queries }

// Webhooks implements [webhook.Tx].
func (q queries) Webhooks() webhook.Store { return webhookStore{q} }

var (
	webhookChangeTable    = tableOf[webhook.Change]("webhook_changes")
	webhookStreamTable    = tableOf[webhook.Stream]("webhook_streams")
	webhookPublishedTable = tableOf[webhook.Published]("webhook_published")
	webhookMessageTable   = tableOf[webhook.Message]("webhook_messages")
	webhookEndpointTable  = tableOf[webhook.Endpoint]("webhook_endpoints")
	webhookDeliveryTable  = tableOf[webhook.Delivery]("webhook_deliveries")
)

// The first part reads the index from its beginning and stops early where few organizations change.
const selectChangedOrganizations = `select organization_id from (
		select organization_id, min(id) as first from webhook_changes group by organization_id
		union all
		select organization_id, 0 from webhook_streams where check_at <= $1
	) changed
	group by organization_id order by min(first), organization_id limit $2`

// Changed implements [webhook.Store].
func (q webhookStore) Changed(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return list[string](ctx, q.queries, "list changed organizations", selectChangedOrganizations, now, limit)
}

var selectWebhookChanges = `select ` + webhookChangeTable.list("") + ` from webhook_changes where organization_id = $1 order by id limit $2`

// Changes implements [webhook.Store].
func (q webhookStore) Changes(ctx context.Context, organizationID string, limit int) ([]webhook.Change, error) {
	return list[webhook.Change](ctx, q.queries, "list webhook changes", selectWebhookChanges, organizationID, limit)
}

// DeleteChanges implements [webhook.Store].
func (q webhookStore) DeleteChanges(ctx context.Context, ids []int64) error {
	return q.exec(ctx, "delete webhook changes", `delete from webhook_changes where id = any($1)`, pq.Array(ids))
}

var selectWebhookStream = `select ` + webhookStreamTable.list("") + ` from webhook_streams where organization_id = $1`

// Stream implements [webhook.Store].
func (q webhookStore) Stream(ctx context.Context, organizationID string) (webhook.Stream, error) {
	return get[webhook.Stream](ctx, q.queries, "read webhook stream", selectWebhookStream, organizationID)
}

// LockStream implements [webhook.Store].
func (q webhookStore) LockStream(ctx context.Context, organizationID string) (webhook.Stream, error) {
	insert := `insert into webhook_streams (organization_id) values ($1) on conflict do nothing`
	if err := q.exec(ctx, "insert webhook stream", insert, organizationID); err != nil {
		return webhook.Stream{}, err
	}
	return get[webhook.Stream](ctx, q.queries, "lock webhook stream", selectWebhookStream+` for no key update`, organizationID)
}

var updateWebhookStream = webhookStreamTable.update("organization_id")

// PutStream implements [webhook.Store].
func (q webhookStore) PutStream(ctx context.Context, s webhook.Stream) error {
	return q.execOne(ctx, "put webhook stream", updateWebhookStream, webhookStreamTable.values(s)...)
}

var selectWebhookPublished = `select ` + webhookPublishedTable.list("") + ` from webhook_published
	where organization_id = $1 and type = $2 and object_id = $3`

// Published implements [webhook.Store].
func (q webhookStore) Published(ctx context.Context, organizationID string, t webhook.EventType, objectID string) (webhook.Published, error) {
	return get[webhook.Published](ctx, q.queries, "read published state", selectWebhookPublished, organizationID, t, objectID)
}

var putWebhookPublished = webhookPublishedTable.upsert("organization_id", "type", "object_id")

// PutPublished implements [webhook.Store].
func (q webhookStore) PutPublished(ctx context.Context, p webhook.Published) error {
	return q.exec(ctx, "put published state", putWebhookPublished, webhookPublishedTable.values(p)...)
}

var insertWebhookMessage = webhookMessageTable.insert()

// InsertMessage implements [webhook.Store].
func (q webhookStore) InsertMessage(ctx context.Context, m webhook.Message) error {
	return q.exec(ctx, "insert webhook message", insertWebhookMessage, webhookMessageTable.values(m)...)
}

var insertWebhookEndpoint = webhookEndpointTable.insert()

const markWebhooks = `update organizations set has_webhooks = true where id = $1 and not has_webhooks`

// InsertEndpoint implements [webhook.Store].
func (q webhookStore) InsertEndpoint(ctx context.Context, e webhook.Endpoint) error {
	if err := q.exec(ctx, "mark organization with webhooks", markWebhooks, e.OrganizationID); err != nil {
		return err
	}
	return q.exec(ctx, "insert webhook endpoint", insertWebhookEndpoint, webhookEndpointTable.values(e)...)
}

var selectWebhookEndpoint = `select ` + webhookEndpointTable.list("") + ` from webhook_endpoints where `

// Endpoint implements [webhook.Store].
func (q webhookStore) Endpoint(ctx context.Context, organizationID, id string) (webhook.Endpoint, error) {
	return get[webhook.Endpoint](ctx, q.queries, "read webhook endpoint", selectWebhookEndpoint+`organization_id = $1 and id = $2`, organizationID, id)
}

// LockEndpoint implements [webhook.Store].
func (q webhookStore) LockEndpoint(ctx context.Context, id string) (webhook.Endpoint, error) {
	return get[webhook.Endpoint](ctx, q.queries, "lock webhook endpoint", selectWebhookEndpoint+`id = $1 for no key update`, id)
}

// Endpoints implements [webhook.Store].
func (q webhookStore) Endpoints(ctx context.Context, organizationID string) ([]webhook.Endpoint, error) {
	return list[webhook.Endpoint](ctx, q.queries, "list webhook endpoints", selectWebhookEndpoint+`organization_id = $1 order by created_at, id`, organizationID)
}

// LockEndpoints implements [webhook.Store]. The locks are taken in the order of the ids.
func (q webhookStore) LockEndpoints(ctx context.Context, organizationID string) ([]webhook.Endpoint, error) {
	return list[webhook.Endpoint](ctx, q.queries, "lock webhook endpoints",
		selectWebhookEndpoint+`organization_id = $1 and disabled_at is null order by id for no key update`, organizationID)
}

var updateWebhookEndpoint = webhookEndpointTable.update("id")

// UpdateEndpoint implements [webhook.Store].
func (q webhookStore) UpdateEndpoint(ctx context.Context, e webhook.Endpoint) error {
	return q.execOne(ctx, "update webhook endpoint", updateWebhookEndpoint, webhookEndpointTable.values(e)...)
}

// DeleteEndpoint implements [webhook.Store]. Messages that no other endpoint gets stay until they
// are pruned.
func (q webhookStore) DeleteEndpoint(ctx context.Context, organizationID, id string) error {
	return q.execOne(ctx, "delete webhook endpoint", `delete from webhook_endpoints where organization_id = $1 and id = $2`, organizationID, id)
}

// CountDisabled implements [webhook.Store].
func (q webhookStore) CountDisabled(ctx context.Context, organizationID string) (int, error) {
	count := `select count(*) from webhook_endpoints where organization_id = $1 and disabled_at is not null`
	return get[int](ctx, q.queries, "count disabled webhook endpoints", count, organizationID)
}

// As in claimDueEvent: skip locked rows, and update what the select found.
var claimWebhookEndpoint = `with due as materialized (
		select id from webhook_endpoints
		where due_at <= $2 and ($1 = '' or id = $1) and (lease_until is null or lease_until <= $2)
		order by due_at, id limit 1 for no key update skip locked
	)
	update webhook_endpoints set lease_until = $3, claims = claims + 1 where id = (select id from due)
	returning ` + webhookEndpointTable.list("")

// ClaimEndpoint implements [webhook.Store].
func (q webhookStore) ClaimEndpoint(ctx context.Context, id string, now, leaseUntil time.Time) (webhook.Endpoint, error) {
	return get[webhook.Endpoint](ctx, q.queries, "claim webhook endpoint", claimWebhookEndpoint, id, now, leaseUntil)
}

var insertWebhookDelivery = webhookDeliveryTable.insert()

// InsertDelivery implements [webhook.Store]. The database assigns the id.
func (q webhookStore) InsertDelivery(ctx context.Context, d webhook.Delivery) error {
	return q.exec(ctx, "insert webhook delivery", insertWebhookDelivery, webhookDeliveryTable.values(d)...)
}

var selectWebhookDelivery = `select ` + webhookDeliveryTable.list("d") + `, m.type, m.body, m.created_at as message_created_at
	from webhook_deliveries d join webhook_messages m on m.id = d.message_id where d.endpoint_id = $1 `

// Next implements [webhook.Store].
func (q webhookStore) Next(ctx context.Context, endpointID string) (webhook.Delivery, error) {
	return get[webhook.Delivery](ctx, q.queries, "read next webhook delivery", selectWebhookDelivery+`and d.status = 'pending' order by d.id limit 1`, endpointID)
}

// Delivery implements [webhook.Store].
func (q webhookStore) Delivery(ctx context.Context, endpointID string, id int64) (webhook.Delivery, error) {
	return get[webhook.Delivery](ctx, q.queries, "read webhook delivery", selectWebhookDelivery+`and d.id = $2`, endpointID, id)
}

// Deliveries implements [webhook.Store].
func (q webhookStore) Deliveries(ctx context.Context, endpointID string, limit int) ([]webhook.Delivery, error) {
	return list[webhook.Delivery](ctx, q.queries, "list webhook deliveries", selectWebhookDelivery+`order by d.id desc limit $2`, endpointID, limit)
}

const finishWebhookDelivery = `update webhook_deliveries set status = $2, attempts = $3, attempted_at = $4, status_code = $5, failure = $6,
		response = $7, took_ms = $8
	where id = $1 and status = 'pending'`

// FinishDelivery implements [webhook.Store].
func (q webhookStore) FinishDelivery(ctx context.Context, d webhook.Delivery) error {
	return q.exec(ctx, "finish webhook delivery", finishWebhookDelivery,
		d.ID, d.Status, d.Attempts, d.AttemptedAt, d.StatusCode, d.Failure, d.Response, d.TookMS)
}

// FailPending implements [webhook.Store].
func (q webhookStore) FailPending(ctx context.Context, endpointID string, failure webhook.Failure) error {
	return q.exec(ctx, "fail pending webhook deliveries",
		`update webhook_deliveries set status = 'failed', failure = $2 where endpoint_id = $1 and status = 'pending'`, endpointID, failure)
}

const pruneWebhookMessages = `delete from webhook_messages where id in (
		select id from webhook_messages m where created_at < $1
			and not exists (select from webhook_deliveries d where d.message_id = m.id and (d.status = 'pending' or d.created_at >= $1))
		order by created_at limit $2
	)`

// Prune implements [webhook.Store].
func (q webhookStore) Prune(ctx context.Context, before time.Time, limit int) error {
	return q.exec(ctx, "prune webhook messages", pruneWebhookMessages, before, limit)
}

const pruneDeletedEndpoints = `delete from webhook_endpoints e using organizations o
	where o.id = e.organization_id and o.deleted_at is not null and e.due_at is null and e.lease_until is null
		and not exists (select from webhook_changes c where c.organization_id = o.id)
	returning e.organization_id`

// What is deleted with the last endpoint of an organization.
var pruneWithoutEndpoint = []string{
	`delete from webhook_messages t` + hasNoEndpoint, `delete from webhook_published t` + hasNoEndpoint, `delete from webhook_streams t` + hasNoEndpoint,
}

const hasNoEndpoint = ` where organization_id = any($1) and not exists (
	select from webhook_endpoints e where e.organization_id = t.organization_id)`

// PruneDeleted implements [webhook.Store].
func (q webhookStore) PruneDeleted(ctx context.Context) error {
	organizations, err := list[string](ctx, q.queries, "delete webhook endpoints of deleted organizations", pruneDeletedEndpoints)
	if err != nil || len(organizations) == 0 {
		return err
	}
	for _, statement := range pruneWithoutEndpoint {
		if err := q.exec(ctx, "prune webhooks of deleted organizations", statement, pq.Array(organizations)); err != nil {
			return err
		}
	}
	return nil
}

const selectWebhookBacklog = `select
	(select count(*) from webhook_changes) as unpublished,
	(select min(at) from webhook_changes) as oldest_change,
	(select count(*) from webhook_deliveries where status = 'pending') as pending,
	(select min(created_at) from webhook_deliveries where status = 'pending') as oldest_pending,
	(select count(*) from webhook_endpoints where failures > 0 and disabled_at is null) as failing,
	(select count(*) from webhook_endpoints where disabled_at is not null) as disabled`

// Backlog implements [webhook.Store].
func (q webhookStore) Backlog(ctx context.Context) (webhook.Backlog, error) {
	return get[webhook.Backlog](ctx, q.queries, "read webhook backlog", selectWebhookBacklog)
}

const isOutdatedEndpoint = `(substring(secret for octet_length($1::bytea)) <> $1 or substring(former_secret for octet_length($1::bytea)) <> $1)`

// CountOutdated implements [webhook.Store].
func (q webhookStore) CountOutdated(ctx context.Context, prefix []byte) (int, error) {
	return get[int](ctx, q.queries, "count outdated webhook secrets", `select count(*) from webhook_endpoints where `+isOutdatedEndpoint, prefix)
}

// Outdated implements [webhook.Store].
func (q webhookStore) Outdated(ctx context.Context, prefix []byte, after string, limit int) ([]webhook.Endpoint, error) {
	return list[webhook.Endpoint](ctx, q.queries, "list outdated webhook secrets",
		selectWebhookEndpoint+isOutdatedEndpoint+` and id > $2 order by id limit $3`, prefix, after, limit)
}
