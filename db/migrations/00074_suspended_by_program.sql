-- +goose Up

-- Identity providers suspend members through SCIM and lift only what they suspended. The name's parts
-- are kept as they were sent.
alter table organization_members
    add column suspended_by_program boolean not null default false, -- a program suspended the member, no admin
    add column given_name           text not null default '', -- as a program sent it; empty: none did
    add column family_name          text not null default ''; -- the same

-- Programs of the release before this one reactivate members without the column.
-- +goose StatementBegin
create function clear_suspended_by_program() returns trigger language plpgsql as $$
begin
    new.suspended_by_program := false;
    return new;
end
$$;
-- +goose StatementEnd
create trigger clear_suspended_by_program before update on organization_members
    for each row when (new.status = 'active' and new.suspended_by_program) execute function clear_suspended_by_program();

-- +goose Down
drop trigger clear_suspended_by_program on organization_members;
drop function clear_suspended_by_program;
alter table organization_members drop column suspended_by_program, drop column given_name, drop column family_name;
