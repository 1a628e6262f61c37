-- +goose NO TRANSACTION
-- +goose Up

-- A duplicate that failed is tried again every hour: what an operator fixed at Stripe ends it. The
-- release before leaves next_attempt_at null there.
alter table duplicate_subscriptions
    drop constraint if exists duplicate_subscriptions_ending_check,
    drop constraint if exists duplicate_subscriptions_due_check,
    add constraint duplicate_subscriptions_due_check check (
        (status <> 'ending' or next_attempt_at is not null) and (status in ('ending', 'failed') or next_attempt_at is null));
update duplicate_subscriptions set next_attempt_at = now() where status = 'failed' and next_attempt_at is null;

-- An interrupted build leaves an invalid index.
drop index concurrently if exists duplicate_subscriptions_next_idx;
create index concurrently duplicate_subscriptions_next_idx on duplicate_subscriptions (next_attempt_at) where next_attempt_at is not null;
drop index concurrently if exists duplicate_subscriptions_due_idx;

-- +goose Down
drop index concurrently if exists duplicate_subscriptions_due_idx;
create index concurrently duplicate_subscriptions_due_idx on duplicate_subscriptions (next_attempt_at) where status = 'ending';
drop index concurrently if exists duplicate_subscriptions_next_idx;
update duplicate_subscriptions set next_attempt_at = null where status = 'failed';
alter table duplicate_subscriptions
    drop constraint if exists duplicate_subscriptions_due_check,
    drop constraint if exists duplicate_subscriptions_ending_check,
    add constraint duplicate_subscriptions_ending_check check ((status = 'ending') = (next_attempt_at is not null));
