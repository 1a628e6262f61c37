-- +goose Up

-- The lines by which a change within a period is charged or given back: what the lines of the seat ledger led to.
create table invoice_prorations (
    id              text collate "C" not null check (id <> ''), -- il_…
    invoice_id      text collate "C" not null,
    subscription_id text collate "C" not null,
    amount          bigint not null,     -- in the invoice's currency, its minor unit
    period_start    timestamptz not null, -- the moment of the change, by Stripe's clock
    primary key (invoice_id, id)
);
create index invoice_prorations_subscription_idx on invoice_prorations (subscription_id, period_start);

alter table seat_attempts add column told_at timestamptz; -- the moment of Stripe's yes, by its clock; null: none, or an old one

-- +goose Down
alter table seat_attempts drop column told_at;
drop table invoice_prorations;
