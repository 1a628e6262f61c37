-- +goose Up

-- surplus_subscriptions becomes duplicate_subscriptions, its column kept_id becomes
-- kept_subscription_id, and the status 'spared' becomes 'kept'. Programs of the release before
-- this one go on with a view of the former name: it shows the status in the former words, which
-- a column of its own holds and a trigger keeps equal. The next release drops the view, the
-- column and the trigger.
alter table surplus_subscriptions rename to duplicate_subscriptions;
alter table duplicate_subscriptions rename column kept_id to kept_subscription_id;
alter table duplicate_subscriptions
    rename constraint surplus_subscriptions_ending_check to duplicate_subscriptions_ending_check;
alter index surplus_subscriptions_pkey rename to duplicate_subscriptions_pkey;
alter index surplus_subscriptions_due_idx rename to duplicate_subscriptions_due_idx;
alter index surplus_subscriptions_organization_idx
    rename to duplicate_subscriptions_organization_idx;
alter table duplicate_subscriptions
    drop constraint surplus_subscriptions_status_check,
    add column former_status text;
update duplicate_subscriptions set
    former_status = status,
    status = case status when 'spared' then 'kept' else status end;
alter table duplicate_subscriptions
    alter column former_status set not null,
    add constraint duplicate_subscriptions_status_check
        check (status in ('ending', 'ended', 'kept', 'failed')),
    add constraint duplicate_subscriptions_former_status_check
        check (former_status = case status when 'kept' then 'spared' else status end);
-- +goose StatementBegin
create function sync_former_status() returns trigger language plpgsql as $$
begin
    if new.status is null or tg_op = 'UPDATE' and new.status = old.status then
        new.status := case new.former_status when 'spared' then 'kept' else new.former_status end;
    else
        new.former_status := case new.status when 'kept' then 'spared' else new.status end;
    end if;
    return new;
end
$$;
-- +goose StatementEnd
create trigger sync_former_status
    before insert or update of status, former_status on duplicate_subscriptions
    for each row execute function sync_former_status();
create view surplus_subscriptions as
    select subscription_id, organization_id, kept_subscription_id as kept_id,
        former_status as status,
        found_at, canceling_at, attempts, error, next_attempt_at, refunded_minor, currency, done_at
    from duplicate_subscriptions;

-- +goose Down
drop view surplus_subscriptions;
drop trigger sync_former_status on duplicate_subscriptions;
drop function sync_former_status();
alter table duplicate_subscriptions
    drop constraint duplicate_subscriptions_status_check,
    drop constraint duplicate_subscriptions_former_status_check;
update duplicate_subscriptions set status = former_status;
alter table duplicate_subscriptions
    drop column former_status,
    add constraint surplus_subscriptions_status_check
        check (status in ('ending', 'ended', 'spared', 'failed'));
alter index duplicate_subscriptions_organization_idx
    rename to surplus_subscriptions_organization_idx;
alter index duplicate_subscriptions_due_idx rename to surplus_subscriptions_due_idx;
alter index duplicate_subscriptions_pkey rename to surplus_subscriptions_pkey;
alter table duplicate_subscriptions
    rename constraint duplicate_subscriptions_ending_check to surplus_subscriptions_ending_check;
alter table duplicate_subscriptions rename column kept_subscription_id to kept_id;
alter table duplicate_subscriptions rename to surplus_subscriptions;
