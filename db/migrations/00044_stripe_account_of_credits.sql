-- +goose NO TRANSACTION
-- +goose Up

-- Credits belong to a Stripe account and mode, as all other billing state does: what was bought in
-- test mode does not count in live mode. '' is a row of an earlier release until the copy below, or
-- until the trigger, has filled it in.
alter table credit_facts
    add column if not exists account text collate "C" not null default '',
    add column if not exists livemode boolean not null default false;
alter table credit_accounts
    add column if not exists account text collate "C" not null default '',
    add column if not exists livemode boolean not null default false;
alter table credit_entries
    add column if not exists account text collate "C" not null default '',
    add column if not exists livemode boolean not null default false;

-- The account of a fact is that of its invoice, Checkout session, charge or subscription. If none is
-- stored, and for the ledger, it is the account of the organization's newest customer.
-- +goose StatementBegin
create or replace function credit_fact_account(fact credit_facts, out account text, out livemode boolean)
language sql stable as $$
    select found.account, found.livemode from (
        select 1 as rank, i.account, i.livemode from invoices i where i.id = fact.invoice_id
        union all
        select 2, s.account, s.livemode from checkout_sessions s
            where fact.kind = 'pack' and 'pack:' || s.stripe_session_id = fact.source
                and s.organization_id = fact.organization_id
        union all
        select 3, p.account, p.livemode from payments p where p.id = fact.charge_id
        union all
        select 4, s.account, s.livemode from subscriptions s where s.id = fact.subscription_id
        union all
        select 5 - c.generation::numeric / 1000000, c.account, c.livemode from billing_customers c
            where c.organization_id = fact.organization_id
    ) found where found.account <> '' order by found.rank limit 1
$$;
create or replace function fill_credit_fact_account() returns trigger language plpgsql as $$
declare
    found record;
begin
    if new.account = '' then
        select * into found from credit_fact_account(new);
        new.account := coalesce(found.account, '');
        new.livemode := coalesce(found.livemode, false);
    end if;
    return new;
end
$$;
create or replace function fill_credit_account() returns trigger language plpgsql as $$
declare
    found record;
begin
    if new.account = '' then
        select c.account, c.livemode into found from (
            select 1 as rank, a.account, a.livemode from credit_accounts a
                where a.organization_id = new.organization_id and a.account <> ''
            union all
            select 2 - c.generation::numeric / 1000000, c.account, c.livemode from billing_customers c
                where c.organization_id = new.organization_id
        ) c order by c.rank limit 1;
        new.account := coalesce(found.account, '');
        new.livemode := coalesce(found.livemode, false);
    end if;
    return new;
end
$$;
-- +goose StatementEnd
create or replace trigger fill_credit_fact_account before insert on credit_facts
    for each row execute function fill_credit_fact_account();
create or replace trigger fill_credit_account before insert on credit_accounts
    for each row execute function fill_credit_account();
create or replace trigger fill_credit_account before insert on credit_entries
    for each row execute function fill_credit_account();

-- +goose StatementBegin
create or replace procedure copy_credit_accounts() language plpgsql as $$
declare
    last text := '';
    batch text[];
begin
    loop
        select array_agg(o.id) into batch from (select id from organizations where id > last order by id limit 500) o;
        exit when batch is null;
        update credit_facts f set account = a.account, livemode = a.livemode
            from credit_facts g cross join lateral credit_fact_account(g) a
            where f.organization_id = any (batch) and f.account = '' and a.account is not null
                and g.organization_id = f.organization_id and g.source = f.source;
        update credit_accounts a set account = c.account, livemode = c.livemode
            from (select distinct on (organization_id) organization_id, account, livemode from billing_customers
                where organization_id = any (batch) order by organization_id, generation desc) c
            where a.organization_id = c.organization_id and a.account = '';
        update credit_entries e set account = c.account, livemode = c.livemode
            from (select distinct on (organization_id) organization_id, account, livemode from billing_customers
                where organization_id = any (batch) order by organization_id, generation desc) c
            where e.organization_id = c.organization_id and e.account = '';
        last := batch[array_upper(batch, 1)];
        commit;
    end loop;
end
$$;
-- +goose StatementEnd
call copy_credit_accounts();
drop procedure copy_credit_accounts;

-- A trial is used once per organization, and with trial_guard = "card" once per card. A
-- subscription that was given a second trial has two rows.
create table if not exists trials (
    subscription_id  text collate "C" not null check (subscription_id <> ''),
    started_at       timestamptz not null,
    organization_id  text collate "C" not null references organizations,
    account          text collate "C" not null,
    livemode         boolean not null,
    ends_at          timestamptz not null,
    card_fingerprint text collate "C" not null default '', -- empty: not known
    guarded          boolean not null default false,       -- ended if its card has had a trial elsewhere
    canceled_at      timestamptz,                          -- when it was ended for that reason
    next_attempt_at  timestamptz,
    attempts         integer not null default 0,
    error            text not null default '',
    primary key (subscription_id, started_at)
);
create index concurrently if not exists trials_organization_idx
    on trials (organization_id, account, livemode);
create index concurrently if not exists trials_card_idx
    on trials (account, livemode, card_fingerprint) where card_fingerprint <> '';

-- Trials of subscriptions that Usher sold.
insert into trials (subscription_id, started_at, organization_id, account, livemode, ends_at)
    select id, created_at, organization_id, account, livemode, trial_end from subscriptions
    where trial_end is not null and metadata_org_id = organization_id and status not in ('incomplete', 'incomplete_expired')
    on conflict do nothing;

-- +goose Down
drop table if exists trials;
drop trigger if exists fill_credit_account on credit_entries;
drop trigger if exists fill_credit_account on credit_accounts;
drop trigger if exists fill_credit_fact_account on credit_facts;
drop function if exists fill_credit_account();
drop function if exists fill_credit_fact_account();
drop function if exists credit_fact_account(credit_facts);
alter table credit_entries drop column if exists livemode, drop column if exists account;
alter table credit_accounts drop column if exists livemode, drop column if exists account;
alter table credit_facts drop column if exists livemode, drop column if exists account;
