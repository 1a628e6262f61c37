-- +goose Up

-- Domains of e-mail addresses that organizations claim. Whoever signs in for the first time at the
-- identity provider with an address in a verified one joins its organization. Many organizations can
-- claim a domain, and one has it verified.
create table organization_domains (
    id              text collate "C" primary key check (id <> ''),
    organization_id text collate "C" not null references organizations,
    domain          text collate "C" not null, -- in ASCII form and lower case
    token           text not null constraint organization_domains_token_check check (token <> ''), -- of the DNS record that proves it
    billable        boolean not null, -- whoever joins takes a seat
    created_by      text not null,    -- the person's name at that time
    created_at      timestamptz not null,
    verified_at     timestamptz,
    constraint organization_domains_domain_check check (domain ~ '^[a-z0-9.-]+$'),
    constraint organization_domains_organization_key unique (organization_id, domain)
);
create unique index organization_domains_verified_key on organization_domains (domain) where verified_at is not null;

-- +goose Down
drop table organization_domains;
