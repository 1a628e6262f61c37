-- +goose Up

-- Keys with which programs call the API. Only the SHA-256 of a key is here.
create table api_keys (
    id              text collate "C" primary key check (id <> ''),
    organization_id text collate "C" references organizations, -- null: of the installation, for every organization
    name            text not null constraint api_keys_name_check check (name <> ''),
    hint            text not null, -- the beginning of the key, to recognize it
    key_hash        bytea not null unique constraint api_keys_hash_check check (octet_length(key_hash) = 32),
    livemode        boolean not null,
    scopes          text not null constraint api_keys_scopes_check check (scopes <> ''), -- one on each line
    created_by      text not null, -- the person's name at that time, or the command line
    created_at      timestamptz not null,
    expires_at      timestamptz,
    last_used_at    timestamptz,
    revoked_at      timestamptz
);
create index api_keys_organization_idx on api_keys (organization_id, created_at);

-- +goose Down
drop table api_keys;
