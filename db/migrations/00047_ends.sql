-- +goose Up

-- The customer has to confirm the payment with the bank. Programs of the release before this one do
-- not write it; false is what they assume.
alter table invoices add column action_required boolean not null default false;

-- Subscriptions that the deletion of their organization cancels at period end. The row is written
-- before Stripe is called. Once the deletion is withdrawn, the subscription is resumed and the row
-- removed. Without a foreign key, so that creating the table locks no other.
create table deletion_cancellations (
    subscription_id text collate "C" primary key check (subscription_id <> ''),
    organization_id text collate "C" not null,
    due_at          timestamptz, -- the next attempt; null: done
    lease_until     timestamptz, -- an attempt is running
    failures        integer not null,
    error           text not null
);
create index deletion_cancellations_due_idx on deletion_cancellations (due_at) where due_at is not null;
create index deletion_cancellations_organization_idx on deletion_cancellations (organization_id);

-- +goose Down
drop table deletion_cancellations;
alter table invoices drop column action_required;
