-- +goose Up

-- Addresses that get the messages of an organization. There are few of them, so due_at and
-- lease_until of the row are the queue: one worker at a time sends to an endpoint, in order.
create table webhook_endpoints (
    id              text collate "C" primary key check (id <> ''),
    organization_id text collate "C" not null references organizations,
    url             text not null constraint webhook_endpoints_url_check check (url <> ''),
    events          jsonb not null constraint webhook_endpoints_events_check check (jsonb_array_length(events) > 0),
    secret          bytea not null, -- sealed with SECRETS_KEY
    former_secret   bytea,          -- signs too until former_until
    former_until    timestamptz,
    created_by      text not null,  -- the name at that time
    created_at      timestamptz not null,
    disabled_at     timestamptz,
    disabled_reason text not null default '',
    due_at          timestamptz,    -- null: nothing is to be sent
    lease_until     timestamptz,
    claims          bigint not null default 0, -- identifies the lease
    failures        int not null default 0,    -- in a row
    failing_since   timestamptz,
    succeeded_at    timestamptz,
    constraint webhook_endpoints_former_check check ((former_secret is null) = (former_until is null)),
    constraint webhook_endpoints_disabled_check check ((disabled_at is null) = (disabled_reason = '')),
    constraint webhook_endpoints_due_check check (disabled_at is null or due_at is null),
    constraint webhook_endpoints_failures_check check (failures >= 0 and (failures = 0) = (failing_since is null))
);
create index webhook_endpoints_organization_idx on webhook_endpoints (organization_id, created_at);
create index webhook_endpoints_due_idx on webhook_endpoints (due_at) where due_at is not null;

-- Whether an organization has, or had, an endpoint. It is read with the lock that changes take anyway,
-- so that organizations without endpoints pay nothing.
alter table organizations add column has_webhooks boolean not null default false;

-- What has changed and is not published yet, written in the transaction of the change. There is no
-- foreign key: the rows live for a moment, and a change locks no other row.
create table webhook_changes (
    id              bigint generated always as identity primary key,
    organization_id text collate "C" not null,
    kind            text collate "C" not null,
    object_id       text collate "C" not null default '',
    fact_id         text collate "C" not null default '', -- of a fact that is reported once
    member          jsonb not null default 'null',        -- a member who was removed
    at              timestamptz not null default now(),
    constraint webhook_changes_kind_check check (kind in ('state', 'member', 'member_removed', 'invoice_paid', 'invoice_payment_failed'))
);
create index webhook_changes_organization_idx on webhook_changes (organization_id, id);

-- How far the changes of an organization are published. A publisher that read another version than
-- it finds when it writes starts again.
create table webhook_streams (
    organization_id text collate "C" primary key references organizations,
    version         bigint not null default 0,
    check_at        timestamptz -- when the state changes without a write; null: it does not
);
create index webhook_streams_check_idx on webhook_streams (check_at) where check_at is not null;

-- The last published state of each object, as a digest.
create table webhook_published (
    organization_id text collate "C" not null references organizations,
    type            text collate "C" not null,
    object_id       text collate "C" not null,
    digest          bytea not null,
    primary key (organization_id, type, object_id)
);

-- Messages are immutable: every attempt sends the same bytes under the same id.
create table webhook_messages (
    id              text collate "C" primary key check (id <> ''),
    organization_id text collate "C" not null references organizations,
    type            text not null,
    body            text not null,
    created_at      timestamptz not null
);
create index webhook_messages_organization_idx on webhook_messages (organization_id);
create index webhook_messages_created_idx on webhook_messages (created_at);

-- A message for an endpoint. The ids are the order in which an endpoint gets its messages.
create table webhook_deliveries (
    id              bigint generated always as identity primary key,
    endpoint_id     text collate "C" not null references webhook_endpoints on delete cascade,
    message_id      text collate "C" not null references webhook_messages on delete cascade,
    status          text not null,
    attempts        int not null default 0,
    created_at      timestamptz not null,
    attempted_at    timestamptz,            -- the last attempt
    status_code     int not null default 0, -- of the last response; 0: there was none
    failure         text not null default '', -- why the last attempt failed
    response        text not null default '', -- the beginning of the last response
    took_ms         bigint not null default 0,
    constraint webhook_deliveries_status_check check (status in ('pending', 'delivered', 'failed'))
);
create index webhook_deliveries_pending_idx on webhook_deliveries (endpoint_id, id) where status = 'pending';
create index webhook_deliveries_endpoint_idx on webhook_deliveries (endpoint_id, id desc);
create index webhook_deliveries_message_idx on webhook_deliveries (message_id);

-- +goose Down
alter table organizations drop column has_webhooks;
drop table webhook_deliveries;
drop table webhook_messages;
drop table webhook_published;
drop table webhook_streams;
drop table webhook_changes;
drop table webhook_endpoints;
