-- +goose Up
-- So that one organization's backlog keeps no other waiting.
create index stripe_events_fair_idx on stripe_events (organization_id, next_attempt_at) where outcome = 'pending';

-- +goose Down
drop index stripe_events_fair_idx;
