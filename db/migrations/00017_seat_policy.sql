-- +goose Up
alter table billing_seat_state
    add column open_proration text not null default '',                                   -- what the open attempt was sent with
    add column minimum_seats  integer not null default 0 check (minimum_seats >= 0),       -- adopted from Stripe; 0: none
    add column paid_seats     integer not null default 0 check (paid_seats >= 0),          -- for the running period, where they are kept until it ends
    add column paid_until     timestamptz,
    add column release_at     timestamptz,                                                -- when seats kept only since they are paid are given back
    add column drift_version  bigint not null default 0,                                  -- the version that undoes a change made behind us
    add column drifts         integer not null default 0 check (drifts >= 0),              -- such changes in a row
    add column drift_at       timestamptz;
create index billing_seat_state_release_idx on billing_seat_state (release_at) where release_at is not null;

-- What Stripe was told of seats: what its limits are held by, and what the ledger's lines led to. A line is one idempotency key.
create table seat_attempts (
    key             text collate "C" primary key check (key <> ''),
    organization_id text collate "C" not null references organizations,
    subscription_id text collate "C" not null,
    version         bigint not null,
    quantity        integer not null check (quantity >= 1),
    proration       text not null,
    at              timestamptz not null, -- when it was first sent
    request_id      text not null,        -- Stripe's; empty while no answer was read
    accepted        boolean,              -- null: no answer was read
    error           text not null
);
create index seat_attempts_subscription_idx on seat_attempts (subscription_id, at);
create index seat_attempts_organization_idx on seat_attempts (organization_id, version);

-- +goose Down
drop table seat_attempts;
drop index billing_seat_state_release_idx;
alter table billing_seat_state
    drop column open_proration, drop column minimum_seats, drop column paid_seats, drop column paid_until, drop column release_at,
    drop column drift_version, drop column drifts, drop column drift_at;
