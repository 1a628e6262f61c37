-- +goose Up

-- The idempotency key of the open attempt. Replicas of the release before do not write it; then the
-- key follows from the other columns, as before.
alter table billing_seat_state add column open_key text not null default '';

-- +goose Down
alter table billing_seat_state drop column open_key;
