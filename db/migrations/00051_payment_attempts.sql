-- +goose NO TRANSACTION
-- +goose Up

-- The default payment method of a snapshot and when its card expires: the first moment at which it
-- is not valid. Programs of the release before this one do not write these columns; the next
-- snapshot that is fetched fills them.
alter table subscriptions
    add column if not exists payment_method_id text collate "C" not null default '',
    add column if not exists card_expires_at timestamptz,
    add column if not exists sends_invoices boolean not null default false; -- Stripe charges no card

-- Unsuccessful attempts to collect an invoice, each once: the id is that of the failed charge, or
-- for an attempt without a charge it is made of the invoice, its attempt count and the outcome.
create table if not exists payment_attempts (
    account text collate "C" not null,
    livemode boolean not null,
    id text collate "C" not null,
    organization_id text collate "C" not null references organizations (id),
    invoice_id text collate "C" not null,
    number bigint not null default 0, -- Stripe's attempt_count; 0: not known
    at timestamptz not null,
    amount bigint not null,
    currency text not null,
    outcome text not null check (outcome in ('declined', 'action_required', 'no_payment_method')),
    decline_code text not null default '',
    payment_method_id text collate "C" not null default '',
    next_attempt_at timestamptz,
    seq bigint generated always as identity, -- order of attempts in one second
    as_of timestamptz, -- of number and next_attempt_at; null: from the charge, which has neither
    primary key (account, livemode, id)
);
create index if not exists payment_attempts_invoice_idx on payment_attempts (organization_id, invoice_id, at desc);

-- Payments of open invoices that a person or an updated card asks for. A row is open while it is
-- not known what became of it; its id is part of the idempotency key.
create table if not exists invoice_payments (
    id text collate "C" primary key,
    organization_id text collate "C" not null references organizations (id),
    account text collate "C" not null,
    livemode boolean not null,
    invoice_id text collate "C" not null,
    subscription_id text collate "C" not null default '',
    origin text not null check (origin in ('person', 'card')),
    payment_method_id text collate "C" not null default '', -- origin card: the one to charge
    amount bigint not null,
    currency text not null,
    requested_by text collate "C" references users (id),
    requested_at timestamptz not null,
    status text not null check (
        status in ('open', 'paid', 'declined', 'action_required', 'no_payment_method', 'failed', 'obsolete')
    ),
    decline_code text not null default '',
    done_at timestamptz,
    key_number bigint not null default 1, -- raised after a definite failure of Stripe's
    attempts bigint not null default 0,
    error text not null default '',
    request_id text collate "C" not null default '',
    next_attempt_at timestamptz,
    constraint invoice_payments_open_check check ((status = 'open') = (done_at is null))
);
create unique index if not exists invoice_payments_open_key on invoice_payments (invoice_id) where status = 'open';
create unique index if not exists invoice_payments_card_key on invoice_payments (invoice_id, payment_method_id)
    where origin = 'card';
create index if not exists invoice_payments_due_idx on invoice_payments (next_attempt_at) where status = 'open';
create index if not exists invoice_payments_organization_idx on invoice_payments (organization_id, requested_at desc);

-- Cards whose expiry was reported by e-mail, once each.
create table if not exists card_expiry_notices (
    organization_id text collate "C" not null references organizations (id),
    payment_method_id text collate "C" not null,
    expires_at timestamptz not null,
    noticed_at timestamptz not null,
    primary key (organization_id, payment_method_id, expires_at)
);

-- An interrupted build leaves an invalid index.
drop index concurrently if exists subscriptions_card_expiry_idx;
create index concurrently subscriptions_card_expiry_idx on subscriptions (card_expires_at)
    where card_expires_at is not null and is_current;

-- +goose Down
drop index concurrently if exists subscriptions_card_expiry_idx;
drop table if exists card_expiry_notices;
drop table if exists invoice_payments;
drop table if exists payment_attempts;
alter table subscriptions drop column if exists sends_invoices, drop column if exists card_expires_at,
    drop column if exists payment_method_id;
