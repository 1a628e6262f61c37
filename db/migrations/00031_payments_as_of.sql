-- +goose Up

-- as_of is the new name of moment, as in subscriptions.
alter table payments add column as_of timestamptz, alter column revision set default 1;
create trigger sync_as_of before insert on payments
    for each row execute function sync_as_of();
create trigger sync_as_of_update before update on payments
    for each row when (
        old.as_of is distinct from new.as_of or old.moment is distinct from new.moment
    )
    execute function sync_as_of();

-- +goose Down
drop trigger sync_as_of_update on payments;
drop trigger sync_as_of on payments;
alter table payments drop column as_of, alter column revision drop default;
