-- +goose Up

-- What a snapshot shows of a pending update, of the schedule that manages the subscription, and of
-- its newest invoice. Programs of the release before this one do not write these columns: the next
-- snapshot fills them.
alter table subscriptions
    add column latest_invoice_id text collate "C" not null default '',
    add column pending_price_id text collate "C" not null default '',
    add column pending_quantity bigint not null default 0,
    add column pending_until timestamptz,
    add column schedule_id text collate "C" not null default '',
    add column scheduled_price_id text collate "C" not null default '',
    add column scheduled_quantity bigint not null default 0,
    add column scheduled_at timestamptz;

-- Changes of plan: previewed, confirmed, and what became of them.
create table plan_changes (
    id text collate "C" primary key,
    organization_id text collate "C" not null references organizations (id),
    subscription_id text collate "C" not null,
    item_id text collate "C" not null,
    kind text not null check (kind in ('upgrade', 'downgrade', 'trial')),
    status text not null check (
        status in ('previewed', 'open', 'pending', 'scheduled', 'applied', 'withdrawn', 'failed')
    ),
    from_price_id text collate "C" not null,
    price_id text collate "C" not null,
    quantity bigint not null check (quantity > 0),
    period_end timestamptz not null,
    prorated_at timestamptz,
    trial_end timestamptz,
    amount_due bigint not null default 0,
    currency text not null,
    charged bigint,
    invoice_id text collate "C" not null default '',
    schedule_id text collate "C" not null default '',
    requested_by text collate "C" not null references users (id),
    previewed_at timestamptz not null,
    confirmed_at timestamptz,
    done_at timestamptz,
    seat_version bigint not null default 0,
    attempts bigint not null default 0,
    error text not null default '',
    request_id text collate "C" not null default '',
    next_attempt_at timestamptz,
    constraint plan_changes_confirmed_check check (status = 'previewed' or confirmed_at is not null)
);
create index plan_changes_organization_idx on plan_changes (organization_id, previewed_at desc);
create index plan_changes_due_idx on plan_changes (next_attempt_at)
    where status in ('open', 'pending', 'scheduled');
create index plan_changes_running_idx on plan_changes (subscription_id)
    where status in ('open', 'pending', 'scheduled');
create index plan_changes_previewed_idx on plan_changes (previewed_at) where status = 'previewed';
create unique index plan_changes_schedule_idx on plan_changes (schedule_id) where schedule_id <> '';

-- Why Stripe's customer portal offers fewer plan switches than the catalog has; `usher doctor` names
-- it. An empty text means that there is no problem any more.
create table portal_problems (
    account text collate "C" not null,
    livemode boolean not null,
    problem text not null,
    primary key (account, livemode)
);

-- +goose Down
drop table portal_problems;
drop table plan_changes;
alter table subscriptions
    drop column latest_invoice_id,
    drop column pending_price_id,
    drop column pending_quantity,
    drop column pending_until,
    drop column schedule_id,
    drop column scheduled_price_id,
    drop column scheduled_quantity,
    drop column scheduled_at;
