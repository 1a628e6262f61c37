-- +goose Up

-- New name: acknowledged_at (formerly told_at: when Stripe acknowledged this attempt, by
-- Stripe's clock). Programs of the release before this one read and write the former name beside
-- this one, so both names are kept equal. The next release drops the former columns and the
-- triggers.
alter table seat_attempts
    add column acknowledged_at timestamptz;
-- +goose StatementBegin
create function sync_renamed_seat_attempts() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        new.acknowledged_at := coalesce(new.acknowledged_at, new.told_at);
        new.told_at := new.acknowledged_at;
        return new;
    end if;
    if new.acknowledged_at is distinct from old.acknowledged_at then
        new.told_at := new.acknowledged_at;
    else
        new.acknowledged_at := new.told_at;
    end if;
    return new;
end
$$;
-- +goose StatementEnd
create trigger sync_renamed_seat_attempts before insert on seat_attempts
    for each row execute function sync_renamed_seat_attempts();
create trigger sync_renamed_seat_attempts_update before update on seat_attempts
    for each row when (
        old.acknowledged_at is distinct from new.acknowledged_at
        or old.told_at is distinct from new.told_at
    )
    execute function sync_renamed_seat_attempts();

-- +goose Down
drop trigger sync_renamed_seat_attempts_update on seat_attempts;
drop trigger sync_renamed_seat_attempts on seat_attempts;
drop function sync_renamed_seat_attempts();
alter table seat_attempts drop column acknowledged_at;
