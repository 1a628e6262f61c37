-- +goose NO TRANSACTION
-- +goose Up

-- Parts of the seat ledger: the lines between two updates at Stripe, which an invoice charges, and
-- the last line of a month. What an interrupted build left behind is invalid and is dropped first.
drop index concurrently if exists seat_changes_version_idx;
create index concurrently seat_changes_version_idx on seat_changes (organization_id, version);
drop index concurrently if exists seat_changes_at_idx;
create index concurrently seat_changes_at_idx on seat_changes (organization_id, at);

-- +goose Down
drop index concurrently if exists seat_changes_at_idx;
drop index concurrently if exists seat_changes_version_idx;
