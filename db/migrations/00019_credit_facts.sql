-- +goose Up

-- What credits follow from, each once. What is told of them depends on all facts together, never on the order they were heard in.
create table credit_facts (
    organization_id text collate "C" not null references organizations,
    source          text collate "C" not null check (source <> ''), -- the invoice's or session's id, and what of it
    kind            text not null constraint credit_facts_kind_check check (kind in ('period', 'upgrade', 'pack')),
    invoice_id      text collate "C" not null, -- empty: none
    subscription_id text collate "C" not null, -- empty: none
    charge_id       text collate "C" not null, -- of a pack, whose payment has no invoice; empty: not known
    plan_id         text not null,
    credits         integer not null check (credits >= 0), -- as the catalogue had it when it was heard
    at              timestamptz not null,                  -- when it happened at Stripe
    period_start    timestamptz,
    period_end      timestamptz,
    constraint credit_facts_period_check check ((kind = 'period') = (period_start is not null and period_end is not null)),
    primary key (organization_id, source)
);

-- What came back of a payment: refunded, or lost in a dispute.
create table payments (
    id              text collate "C" primary key check (id <> ''), -- ch_…
    organization_id text collate "C" not null,
    customer_id     text collate "C" not null,
    invoice_id      text collate "C" not null, -- empty: none
    account         text collate "C" not null,
    livemode        boolean not null,
    test_clock      boolean not null,
    currency        text not null,
    amount          bigint not null, -- these three in the currency's minor unit, as Stripe counts it
    refunded        bigint not null,
    lost            bigint not null,
    moment          timestamptz not null,
    revision        bigint not null check (revision >= 1)
);
create index payments_organization_idx on payments (organization_id) where refunded > 0 or lost > 0;

alter table credit_accounts
    add column rest_consumed bigint not null default 0, -- taken beside the plan's credits, ever
    add column turn          bigint not null default 0; -- counts the recounts that changed something
alter table credit_entries
    add column period    text collate "C" not null default '', -- of a consumption: the month of the plan it was taken from
    add column plan_part bigint not null default 0;            -- of a consumption: how much of it
alter table credit_entries drop constraint credit_entries_kind_check;
alter table credit_entries add constraint credit_entries_kind_check
    check (kind in ('grant', 'upgrade', 'pack', 'expire', 'consume', 'return', 'restore'));
create index credit_entries_period_idx on credit_entries (organization_id, period) where kind = 'consume';

-- What was granted before there were facts: the running period of each organization.
insert into credit_facts
    select c.organization_id, 'invoice:' || c.invoice_id, 'period', c.invoice_id, coalesce(i.subscription_id, ''), '', c.plan_id, c.plan_granted,
        c.period_start, c.period_start, c.period_end
    from credit_accounts c left join invoices i on i.id = c.invoice_id
    where c.invoice_id <> '' and c.period_start is not null and c.period_end is not null;

-- +goose Down
drop index credit_entries_period_idx;
alter table credit_entries drop constraint credit_entries_kind_check;
alter table credit_entries add constraint credit_entries_kind_check check (kind in ('grant', 'upgrade', 'expire', 'consume')) not valid;
alter table credit_entries drop column period, drop column plan_part;
alter table credit_accounts drop column rest_consumed, drop column turn;
drop table payments;
drop table credit_facts;
