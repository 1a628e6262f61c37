-- +goose NO TRANSACTION
-- +goose Up

-- The imported subscription whose quantity stays as it is at Stripe until the number of people is
-- confirmed; empty: none. Replicas of the release before do not read it.
alter table billing_seat_state add column if not exists unconfirmed_subscription_id text collate "C" not null default '';

-- The confirmation is previewed like a change of members.
alter table seat_previews drop constraint if exists seat_previews_kind_check,
    add constraint seat_previews_kind_check check (kind in ('members', 'removal', 'invitation', 'count', 'confirmation')) not valid;
alter table seat_previews validate constraint seat_previews_kind_check;

-- +goose Down
delete from seat_previews where kind = 'confirmation';
alter table seat_previews drop constraint if exists seat_previews_kind_check,
    add constraint seat_previews_kind_check check (kind in ('members', 'removal', 'invitation', 'count')) not valid;
alter table seat_previews validate constraint seat_previews_kind_check;
alter table billing_seat_state drop column if exists unconfirmed_subscription_id;
