-- +goose Up

-- New names: as_of (formerly moment), details_version (details_wanted: counts changes of the
-- customer's details) and details_applied_version (details_pushed: the last version that Stripe
-- acknowledged). Programs of the release before this one read and write the former name beside
-- this one, so both names are kept equal. The next release drops the former columns and the
-- triggers.
alter table billing_customers
    add column as_of timestamptz,
    add column details_version bigint,
    add column details_applied_version bigint;
-- +goose StatementBegin
create function sync_renamed_billing_customers() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        new.as_of := coalesce(new.as_of, new.moment);
        new.moment := new.as_of;
        new.details_version := coalesce(new.details_version, new.details_wanted);
        new.details_wanted := new.details_version;
        new.details_applied_version := coalesce(new.details_applied_version, new.details_pushed);
        new.details_pushed := new.details_applied_version;
        return new;
    end if;
    if new.as_of is distinct from old.as_of then
        new.moment := new.as_of;
    else
        new.as_of := new.moment;
    end if;
    if new.details_version is distinct from old.details_version then
        new.details_wanted := new.details_version;
    else
        new.details_version := new.details_wanted;
    end if;
    if new.details_applied_version is distinct from old.details_applied_version then
        new.details_pushed := new.details_applied_version;
    else
        new.details_applied_version := new.details_pushed;
    end if;
    return new;
end
$$;
-- +goose StatementEnd
create trigger sync_renamed_billing_customers before insert on billing_customers
    for each row execute function sync_renamed_billing_customers();
create trigger sync_renamed_billing_customers_update before update on billing_customers
    for each row when (
        old.as_of is distinct from new.as_of or old.moment is distinct from new.moment
        or old.details_version is distinct from new.details_version
        or old.details_wanted is distinct from new.details_wanted
        or old.details_applied_version is distinct from new.details_applied_version
        or old.details_pushed is distinct from new.details_pushed
    )
    execute function sync_renamed_billing_customers();

-- +goose Down
drop trigger sync_renamed_billing_customers_update on billing_customers;
drop trigger sync_renamed_billing_customers on billing_customers;
drop function sync_renamed_billing_customers();
alter table billing_customers
    drop column as_of,
    drop column details_version,
    drop column details_applied_version;
