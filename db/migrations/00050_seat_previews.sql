-- +goose Up

-- Changes of seats as a person was shown them: what Stripe calculated, what was confirmed, and what
-- came of it. A row of the release before this one does not exist: unconfirmed updates have none.
create table seat_previews (
    id text collate "C" primary key,
    organization_id text collate "C" not null references organizations (id),
    subscription_id text collate "C" not null,
    item_id text collate "C" not null,
    customer_id text collate "C" not null,
    price_id text collate "C" not null,
    kind text not null check (kind in ('members', 'removal', 'invitation', 'count')),
    digest text collate "C" not null,
    members jsonb not null default '[]',
    email text not null default '',
    billed bigint not null,
    from_quantity bigint not null,
    to_quantity bigint not null,
    base_version bigint not null,
    proration text not null default '',
    prorated_at timestamptz,
    period_end timestamptz not null,
    reason text not null default '',
    known boolean not null,
    currency text not null,
    per text not null default '',
    amount_due bigint not null default 0,
    invoice_total bigint not null default 0,
    proration_sum bigint not null default 0,
    period_change bigint not null default 0,
    tax boolean not null default false,
    next_amount bigint not null default 0,
    next_at timestamptz,
    ends_at timestamptz,
    lines jsonb not null default '[]',
    more_lines boolean not null default false,
    requested_by text collate "C" not null references users (id),
    previewed_at timestamptz not null,
    confirmed_at timestamptz,
    version bigint not null default 0,
    attempt_key text collate "C" not null default '',
    charged bigint,
    invoice_id text collate "C" not null default '',
    done_at timestamptz
);
create index seat_previews_confirmed_idx on seat_previews (organization_id, version)
    where confirmed_at is not null;
create index seat_previews_subscription_idx on seat_previews (subscription_id, prorated_at)
    where confirmed_at is not null;
create index seat_previews_previewed_idx on seat_previews (previewed_at) where confirmed_at is null;
create index seat_previews_uncharged_idx on seat_previews (confirmed_at)
    where attempt_key <> '' and done_at is null;

-- The parameters that an update was sent with are those of every repetition under its key.
alter table seat_attempts
    add column prorated_at timestamptz,
    add column preview_id text collate "C" not null default '';

-- +goose Down
alter table seat_attempts
    drop column preview_id,
    drop column prorated_at;
drop table seat_previews;
