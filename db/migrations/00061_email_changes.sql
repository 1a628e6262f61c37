-- +goose Up

-- A person's change to another e-mail address, until both addresses have confirmed it. There is one
-- at a time. Only the SHA-256 of a link's token is here.
create table email_changes (
    user_id          text collate "C" primary key references users on delete cascade,
    new_email        text not null constraint email_changes_new_email_check check (new_email <> ''),
    old_token_hash   bytea not null unique constraint email_changes_old_hash_check check (octet_length(old_token_hash) = 32),
    new_token_hash   bytea not null unique constraint email_changes_new_hash_check check (octet_length(new_token_hash) = 32),
    old_confirmed_at timestamptz,
    new_confirmed_at timestamptz,
    created_at       timestamptz not null,
    expires_at       timestamptz not null
);

-- +goose Down
drop table email_changes;
