-- +goose Up

-- Who is asked into an organization. Only the hash of a token is here.
create table invitations (
    id              text collate "C" primary key check (id <> ''),
    organization_id text collate "C" not null references organizations,
    email           text not null check (email <> ''), -- as typed
    role_id         text collate "C" references roles on delete set null, -- null: the role of a closed one is gone
    billable        boolean not null,
    token_hash      bytea not null constraint invitations_token_hash_check check (octet_length(token_hash) = 32), -- SHA-256
    invited_by      text collate "C" not null references users, -- whoever sent it last
    sent            integer not null constraint invitations_sent_check check (sent >= 1),
    created_at      timestamptz not null,
    expires_at      timestamptz not null,
    accepted_at     timestamptz,
    revoked_at      timestamptz,
    constraint invitations_closed_check check (accepted_at is null or revoked_at is null),
    -- A role that somebody is promised can't be deleted.
    constraint invitations_role_check check (role_id is not null or accepted_at is not null or revoked_at is not null),
    constraint invitations_token_hash_key unique (token_hash)
);
-- One open invitation per address, however it is capitalised; it also lists them.
create unique index invitations_one_pending_key on invitations (organization_id, lower(email))
    where accepted_at is null and revoked_at is null;
create index invitations_role_idx on invitations (role_id);

-- Why somebody is billed: the newest line of the ledger about them.
create index seat_changes_subject_idx on seat_changes (organization_id, subject_user_id, id) where subject_user_id is not null;

-- Who holds a role.
create index organization_members_role_idx on organization_members (organization_id, role_id);

-- +goose Down
drop index organization_members_role_idx;
drop index seat_changes_subject_idx;
drop table invitations;
