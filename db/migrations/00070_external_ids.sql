-- +goose NO TRANSACTION
-- +goose Up

-- A program's id names one person of an organization, and one organization that is not deleted. What
-- an interrupted build left behind is invalid and is dropped first.
drop index concurrently if exists organization_members_external_id_key;
create unique index concurrently organization_members_external_id_key on organization_members (organization_id, external_id)
    where external_id is not null;
drop index concurrently if exists organizations_external_id_key;
create unique index concurrently organizations_external_id_key on organizations (external_id)
    where external_id is not null and deleted_at is null;

-- +goose Down
drop index concurrently if exists organizations_external_id_key;
drop index concurrently if exists organization_members_external_id_key;
