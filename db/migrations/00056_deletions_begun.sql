-- +goose Up

-- When a deletion began to end subscriptions at Stripe. From then on it cannot be withdrawn. Programs
-- of the release before this one do not write it.
alter table deletions add column begun_at timestamptz;

-- +goose Down
alter table deletions drop column begun_at;
