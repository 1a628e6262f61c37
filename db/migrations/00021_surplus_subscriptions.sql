-- +goose Up

-- Subscriptions bought beside a living one: each is ended and its money sent back, once.
create table surplus_subscriptions (
    subscription_id text collate "C" primary key check (subscription_id <> ''),
    organization_id text collate "C" not null references organizations,
    kept_id         text collate "C" not null, -- the one the organization stays on
    status          text not null constraint surplus_subscriptions_status_check check (status in ('ending', 'ended', 'spared', 'failed')),
    found_at        timestamptz not null,
    canceling_at    timestamptz,     -- Stripe was told to end it; null: not by us
    attempts        integer not null check (attempts >= 0),
    error           text not null,
    next_attempt_at timestamptz,
    refunded_minor  bigint not null, -- in the currency's minor unit
    currency        text not null,
    done_at         timestamptz,
    -- Work without a next attempt would never be done.
    constraint surplus_subscriptions_ending_check check ((status = 'ending') = (next_attempt_at is not null))
);
create index surplus_subscriptions_due_idx on surplus_subscriptions (next_attempt_at) where status = 'ending';
create index surplus_subscriptions_organization_idx on surplus_subscriptions (organization_id);

-- +goose Down
drop table surplus_subscriptions;
