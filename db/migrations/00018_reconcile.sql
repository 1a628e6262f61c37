-- +goose Up

-- How far Stripe's list of events was read, and whose turn it is.
create table reconcile_states (
    account     text collate "C" not null,
    livemode    boolean not null,
    read_until  timestamptz,           -- events made before were seen; null: none were
    finished_at timestamptz,           -- of the last whole run
    lease_until timestamptz,           -- somebody is at it until then
    primary key (account, livemode)
);

create table drift_reports (
    id              text collate "C" primary key check (id <> ''),
    organization_id text collate "C" references organizations, -- null: all of them
    started_at      timestamptz not null,
    finished_at     timestamptz not null,
    dry_run         boolean not null,
    events          integer not null, -- read from Stripe's list
    subscriptions   integer not null, -- these three were compared
    invoices        integer not null,
    customers       integer not null,
    error           text not null,    -- why it ended early; empty: it did not
    drifts          jsonb not null
);
create index drift_reports_started_idx on drift_reports (started_at);
create index drift_reports_organization_idx on drift_reports (organization_id);

-- +goose Down
drop table drift_reports;
drop table reconcile_states;
