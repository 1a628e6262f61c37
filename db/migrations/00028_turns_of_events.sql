-- +goose NO TRANSACTION
-- +goose Up

-- Events are claimed round-robin: of no organization first, then of one organization after the
-- other, the longest due one of each. The table is large where this runs late, so the index is built
-- without a lock. What an interrupted build left behind is invalid and is dropped first.
drop index concurrently if exists stripe_events_turn_idx;
create index concurrently stripe_events_turn_idx on stripe_events (coalesce(organization_id, '-'), next_attempt_at) where outcome = 'pending';
drop index concurrently if exists stripe_events_fair_idx;
drop index concurrently if exists stripe_events_due_idx;

-- +goose Down
drop index concurrently if exists stripe_events_due_idx;
create index concurrently stripe_events_due_idx on stripe_events (next_attempt_at) where outcome = 'pending';
drop index concurrently if exists stripe_events_fair_idx;
create index concurrently stripe_events_fair_idx on stripe_events (organization_id, next_attempt_at) where outcome = 'pending';
drop index concurrently if exists stripe_events_turn_idx;
