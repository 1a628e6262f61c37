-- +goose Up

-- New names: extra_consumed (formerly rest_consumed: all credits ever consumed beyond those of
-- the plan) and version (turn: counts the recounts that changed something). Programs of the
-- release before this one read and write the former name beside this one, so both names are kept
-- equal. The next release drops the former columns and the triggers.
alter table credit_accounts
    add column extra_consumed bigint,
    add column version bigint;
-- +goose StatementBegin
create function sync_renamed_credit_accounts() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        new.extra_consumed := coalesce(new.extra_consumed, new.rest_consumed);
        new.rest_consumed := new.extra_consumed;
        new.version := coalesce(new.version, new.turn);
        new.turn := new.version;
        return new;
    end if;
    if new.extra_consumed is distinct from old.extra_consumed then
        new.rest_consumed := new.extra_consumed;
    else
        new.extra_consumed := new.rest_consumed;
    end if;
    if new.version is distinct from old.version then
        new.turn := new.version;
    else
        new.version := new.turn;
    end if;
    return new;
end
$$;
-- +goose StatementEnd
create trigger sync_renamed_credit_accounts before insert on credit_accounts
    for each row execute function sync_renamed_credit_accounts();
create trigger sync_renamed_credit_accounts_update before update on credit_accounts
    for each row when (
        old.extra_consumed is distinct from new.extra_consumed
        or old.rest_consumed is distinct from new.rest_consumed
        or old.version is distinct from new.version or old.turn is distinct from new.turn
    )
    execute function sync_renamed_credit_accounts();

-- +goose Down
drop trigger sync_renamed_credit_accounts_update on credit_accounts;
drop trigger sync_renamed_credit_accounts on credit_accounts;
drop function sync_renamed_credit_accounts();
alter table credit_accounts drop column extra_consumed, drop column version;
