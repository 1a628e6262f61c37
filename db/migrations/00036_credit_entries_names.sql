-- +goose Up

-- New name: plan_amount (formerly plan_part: how much of a consumption the plan's credits
-- covered). Entries are never updated but by the migration that copies the former column.
-- Programs of the release before this one read and write the former name beside this one, so
-- both names are kept equal. The next release drops the former columns and the triggers.
alter table credit_entries
    add column plan_amount bigint;
-- +goose StatementBegin
create function sync_renamed_credit_entries() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        new.plan_amount := coalesce(new.plan_amount, new.plan_part);
        new.plan_part := new.plan_amount;
        return new;
    end if;
    if new.plan_amount is distinct from old.plan_amount then
        new.plan_part := new.plan_amount;
    else
        new.plan_amount := new.plan_part;
    end if;
    return new;
end
$$;
-- +goose StatementEnd
create trigger sync_renamed_credit_entries before insert on credit_entries
    for each row execute function sync_renamed_credit_entries();
create trigger sync_renamed_credit_entries_update before update on credit_entries
    for each row when (
        old.plan_amount is distinct from new.plan_amount
        or old.plan_part is distinct from new.plan_part
    )
    execute function sync_renamed_credit_entries();

-- +goose Down
drop trigger sync_renamed_credit_entries_update on credit_entries;
drop trigger sync_renamed_credit_entries on credit_entries;
drop function sync_renamed_credit_entries();
alter table credit_entries drop column plan_amount;
