-- +goose Up

-- What Stripe last answered about the next invoice of each subscription, for pages while Stripe is
-- slow or unavailable. Without a foreign key, so that creating the table locks no other.
create table upcoming_invoices (
    subscription_id       text collate "C" primary key,
    organization_id       text collate "C" not null,
    account               text collate "C" not null,
    livemode              boolean not null,
    is_none               boolean not null, -- nothing more is invoiced
    invoice               jsonb not null,   -- amounts and lines, as Stripe calculated them
    renewal               jsonb not null,   -- lines of a renewal that follows the invoice
    renews_at             timestamptz,
    fetched_at            timestamptz not null,
    subscription_revision bigint not null,  -- before the call
    seats_acknowledged_at timestamptz
);

-- +goose Down
drop table upcoming_invoices;
