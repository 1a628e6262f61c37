-- +goose Up

-- The lines and amounts of invoices, from which a page explains them. Programs of the release before
-- this one do not write them: an invoice without them is fetched when it is opened.
create table invoice_details (
    invoice_id      text collate "C" primary key,
    organization_id text collate "C" not null references organizations (id),
    account         text collate "C" not null,
    livemode        boolean not null,
    discount        bigint not null, -- amounts in the invoice's currency, its minor unit
    tax             bigint not null,
    tax_included    bigint not null,
    total           bigint not null,
    balance         bigint not null,
    amount_due      bigint not null,
    lines           jsonb not null,
    failure_code    text not null default '',
    as_of           timestamptz not null
);
create index invoice_details_organization_idx on invoice_details (organization_id);

-- +goose Down
drop table invoice_details;
