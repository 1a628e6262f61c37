-- +goose NO TRANSACTION
-- +goose Up

-- items are all items of a subscription; an empty list means that no snapshot with items was stored
-- yet. is_foreign means that none of them has a price of a plan. Rows of before, and those that a
-- program of the release before writes, are corrected by the next snapshot or by the reconciler.
alter table subscriptions
    add column if not exists items jsonb not null default '[]',
    add column if not exists is_foreign boolean not null default false;
-- The live subscriptions beside the current one: very few.
create index concurrently if not exists subscriptions_second_idx on subscriptions (organization_id)
    where not is_current and not is_foreign
        and status not in ('canceled', 'incomplete_expired', 'incomplete');

-- The subscription that a session has sold. Sessions that completed before are looked up at Stripe
-- where it matters, which is where an organization has two live subscriptions.
alter table checkout_sessions
    add column if not exists subscription_id text collate "C";
create index concurrently if not exists checkout_sessions_organization_idx
    on checkout_sessions (organization_id);

-- +goose Down
drop index concurrently if exists checkout_sessions_organization_idx;
alter table checkout_sessions drop column if exists subscription_id;
drop index concurrently if exists subscriptions_second_idx;
alter table subscriptions drop column if exists is_foreign, drop column if exists items;
