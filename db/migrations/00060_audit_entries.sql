-- +goose Up

-- Who did what, when and from where. An entry is written in the transaction of the act. There is no
-- foreign key: entries outlive what they are about, and an entry locks no other row. Programs of the
-- release before this one write none.
create table audit_entries (
    id              bigint generated always as identity primary key,
    at              timestamptz not null,
    organization_id text collate "C", -- null: the act concerns the installation
    actor_kind      text not null,
    actor_id        text collate "C" not null default '',
    actor_name      text not null default '', -- at that time
    act             text collate "C" not null,
    target_id       text collate "C" not null default '',
    target_name     text not null default '', -- at that time
    before          jsonb not null default 'null',
    after           jsonb not null default 'null',
    address         text not null default '', -- of the client
    request_id      text collate "C" not null default '',
    -- What a search finds. The words of the actor's name have the weight A.
    words           tsvector not null generated always as (
        setweight(to_tsvector('simple'::regconfig, actor_name), 'A')
            || to_tsvector('simple'::regconfig, target_name)
            || jsonb_to_tsvector('simple'::regconfig, before, '["string"]')
            || jsonb_to_tsvector('simple'::regconfig, after, '["string"]')
    ) stored,
    constraint audit_entries_actor_kind_check check (actor_kind in ('person', 'operator', 'api_key', 'command', 'stripe', 'system')),
    constraint audit_entries_act_check check (act <> '')
);

create index audit_entries_organization_idx on audit_entries (organization_id, at desc, id desc);
create index audit_entries_organization_act_idx on audit_entries (organization_id, act, at desc, id desc);
create index audit_entries_at_idx on audit_entries (at desc, id desc);
create index audit_entries_act_idx on audit_entries (act, at desc, id desc);
create index audit_entries_actor_idx on audit_entries (actor_id, at desc, id desc) where actor_id <> '';
create index audit_entries_target_idx on audit_entries (target_id, at desc, id desc) where target_id <> '';
create index audit_entries_request_idx on audit_entries (request_id) where request_id <> '';
create index audit_entries_words_idx on audit_entries using gin (words);

-- Entries can be neither changed nor deleted, with two exceptions that a transaction has to ask for:
-- entries older than a year are deleted at the end of their retention, and the personal data of an
-- entry can be replaced. What was done, when, and by which id stays.
-- +goose StatementBegin
create function keep_audit_entry() returns trigger language plpgsql as $$
declare
    personal constant text[] := array['actor_name', 'target_name', 'before', 'after', 'address', 'words'];
    purpose constant text := coalesce(current_setting('usher.audit_maintenance', true), '');
begin
    if tg_op = 'DELETE' and purpose = 'retention' and old.at < now() - interval '365 days' then
        return old;
    end if;
    if tg_op = 'UPDATE' and purpose = 'erasure' and to_jsonb(new) - personal = to_jsonb(old) - personal then
        return new;
    end if;
    raise exception 'audit_entries is append-only' using errcode = 'insufficient_privilege', table = 'audit_entries';
end
$$;
-- +goose StatementEnd

create trigger audit_entries_keep before update or delete on audit_entries for each row execute function keep_audit_entry();
create trigger audit_entries_keep_all before truncate on audit_entries for each statement execute function keep_audit_entry();

-- +goose Down
drop table audit_entries;
drop function keep_audit_entry();
