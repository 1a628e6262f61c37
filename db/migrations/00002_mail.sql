-- +goose Up

-- The outbox. A line is written in the transaction of what it tells about, and sent afterwards.
create table emails (
    id              text collate "C" primary key check (id <> ''),
    seq             bigint generated always as identity, -- the order they were written in
    key             text collate "C" not null check (key <> ''), -- the source: what the mail tells about
    kind            text not null check (kind <> ''),
    recipient       text not null check (recipient <> ''),
    organization_id text collate "C" references organizations, -- null: about a person
    data            jsonb not null,  -- what the mail says; emptied once it is sent, since it can hold the token of a link
    status          text not null constraint emails_status_check check (status in ('queued', 'sent', 'failed', 'stale', 'kept')),
    subject         text not null,   -- empty until it is sent
    queued_at       timestamptz not null,
    stale_at        timestamptz not null, -- from then on it is old news
    next_attempt_at timestamptz,
    attempts        integer not null check (attempts >= 0),
    error           text not null,
    sent_at         timestamptz,
    -- A queued line without a next attempt would never be sent.
    constraint emails_queued_check check ((status = 'queued') = (next_attempt_at is not null)),
    constraint emails_sent_check check ((status = 'sent') = (sent_at is not null))
);
-- Nobody is mailed twice for one source.
create unique index emails_key_recipient_key on emails (key, lower(recipient));
create index emails_due_idx on emails (next_attempt_at) where status = 'queued';
-- For the page that shows what was not sent, newest first.
create index emails_unsent_idx on emails (seq) where status <> 'sent';

-- Somebody asks for a new password. A line is written for every address, known or not, so that the answer takes equally long.
create table recovery_requests (
    email        text collate "C" primary key check (email <> ''), -- lower-case
    requested_at timestamptz not null
);

-- The links in e-mails to a person: only the SHA-256 of a token is here.
create table account_tokens (
    token_hash bytea primary key constraint account_tokens_hash_check check (octet_length(token_hash) = 32),
    purpose    text not null constraint account_tokens_purpose_check check (purpose in ('reset', 'verify')),
    user_id    text collate "C" not null references users on delete cascade,
    email      text not null check (email <> ''), -- the address it was sent to
    created_at timestamptz not null,
    expires_at timestamptz not null,
    used_at    timestamptz
);
create index account_tokens_user_idx on account_tokens (user_id, purpose, created_at);
create index account_tokens_expiry_idx on account_tokens (expires_at);

alter table users add column email_verified_at timestamptz;

-- +goose Down
alter table users drop column email_verified_at;
drop table account_tokens;
drop table recovery_requests;
drop table emails;
