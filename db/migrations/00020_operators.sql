-- +goose Up

-- Who operates the installation, beside those that OPERATOR_EMAILS names.
alter table users add column operator boolean not null default false;

-- What an event changed here, a line each, in words for operators.
alter table stripe_events add column changes text not null default '';

-- Dead letters and failing seats are few, and counted at every scrape.
create index stripe_events_failed_idx on stripe_events (received_at) where outcome = 'failed';
create index billing_seat_state_failing_idx on billing_seat_state (organization_id) where sync_error <> '';

-- +goose Down
drop index billing_seat_state_failing_idx;
drop index stripe_events_failed_idx;
alter table stripe_events drop column changes;
alter table users drop column operator;
