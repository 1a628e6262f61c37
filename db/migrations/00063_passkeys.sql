-- +goose NO TRANSACTION
-- +goose Up

-- The random WebAuthn user handle of a person, which passkeys carry. It is kept when the last passkey
-- is removed, so that a new one replaces the old entry in the same authenticator.
create table if not exists passkey_handles (
    user_id text collate "C" primary key references users on delete cascade,
    handle  bytea not null unique constraint passkey_handles_length_check check (octet_length(handle) = 64)
);

-- Public keys of passkeys. last_challenge is the SHA-256 of the challenge that was accepted last, so
-- that an answer is not accepted twice, even by concurrent requests.
create table if not exists passkeys (
    id              text collate "C" primary key check (id <> ''),
    user_id         text collate "C" not null references users on delete cascade,
    credential_id   bytea not null unique constraint passkeys_credential_id_check check (octet_length(credential_id) between 1 and 1023),
    public_key      bytea not null, -- COSE
    sign_count      bigint not null constraint passkeys_sign_count_check check (sign_count >= 0),
    aaguid          bytea not null, -- the model of the authenticator; zeros: unknown
    transports      text not null, -- separated by spaces
    name            text not null constraint passkeys_name_check check (name <> ''),
    backup_eligible boolean not null,
    backed_up       boolean not null,
    last_challenge  bytea,
    created_at      timestamptz not null,
    last_used_at    timestamptz
);
create index concurrently if not exists passkeys_user_idx on passkeys (user_id, created_at);

-- Recovery codes belong to the person, and stay while they have any second factor.
alter table recovery_codes drop constraint if exists recovery_codes_user_id_fkey;
alter table recovery_codes add constraint recovery_codes_user_id_fkey
    foreign key (user_id) references users on delete cascade not valid;
alter table recovery_codes validate constraint recovery_codes_user_id_fkey;

-- users.second_factor_at is since when a person has an authenticator app or a passkey. The trigger
-- keeps it right for programs of the release before too, which clear it with the app although there
-- are passkeys. Whoever adds or removes a factor locks the user first.
-- +goose StatementBegin
create or replace function sync_second_factor() returns trigger language plpgsql as $$
declare
    person text;
    since  timestamptz;
begin
    if tg_op = 'DELETE' then
        person := old.user_id;
    else
        person := new.user_id;
    end if;
    select min(added_at) into since from (
        select confirmed_at as added_at from second_factors where user_id = person
        union all
        select created_at from passkeys where user_id = person) factors;
    update users set second_factor_at = since where id = person and second_factor_at is distinct from since;
    if since is null then
        delete from recovery_codes where user_id = person;
    end if;
    return null;
end
$$;
-- +goose StatementEnd
drop trigger if exists second_factors_sync on second_factors;
create trigger second_factors_sync after insert or delete on second_factors for each row execute function sync_second_factor();
drop trigger if exists passkeys_sync on passkeys;
create trigger passkeys_sync after insert or delete on passkeys for each row execute function sync_second_factor();

-- +goose Down
drop trigger if exists second_factors_sync on second_factors;
drop table if exists passkeys;
drop table if exists passkey_handles;
drop function if exists sync_second_factor();
delete from recovery_codes c where not exists (select from second_factors f where f.user_id = c.user_id);
alter table recovery_codes drop constraint if exists recovery_codes_user_id_fkey;
alter table recovery_codes add constraint recovery_codes_user_id_fkey
    foreign key (user_id) references second_factors (user_id) on delete cascade;
update users set second_factor_at = (select confirmed_at from second_factors f where f.user_id = users.id)
    where second_factor_at is not null;
