-- +goose NO TRANSACTION
-- +goose Up

-- A program names the people of its organization. Until such a person has accepted, the membership
-- belongs to a provisional user, who has no address and cannot sign in. Each statement locks one
-- table, and can be repeated. Programs of the release before this one do not write the columns.
alter table organization_members
    add column if not exists external_id   text collate "C", -- the program's id of the person; null: none
    add column if not exists managed_name  text not null default '', -- as the program sent it; empty: the user's own
    add column if not exists managed_email text not null default '', -- the same
    add column if not exists provisional   boolean not null default false; -- the person has not accepted yet

alter table organizations
    add column if not exists external_id    text collate "C", -- the program's id; null: none
    add column if not exists request_digest text not null default ''; -- of the request that created it; empty: no program did

-- An invitation for a person whom a program named has no person who sent it.
alter table invitations
    alter column invited_by drop not null,
    add column if not exists invited_by_key text not null default ''; -- name of the API key; empty: a person

-- Answers to requests with an Idempotency-Key.
create table if not exists idempotency_keys (
    credential   text collate "C" not null, -- id of the API key or the user
    key          text collate "C" not null,
    fingerprint  bytea not null constraint idempotency_keys_fingerprint_check check (octet_length(fingerprint) = 32), -- SHA-256 of the request
    created_at   timestamptz not null,
    locked_until timestamptz not null, -- until then, a request without an answer is being handled
    owner        text collate "C" not null, -- of the lock; each request has its own
    status       integer not null default 0, -- of the answer; 0: none yet
    body         text not null default '',
    primary key (credential, key)
);
create index if not exists idempotency_keys_created_idx on idempotency_keys (created_at);

-- +goose Down
drop table idempotency_keys;
delete from invitations where invited_by is null;
alter table invitations alter column invited_by set not null, drop column invited_by_key;
alter table organizations drop column external_id, drop column request_digest;
alter table organization_members drop column external_id, drop column managed_name, drop column managed_email, drop column provisional;
