-- +goose Up

-- Accounts at identity providers that sign people in. They are known by issuer and subject; the
-- address only says to a person which one it is.
create table identities (
    issuer       text collate "C" not null constraint identities_issuer_check check (issuer <> ''),
    subject      text collate "C" not null constraint identities_subject_check check (subject <> ''),
    user_id      text collate "C" not null references users on delete cascade,
    email        text not null, -- empty: the provider gave none
    created_at   timestamptz not null,
    last_used_at timestamptz not null,
    primary key (issuer, subject)
);
create index identities_user_idx on identities (user_id);

-- +goose Down
drop table identities;
