-- +goose Up

-- New names: requested_by and requested_at (formerly asked_by and asked_at). Programs of the
-- release before this one read and write the former name beside this one, so both names are kept
-- equal. The next release drops the former columns and the triggers.
alter table deletions
    add column requested_by text collate "C",
    add column requested_at timestamptz;
alter table deletions
    add constraint deletions_requested_by_fkey
        foreign key (requested_by) references users not valid;
-- +goose StatementBegin
create function sync_renamed_deletions() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        new.requested_by := coalesce(new.requested_by, new.asked_by);
        new.asked_by := new.requested_by;
        new.requested_at := coalesce(new.requested_at, new.asked_at);
        new.asked_at := new.requested_at;
        return new;
    end if;
    if new.requested_by is distinct from old.requested_by then
        new.asked_by := new.requested_by;
    else
        new.requested_by := new.asked_by;
    end if;
    if new.requested_at is distinct from old.requested_at then
        new.asked_at := new.requested_at;
    else
        new.requested_at := new.asked_at;
    end if;
    return new;
end
$$;
-- +goose StatementEnd
create trigger sync_renamed_deletions before insert on deletions
    for each row execute function sync_renamed_deletions();
create trigger sync_renamed_deletions_update before update on deletions
    for each row when (
        old.requested_by is distinct from new.requested_by
        or old.asked_by is distinct from new.asked_by
        or old.requested_at is distinct from new.requested_at
        or old.asked_at is distinct from new.asked_at
    )
    execute function sync_renamed_deletions();

-- +goose Down
drop trigger sync_renamed_deletions_update on deletions;
drop trigger sync_renamed_deletions on deletions;
drop function sync_renamed_deletions();
alter table deletions drop column requested_by, drop column requested_at;
