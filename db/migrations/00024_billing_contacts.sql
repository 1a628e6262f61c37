-- +goose Up

-- Where notices about money go, apart from members. None: to the members who manage billing.
create table billing_contacts (
    id              bigint generated always as identity primary key, -- the order they were added in: the first is the customer's address
    organization_id text collate "C" not null references organizations,
    email           text not null check (email <> '')
);
create unique index billing_contacts_email_key on billing_contacts (organization_id, lower(email));

-- Notices that are switched off.
create table muted_notices (
    organization_id text collate "C" not null references organizations,
    kind            text not null check (kind <> ''),
    primary key (organization_id, kind)
);

-- What Stripe calls the customer, and what it is to be told.
alter table billing_customers
    add column stripe_name      text not null default '',
    add column stripe_email     text not null default '',
    add column delinquent       boolean not null default false,
    add column moment           timestamptz,                -- of these three; null: never asked
    add column details_wanted   bigint not null default 0,  -- counts the changes of what it is to be called
    add column details_pushed   bigint not null default 0,  -- the last of them that Stripe took
    add column details_due_at   timestamptz,
    add column details_failures integer not null default 0,
    add column details_error    text not null default '';
create index billing_customers_due_idx on billing_customers (details_due_at) where details_due_at is not null;

-- The summary of changes of seats that billing contacts get.
alter table billing_seat_state
    add column summary_since  timestamptz, -- the oldest change no summary has told of
    add column summary_due_at timestamptz;
create index billing_seat_state_summary_idx on billing_seat_state (summary_due_at) where summary_due_at is not null;

-- +goose Down
alter table billing_seat_state drop column summary_since, drop column summary_due_at;
alter table billing_customers
    drop column stripe_name, drop column stripe_email, drop column delinquent, drop column moment, drop column details_wanted,
    drop column details_pushed, drop column details_due_at, drop column details_failures, drop column details_error;
drop table muted_notices;
drop table billing_contacts;
