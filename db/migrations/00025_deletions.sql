-- +goose Up
alter table organizations
    add column deletes_at timestamptz,  -- it was asked to be deleted
    add column deleted_at timestamptz;  -- what is left are its invoices

-- Deletions that were asked for. The organization's row says so too, since it is read with every request.
create table deletions (
    organization_id text collate "C" primary key references organizations,
    asked_by        text collate "C" not null references users,
    asked_at        timestamptz not null,
    due_at          timestamptz not null, -- at the earliest; moved on while Stripe does not take the plan's end
    ends_plan       boolean not null,     -- the plan was kept from renewing for it
    failures        integer not null,
    error           text not null
);
create index deletions_due_idx on deletions (due_at);

-- +goose Down
drop table deletions;
alter table organizations drop column deletes_at, drop column deleted_at;
