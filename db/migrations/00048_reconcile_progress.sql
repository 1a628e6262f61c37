-- +goose NO TRANSACTION
-- +goose Up

-- A comparison with Stripe stops at the limit of its calls and continues where it was.
alter table reconcile_states
    add column if not exists progress    jsonb not null default '{}',
    add column if not exists unrepaired  jsonb not null default '{}', -- by kind, of the last whole comparison
    add column if not exists compared_at timestamptz;                 -- when that ended; null: none has
alter table drift_reports
    add column if not exists partial boolean not null default false, -- it stopped early
    add column if not exists calls   integer not null default 0,     -- to Stripe
    add column if not exists charges integer not null default 0;     -- compared

-- Live subscriptions in the order of Stripe's lists. An interrupted build leaves an invalid index.
drop index concurrently if exists subscriptions_live_price_idx;
create index concurrently subscriptions_live_price_idx on subscriptions (account, livemode, price_id, created_at)
    where status not in ('canceled', 'incomplete_expired');

-- +goose Down
drop index concurrently if exists subscriptions_live_price_idx;
alter table drift_reports drop column if exists charges, drop column if exists calls, drop column if exists partial;
alter table reconcile_states drop column if exists compared_at, drop column if exists unrepaired, drop column if exists progress;
