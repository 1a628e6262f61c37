-- +goose Up

-- The last forecasts of coming invoices, for pages while Stripe does not answer. An organization
-- has a few of them, one for each question of its people.
create table forecasts (
    organization_id       text collate "C" not null references organizations (id),
    question              text collate "C" not null, -- the query of the page
    subscription_id       text collate "C" not null,
    invoices              jsonb not null,
    changed               jsonb not null,
    currency              text not null,
    seats                 bigint not null,
    changed_seats         bigint not null,
    until                 timestamptz not null,
    ends_at               timestamptz,
    fetched_at            timestamptz not null,
    subscription_revision bigint not null,
    billed_people         bigint not null,
    primary key (organization_id, question)
);

-- +goose Down
drop table forecasts;
