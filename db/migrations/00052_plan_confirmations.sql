-- +goose NO TRANSACTION
-- +goose Up

-- What a preview of a plan change showed, as one text: the confirmation is held against it. Empty:
-- the preview is one of the release before, which compares the amount alone.
alter table plan_changes add column if not exists digest text not null default '';

-- Changes that charged another amount than was confirmed, for operators.
create index concurrently if not exists plan_changes_mischarged_idx on plan_changes (confirmed_at desc)
    where charged is not null and charged <> amount_due;

-- Requests to end a plan at the end of its period: who, when and why. A row without done_at is not
-- acknowledged by Stripe yet.
create table if not exists cancellations (
    id text collate "C" primary key,
    organization_id text collate "C" not null references organizations (id),
    subscription_id text collate "C" not null,
    requested_by text collate "C" not null references users (id),
    requested_at timestamptz not null,
    ends_at timestamptz not null,
    reason text not null default '',
    comment text not null default '',
    status text not null check (status in ('open', 'set', 'resumed', 'failed')),
    due_at timestamptz,
    attempts bigint not null default 0,
    error text not null default '',
    done_at timestamptz,
    resumed_by text collate "C" not null default '',
    resumed_at timestamptz
);
create index if not exists cancellations_organization_idx on cancellations (organization_id, requested_at desc);
create index if not exists cancellations_due_idx on cancellations (due_at) where status = 'open';

-- +goose Down
drop table if exists cancellations;
drop index concurrently if exists plan_changes_mischarged_idx;
alter table plan_changes drop column if exists digest;
