-- +goose Up
-- Events are claimed by turns: of nobody first, then of one organization after the other, each one's longest due one. A claim that takes the longest
-- due one of all would take the same organization's again and again where one has many.
create index stripe_events_turn_idx on stripe_events (coalesce(organization_id, '-'), next_attempt_at) where outcome = 'pending';
drop index stripe_events_fair_idx;
drop index stripe_events_due_idx;

-- +goose Down
create index stripe_events_due_idx on stripe_events (next_attempt_at) where outcome = 'pending';
create index stripe_events_fair_idx on stripe_events (organization_id, next_attempt_at) where outcome = 'pending';
drop index stripe_events_turn_idx;
