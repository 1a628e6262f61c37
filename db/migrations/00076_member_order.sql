-- +goose NO TRANSACTION
-- +goose Up

-- What members are listed, searched and found by: the name and the address that a program sent, or
-- else the person's own. sort_name is in lower case. address_key is in lower case as far as ASCII,
-- as billing/mail compares addresses. Triggers keep both, for programs of the release before too.
alter table organization_members
    add column if not exists sort_name   text not null default '',
    add column if not exists address_key text collate "C" not null default '';

-- The lock makes a change of the person's name wait, which then finds the membership.
-- +goose StatementBegin
create or replace function set_member_keys() returns trigger language plpgsql as $$
declare
    person record;
begin
    select name, email into person from users where id = new.user_id for share;
    new.sort_name := lower(coalesce(nullif(new.managed_name, ''), person.name, ''));
    new.address_key := lower(coalesce(nullif(new.managed_email, ''), person.email, '') collate "C");
    return new;
end
$$;
create or replace function set_member_keys_of_user() returns trigger language plpgsql as $$
begin
    update organization_members set
        sort_name = lower(coalesce(nullif(managed_name, ''), new.name)),
        address_key = lower(coalesce(nullif(managed_email, ''), new.email) collate "C")
    where user_id = new.id;
    return null;
end
$$;
-- +goose StatementEnd
drop trigger if exists set_member_keys on organization_members;
create trigger set_member_keys before insert on organization_members for each row execute function set_member_keys();
drop trigger if exists set_member_keys_update on organization_members;
create trigger set_member_keys_update before update on organization_members for each row
    when ((new.user_id, new.managed_name, new.managed_email) is distinct from (old.user_id, old.managed_name, old.managed_email))
    execute function set_member_keys();
drop trigger if exists set_member_keys_of_user on users;
create trigger set_member_keys_of_user after update on users for each row
    when ((new.name, new.email) is distinct from (old.name, old.email))
    execute function set_member_keys_of_user();

-- Rows written before the triggers existed, 1000 at a time, so that none stays locked for long. An
-- interrupted run is repeated without harm.
-- +goose StatementBegin
create or replace procedure set_all_member_keys() language plpgsql as $$
declare
    last text := '';
begin
    loop
        with batch as materialized (
            select id from organization_members where id > last order by id limit 1000
        ), updated as (
            update organization_members m set
                sort_name = lower(coalesce(nullif(m.managed_name, ''), u.name)),
                address_key = lower(coalesce(nullif(m.managed_email, ''), u.email) collate "C")
            from batch, users u where m.id = batch.id and u.id = m.user_id and m.address_key = ''
        )
        select max(id) into last from batch;
        commit;
        exit when last is null;
    end loop;
end
$$;
-- +goose StatementEnd
call set_all_member_keys();
drop procedure set_all_member_keys;

-- A page of members reads this index in its order, and a search reads nothing else to count.
drop index concurrently if exists organization_members_order_idx;
create index concurrently organization_members_order_idx on organization_members (organization_id, sort_name, address_key, id)
    include (role_id, billable, status);
drop index concurrently if exists organization_members_address_idx;
create index concurrently organization_members_address_idx on organization_members (organization_id, address_key);

-- +goose Down
drop trigger if exists set_member_keys_of_user on users;
drop trigger if exists set_member_keys_update on organization_members;
drop trigger if exists set_member_keys on organization_members;
drop function if exists set_member_keys_of_user, set_member_keys;
drop index concurrently if exists organization_members_address_idx;
drop index concurrently if exists organization_members_order_idx;
alter table organization_members drop column if exists address_key, drop column if exists sort_name;
