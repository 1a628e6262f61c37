-- +goose NO TRANSACTION
-- +goose Up

-- Two-step verification: one authenticator app for each person, and the recovery codes beside it. The
-- seed is sealed with SECRETS_KEY. last_step is the time step of the last accepted code, so that no
-- code is accepted twice.
create table if not exists second_factors (
    user_id      text collate "C" primary key references users (id),
    seed         bytea not null,
    confirmed_at timestamptz not null,
    last_step    bigint not null
);

create table if not exists recovery_codes (
    user_id   text collate "C" not null references second_factors (user_id) on delete cascade,
    code_hash bytea not null constraint recovery_codes_hash_check check (octet_length(code_hash) = 32), -- SHA-256
    used_at   timestamptz,
    primary key (user_id, code_hash)
);

-- A copy of second_factors.confirmed_at: every request reads the user, and none more for this.
alter table users add column if not exists second_factor_at timestamptz;

-- Whether the organization requires two-step verification of its members.
alter table organizations add column if not exists require_second_factor boolean not null default false;

-- +goose Down
alter table organizations drop column require_second_factor;
alter table users drop column second_factor_at;
drop table recovery_codes;
drop table second_factors;
