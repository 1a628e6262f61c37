-- +goose Up
create table invoices (
    id              text collate "C" primary key check (id <> ''),
    organization_id text collate "C" not null,
    customer_id     text collate "C" not null,
    subscription_id text collate "C" not null, -- empty: about none
    account         text collate "C" not null,
    livemode        boolean not null,
    test_clock      boolean not null,
    number          text not null,
    status          text not null check (status <> ''), -- Stripe's word: not closed
    reason          text not null,
    currency        text not null,
    total           bigint not null, -- these four in the currency's minor unit, as Stripe counts it
    amount_paid     bigint not null,
    amount_due      bigint not null,
    attempts        integer not null check (attempts >= 0),
    next_attempt_at timestamptz,
    hosted_url      text not null,
    created_at      timestamptz not null,
    finalized_at    timestamptz,
    paid_at         timestamptz,
    org_id          text not null,
    moment          timestamptz not null,
    revision        bigint not null check (revision >= 1)
) with (fillfactor = 75);
create index invoices_organization_idx on invoices (organization_id, account, livemode, created_at);

create table credit_accounts (
    organization_id text collate "C" primary key references organizations,
    balance         bigint not null, -- the sum of the ledger
    plan_id         text not null,
    plan_granted    bigint not null check (plan_granted >= 0),
    plan_left       bigint not null,
    invoice_id      text collate "C" not null,
    period_start    timestamptz,
    period_end      timestamptz,
    month           integer not null check (month >= 0),
    next_month_at   timestamptz,
    constraint credit_accounts_left_check check (0 <= plan_left and plan_left <= plan_granted)
);
create index credit_accounts_due_idx on credit_accounts (next_month_at) where next_month_at is not null;

-- The ledger of credits: lines are added, never changed, and each source counts once.
create table credit_entries (
    id              bigint generated always as identity primary key,
    organization_id text collate "C" not null references organizations,
    at              timestamptz not null,
    kind            text not null constraint credit_entries_kind_check check (kind in ('grant', 'upgrade', 'expire', 'consume')),
    amount          bigint not null,
    balance         bigint not null,
    source          text collate "C" not null check (source <> ''),
    plan_id         text not null,
    reason          text not null,
    expires_at      timestamptz,
    constraint credit_entries_source_key unique (organization_id, source)
);
create index credit_entries_organization_idx on credit_entries (organization_id, id);

-- +goose Down
drop table credit_entries;
drop table credit_accounts;
drop table invoices;
