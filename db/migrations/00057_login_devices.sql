-- +goose Up

-- Browsers that a person has logged in with (OWASP: device cookies). Each has its own budget of
-- failed log-ins, so that a stranger's guesses do not lock it out. Programs of the release before
-- this one write none, and leave them when a password changes; a browser gains no access by its row.
create table login_devices (
    token_hash bytea not null check (octet_length(token_hash) = 32), -- SHA-256 of the cookie's secret
    user_id text not null references users (id) on delete cascade,
    expires_at timestamptz not null,
    primary key (token_hash)
);
create index login_devices_user_idx on login_devices (user_id, expires_at);
create index login_devices_expires_idx on login_devices (expires_at);

-- +goose Down
drop table login_devices;
