-- +goose Up
alter table drift_reports add column checkouts integer not null default 0; -- sessions opened here that Stripe was asked about
create index checkout_sessions_unsettled_idx on checkout_sessions (account, livemode, id) where status = 'open' or mode = 'payment';

-- +goose Down
drop index checkout_sessions_unsettled_idx;
alter table drift_reports drop column checkouts;
