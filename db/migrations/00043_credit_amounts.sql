-- +goose NO TRANSACTION
-- +goose Up

-- What credits are computed from. The months of a period follow from the interval of its price, not
-- from its dates; 0 is a fact of an earlier release, whose months are derived from the dates. An
-- upgrade has the period that its proration charges for.
alter table credit_facts
    add column if not exists months integer not null default 0,
    add column if not exists from_credits integer not null default 0; -- of the plan before an upgrade
alter table credit_facts
    drop constraint if exists credit_facts_months_check,
    drop constraint if exists credit_facts_period_check;
alter table credit_facts
    add constraint credit_facts_months_check check (months >= 0) not valid,
    add constraint credit_facts_period_check
        check (case kind
            when 'period' then period_start is not null and period_end is not null
            when 'upgrade' then (period_start is null) = (period_end is null)
            else period_start is null and period_end is null
        end) not valid;
alter table credit_facts validate constraint credit_facts_months_check;
alter table credit_facts validate constraint credit_facts_period_check;

-- Credit notes, in the currency's minor unit: issued before the payment, issued after it, and how
-- much of the latter was not refunded to the payment method.
alter table invoices
    add column if not exists credited_before_payment bigint not null default 0,
    add column if not exists credited bigint not null default 0,
    add column if not exists credited_unrefunded bigint not null default 0;

-- Disputes that are open.
alter table payments add column if not exists disputed bigint not null default 0;
create index concurrently if not exists payments_invoice_idx
    on payments (organization_id, invoice_id);

alter table subscriptions
    add column if not exists billing_cycle_anchor timestamptz,
    add column if not exists trial_start timestamptz;

-- +goose Down
alter table subscriptions
    drop column if exists trial_start, drop column if exists billing_cycle_anchor;
drop index if exists payments_invoice_idx;
alter table payments drop column if exists disputed;
alter table invoices
    drop column if exists credited_unrefunded,
    drop column if exists credited,
    drop column if exists credited_before_payment;
update credit_facts set period_start = null, period_end = null where kind <> 'period';
alter table credit_facts drop constraint if exists credit_facts_period_check;
alter table credit_facts add constraint credit_facts_period_check
    check ((kind = 'period') = (period_start is not null and period_end is not null)) not valid;
alter table credit_facts drop column if exists from_credits, drop column if exists months;
