-- +goose Up

-- Where a session began, and its last use. They are null in sessions of the previous release; its
-- sessions begin 14 days before their expiry.
alter table sessions
    add column started_at     timestamptz,
    add column last_used_at   timestamptz, -- written once a minute at most
    add column user_agent     text,
    add column client_address text;        -- of the last use

-- +goose Down
alter table sessions
    drop column started_at,
    drop column last_used_at,
    drop column user_agent,
    drop column client_address;
