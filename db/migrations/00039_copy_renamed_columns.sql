-- +goose NO TRANSACTION
-- +goose Up

-- Copies the former columns of rows written before the triggers existed, and of no others. A batch
-- is 1000 values of the key and commits, so that no row stays locked for long. The key of
-- credit_entries is the organization, of which one may have many entries: nothing else updates
-- them. An interrupted run is repeated without harm.
-- +goose StatementBegin
create or replace procedure copy_renamed_columns(relation regclass, key text, assignments text, outdated text)
language plpgsql as $$
declare
    last text := '';
begin
    loop
        execute format('with batch as materialized (
                select distinct %1$I as batch_key from %2$s where %1$I > $1 order by 1 limit 1000
            ), copied as (
                update %2$s set %3$s from batch where %1$I = batch.batch_key and (%4$s)
            )
            select max(batch_key) from batch', key, relation, assignments, outdated) into last using last;
        commit;
        exit when last is null;
    end loop;
end
$$;
-- +goose StatementEnd
call copy_renamed_columns('subscriptions', 'id',
    'as_of = moment',
    'as_of is distinct from moment');
call copy_renamed_columns('invoices', 'id',
    'as_of = moment',
    'as_of is distinct from moment');
call copy_renamed_columns('payments', 'id',
    'as_of = moment',
    'as_of is distinct from moment');
call copy_renamed_columns('billing_customers', 'organization_id',
    'as_of = moment, details_version = details_wanted, details_applied_version = details_pushed',
    'as_of is distinct from moment or details_version is distinct from details_wanted or details_applied_version is distinct from details_pushed');
call copy_renamed_columns('billing_seat_state', 'organization_id',
    'acknowledged_at = told_at, drift_count = drifts',
    'acknowledged_at is distinct from told_at or drift_count is distinct from drifts');
call copy_renamed_columns('seat_attempts', 'key',
    'acknowledged_at = told_at',
    'acknowledged_at is distinct from told_at');
call copy_renamed_columns('credit_accounts', 'organization_id',
    'extra_consumed = rest_consumed, version = turn',
    'extra_consumed is distinct from rest_consumed or version is distinct from turn');
call copy_renamed_columns('credit_entries', 'organization_id',
    'plan_amount = plan_part',
    'plan_amount is distinct from plan_part');
call copy_renamed_columns('deletions', 'organization_id',
    'requested_by = asked_by, requested_at = asked_at',
    'requested_by is distinct from asked_by or requested_at is distinct from asked_at');
drop procedure copy_renamed_columns;

-- "set not null" scans the table under an exclusive lock unless a validated check proves the same.
alter table subscriptions drop constraint if exists subscriptions_renamed_check;
alter table subscriptions
    add constraint subscriptions_renamed_check check (as_of is not null) not valid;
alter table subscriptions validate constraint subscriptions_renamed_check;
alter table subscriptions alter column as_of set not null;
alter table subscriptions drop constraint subscriptions_renamed_check;
alter table invoices drop constraint if exists invoices_renamed_check;
alter table invoices add constraint invoices_renamed_check check (as_of is not null) not valid;
alter table invoices validate constraint invoices_renamed_check;
alter table invoices alter column as_of set not null;
alter table invoices drop constraint invoices_renamed_check;
alter table payments drop constraint if exists payments_renamed_check;
alter table payments add constraint payments_renamed_check check (as_of is not null) not valid;
alter table payments validate constraint payments_renamed_check;
alter table payments alter column as_of set not null;
alter table payments drop constraint payments_renamed_check;
alter table billing_customers drop constraint if exists billing_customers_renamed_check;
alter table billing_customers
    add constraint billing_customers_renamed_check
        check (details_version is not null and details_applied_version is not null) not valid;
alter table billing_customers validate constraint billing_customers_renamed_check;
alter table billing_customers
    alter column details_version set not null,
    alter column details_applied_version set not null;
alter table billing_customers drop constraint billing_customers_renamed_check;
alter table billing_seat_state drop constraint if exists billing_seat_state_renamed_check;
alter table billing_seat_state
    add constraint billing_seat_state_renamed_check check (drift_count is not null) not valid;
alter table billing_seat_state validate constraint billing_seat_state_renamed_check;
alter table billing_seat_state alter column drift_count set not null;
alter table billing_seat_state drop constraint billing_seat_state_renamed_check;
alter table credit_accounts drop constraint if exists credit_accounts_renamed_check;
alter table credit_accounts
    add constraint credit_accounts_renamed_check
        check (extra_consumed is not null and version is not null) not valid;
alter table credit_accounts validate constraint credit_accounts_renamed_check;
alter table credit_accounts
    alter column extra_consumed set not null,
    alter column version set not null;
alter table credit_accounts drop constraint credit_accounts_renamed_check;
alter table credit_entries drop constraint if exists credit_entries_renamed_check;
alter table credit_entries
    add constraint credit_entries_renamed_check check (plan_amount is not null) not valid;
alter table credit_entries validate constraint credit_entries_renamed_check;
alter table credit_entries alter column plan_amount set not null;
alter table credit_entries drop constraint credit_entries_renamed_check;
alter table deletions drop constraint if exists deletions_renamed_check;
alter table deletions
    add constraint deletions_renamed_check
        check (requested_by is not null and requested_at is not null) not valid;
alter table deletions validate constraint deletions_renamed_check;
alter table deletions
    alter column requested_by set not null,
    alter column requested_at set not null;
alter table deletions drop constraint deletions_renamed_check;
alter table deletions validate constraint deletions_requested_by_fkey;

-- +goose Down
alter table subscriptions alter column as_of drop not null;
alter table invoices alter column as_of drop not null;
alter table payments alter column as_of drop not null;
alter table billing_customers
    alter column details_version drop not null,
    alter column details_applied_version drop not null;
alter table billing_seat_state alter column drift_count drop not null;
alter table credit_accounts
    alter column extra_consumed drop not null,
    alter column version drop not null;
alter table credit_entries alter column plan_amount drop not null;
alter table deletions
    alter column requested_by drop not null,
    alter column requested_at drop not null;
