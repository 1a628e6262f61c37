-- +goose Up

-- as_of is the new name of moment, as in subscriptions.
alter table invoices add column as_of timestamptz, alter column revision set default 1;
create trigger sync_as_of before insert on invoices
    for each row execute function sync_as_of();
create trigger sync_as_of_update before update on invoices
    for each row when (
        old.as_of is distinct from new.as_of or old.moment is distinct from new.moment
    )
    execute function sync_as_of();

-- +goose Down
drop trigger sync_as_of_update on invoices;
drop trigger sync_as_of on invoices;
alter table invoices drop column as_of, alter column revision drop default;
