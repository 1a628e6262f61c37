-- +goose Up

-- New names: acknowledged_at (formerly told_at: when Stripe last acknowledged a quantity, by
-- Stripe's clock) and drift_count (drifts: successive changes of the quantity made at Stripe).
-- Programs of the release before this one read and write the former name beside this one, so
-- both names are kept equal. The next release drops the former columns and the triggers.
alter table billing_seat_state
    add column acknowledged_at timestamptz,
    add column drift_count integer
        constraint billing_seat_state_drift_count_check check (drift_count >= 0);
-- +goose StatementBegin
create function sync_renamed_billing_seat_state() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        new.acknowledged_at := coalesce(new.acknowledged_at, new.told_at);
        new.told_at := new.acknowledged_at;
        new.drift_count := coalesce(new.drift_count, new.drifts);
        new.drifts := new.drift_count;
        return new;
    end if;
    if new.acknowledged_at is distinct from old.acknowledged_at then
        new.told_at := new.acknowledged_at;
    else
        new.acknowledged_at := new.told_at;
    end if;
    if new.drift_count is distinct from old.drift_count then
        new.drifts := new.drift_count;
    else
        new.drift_count := new.drifts;
    end if;
    return new;
end
$$;
-- +goose StatementEnd
create trigger sync_renamed_billing_seat_state before insert on billing_seat_state
    for each row execute function sync_renamed_billing_seat_state();
create trigger sync_renamed_billing_seat_state_update before update on billing_seat_state
    for each row when (
        old.acknowledged_at is distinct from new.acknowledged_at
        or old.told_at is distinct from new.told_at
        or old.drift_count is distinct from new.drift_count
        or old.drifts is distinct from new.drifts
    )
    execute function sync_renamed_billing_seat_state();

-- +goose Down
drop trigger sync_renamed_billing_seat_state_update on billing_seat_state;
drop trigger sync_renamed_billing_seat_state on billing_seat_state;
drop function sync_renamed_billing_seat_state();
alter table billing_seat_state drop column acknowledged_at, drop column drift_count;
