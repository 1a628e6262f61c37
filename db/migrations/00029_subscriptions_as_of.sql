-- +goose Up

-- as_of is the new name of moment: when the state of the row was true at Stripe. Programs of the
-- release before this one read and write moment beside this one, so both columns are kept equal.
-- The next release drops moment and the triggers.
alter table subscriptions add column as_of timestamptz, alter column revision set default 1;
-- +goose StatementBegin
create function sync_as_of() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        new.as_of := coalesce(new.as_of, new.moment);
        new.moment := new.as_of;
        return new;
    end if;
    if new.as_of is distinct from old.as_of then
        new.moment := new.as_of;
    else
        new.as_of := new.moment;
    end if;
    return new;
end
$$;
-- +goose StatementEnd
create trigger sync_as_of before insert on subscriptions
    for each row execute function sync_as_of();
create trigger sync_as_of_update before update on subscriptions
    for each row when (
        old.as_of is distinct from new.as_of or old.moment is distinct from new.moment
    )
    execute function sync_as_of();

-- +goose Down
drop trigger sync_as_of_update on subscriptions;
drop trigger sync_as_of on subscriptions;
drop function sync_as_of();
alter table subscriptions drop column as_of, alter column revision drop default;
