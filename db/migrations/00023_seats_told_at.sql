-- +goose Up
alter table billing_seat_state add column told_at timestamptz; -- the moment of Stripe's last yes: a snapshot from before does not show it

-- +goose Down
alter table billing_seat_state drop column told_at;
