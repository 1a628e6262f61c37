-- +goose Up

-- Events of the last whole comparison with Stripe that no webhook had delivered.
alter table reconcile_states add column missed_events integer not null default 0;

-- +goose Down
alter table reconcile_states drop column missed_events;
