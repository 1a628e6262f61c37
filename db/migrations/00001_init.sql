-- Ids are compared byte by byte (collate "C"): cheaper in every index than the database's language rules, and an upgrade of the
-- system's collations can't corrupt those indexes. Lists of words that are ours are closed by a check; Stripe's words are not, an
-- unknown one is kept. Moments are timestamptz. Foreign keys are left out where the webhook would pay for them.

-- +goose Up
create table users (
    id            text collate "C" primary key check (id <> ''),
    email         text not null check (email <> ''), -- as typed
    name          text not null,
    password_hash text not null,
    created_at    timestamptz not null
);
-- One log-in per address, however it is capitalised.
create unique index users_email_key on users (lower(email));

create table organizations (
    id         text collate "C" primary key check (id <> ''),
    name       text not null,
    created_at timestamptz not null
);

create table roles (
    id                 text collate "C" primary key check (id <> ''),
    organization_id    text collate "C" references organizations, -- null for the built-in ones
    name               text not null check (name <> ''),
    can_manage_billing boolean not null,
    can_manage_members boolean not null,
    constraint roles_built_in_check check ((organization_id is null) = (id in ('admin', 'billing_admin', 'member'))),
    -- The target of the foreign key that ties a custom role to members of its own organization.
    constraint roles_id_organization_key unique (id, organization_id)
);
create unique index roles_organization_name_key on roles (organization_id, lower(name));

insert into roles (id, name, can_manage_billing, can_manage_members) values
    ('admin', 'Admin', true, true),
    ('billing_admin', 'Billing admin', true, false),
    ('member', 'Member', false, false);

create table organization_members (
    id              text collate "C" primary key check (id <> ''),
    organization_id text collate "C" not null references organizations,
    user_id         text collate "C" not null references users,
    role_id         text collate "C" not null references roles,
    billable        boolean not null,
    status          text not null constraint organization_members_status_check check (status in ('active', 'suspended')),
    joined_at       timestamptz not null,
    last_seen_at    timestamptz,
    -- Null for a built-in role; else it makes the foreign key below ask for a role of this very organization.
    custom_role_organization_id text collate "C" generated always as
        (case when role_id in ('admin', 'billing_admin', 'member') then null else organization_id end) stored,
    constraint organization_members_organization_user_key unique (organization_id, user_id),
    constraint organization_members_role_organization_fkey
        foreign key (role_id, custom_role_organization_id) references roles (id, organization_id)
);
create index organization_members_user_idx on organization_members (user_id);
-- The seat count reads nothing but this index.
create index organization_members_billed_idx on organization_members (organization_id) where billable and status = 'active';

-- A link is reserved with everything the customer is created with before Stripe is called. A new generation begins after a deletion or
-- a stored failure; old links stay, so that late news of an old customer still finds its organization.
create table billing_customers (
    organization_id    text collate "C" not null references organizations,
    generation         integer not null constraint billing_customers_generation_check check (generation >= 1),
    stripe_customer_id text collate "C" check (stripe_customer_id <> ''), -- null while reserved
    account            text collate "C" not null,
    livemode           boolean not null,
    email              text not null,
    name               text not null,
    created_at         timestamptz not null,
    updated_at         timestamptz not null,
    deleted_at         timestamptz,
    primary key (organization_id, generation),
    -- The customer comes first: news of Stripe is looked up by it.
    constraint billing_customers_customer_key unique (stripe_customer_id, account, livemode)
);

create table checkout_sessions (
    id                text collate "C" primary key check (id <> ''),
    organization_id   text collate "C" not null references organizations,
    user_id           text collate "C" references users, -- null: not started by a person
    stripe_session_id text collate "C" check (stripe_session_id <> ''), -- null while reserved
    customer_id       text collate "C" not null,
    account           text collate "C" not null,
    livemode          boolean not null,
    mode              text not null constraint checkout_sessions_mode_check check (mode in ('subscription', 'payment')),
    price_id          text collate "C" not null,
    quantity          integer not null constraint checkout_sessions_quantity_check check (quantity >= 0),
    trial_days        integer not null constraint checkout_sessions_trial_days_check check (trial_days >= 0),
    success_url       text not null,
    cancel_url        text not null,
    url               text not null,
    status            text not null constraint checkout_sessions_status_check
                      check (status in ('reserved', 'open', 'complete', 'expired')),
    created_at        timestamptz not null,
    expires_at        timestamptz,
    completed_at      timestamptz,
    -- A page to pay on exists at Stripe, and so has an id there.
    constraint checkout_sessions_open_check check (status <> 'open' or stripe_session_id is not null),
    constraint checkout_sessions_stripe_session_key unique (stripe_session_id)
);
-- Two open sessions can both be paid and make two subscriptions: an organization has one at a time.
create unique index checkout_sessions_one_open_key on checkout_sessions (organization_id, account, livemode)
    where mode = 'subscription' and status in ('reserved', 'open');

-- Snapshots. Free space is left in the pages, so that a new snapshot of the same subscription stays in its page and touches no index.
create table subscriptions (
    id                   text collate "C" primary key check (id <> ''),
    organization_id      text collate "C" not null references organizations,
    customer_id          text collate "C" not null,
    account              text collate "C" not null,
    livemode             boolean not null,
    test_clock           boolean not null,
    status               text not null check (status <> ''), -- Stripe's word: not closed
    price_id             text collate "C" not null,
    item_id              text collate "C" not null,
    quantity             integer not null constraint subscriptions_quantity_check check (quantity >= 0),
    current_period_start timestamptz, -- null where the news did not say
    current_period_end   timestamptz,
    cancel_at_period_end boolean not null,
    cancel_at            timestamptz,
    canceled_at          timestamptz,
    ended_at             timestamptz,
    trial_end            timestamptz,
    card_brand           text not null,
    card_last4           text not null,
    created_at           timestamptz not null,
    metadata_org_id      text not null,
    is_current           boolean not null default false,
    moment               timestamptz not null,
    revision             bigint not null constraint subscriptions_revision_check check (revision >= 1)
) with (fillfactor = 75);
create index subscriptions_organization_idx on subscriptions (organization_id, account, livemode);
create unique index subscriptions_one_current_key on subscriptions (organization_id, account, livemode) where is_current;

create table billing_seat_state (
    organization_id    text collate "C" primary key references organizations,
    desired_seats      integer not null constraint billing_seat_state_desired_check check (desired_seats >= 1),
    last_applied_seats integer constraint billing_seat_state_applied_check check (last_applied_seats >= 0),
    last_sync_at       timestamptz,
    sync_error         text not null,
    sync_version       bigint not null,
    applied_version    bigint not null,
    first_change_at    timestamptz,
    due_at             timestamptz,
    attempt            bigint not null check (attempt >= 0),
    attempt_open       boolean not null,
    open_item_id       text collate "C" not null,
    open_quantity      integer not null check (open_quantity >= 0),
    open_version       bigint not null,
    failures           integer not null check (failures >= 0),
    lease_until        timestamptz,
    -- Stripe can't have been told a version that was never counted.
    constraint billing_seat_state_version_check check (0 <= applied_version and applied_version <= sync_version),
    -- An attempt whose answer was not read must be repeatable with the same parameters.
    constraint billing_seat_state_open_check check (not attempt_open or (open_item_id <> '' and open_quantity >= 1))
) with (fillfactor = 75);
create index billing_seat_state_due_idx on billing_seat_state (due_at) where due_at is not null;

-- The ledger of seats: lines are added, never changed.
create table seat_changes (
    id              bigint generated always as identity primary key,
    organization_id text collate "C" not null references organizations,
    at              timestamptz not null,
    actor_user_id   text collate "C" references users, -- null: the system or Stripe
    subject_user_id text collate "C" references users, -- null: about nobody's membership
    reason          text not null,
    from_seats      integer not null check (from_seats >= 0),
    to_seats        integer not null check (to_seats >= 0),
    version         bigint not null
);
create index seat_changes_organization_idx on seat_changes (organization_id, id);

-- The inbox. An insert is on the webhook's path: no foreign key (each would look up and lock a row), and few indexes.
create table stripe_events (
    id              text collate "C" primary key check (id <> ''),
    type            text collate "C" not null,
    api_version     text collate "C" not null,
    livemode        boolean not null,
    account         text collate "C" not null,
    created         timestamptz not null, -- Stripe's clock
    received_at     timestamptz not null, -- ours
    object_id       text collate "C" not null,
    object_type     text collate "C" not null,
    customer_id     text collate "C" not null,
    subscription_id text collate "C" not null,
    org_id          text not null,        -- as the object's metadata says
    test_clock      boolean not null,
    organization_id text collate "C",     -- as we know it; null: nobody's here
    outcome         text not null constraint stripe_events_outcome_check
                    check (outcome in ('pending', 'applied', 'stale', 'ignored', 'failed')),
    attempts        integer not null check (attempts >= 0),
    error           text not null,
    next_attempt_at timestamptz,
    payload         text not null,        -- the signed bytes; json or jsonb would cost a parse and change them
    -- A pending event without a next attempt would never be picked up again.
    constraint stripe_events_pending_check check ((outcome = 'pending') = (next_attempt_at is not null))
);
create index stripe_events_due_idx on stripe_events (next_attempt_at) where outcome = 'pending';
-- For pruning. Inserts come in order of time and append to the right-most page.
create index stripe_events_received_idx on stripe_events (received_at);

-- lz4 compresses a payload with less processor time than the default method; servers built without it keep the default.
-- +goose StatementBegin
do $$
begin
    execute 'alter table stripe_events alter column payload set compression lz4';
exception
    when feature_not_supported or syntax_error then null; -- built without lz4, or older than PostgreSQL 14
end
$$;
-- +goose StatementEnd

-- What Stripe said of the account behind a secret key and of its prices, for a start while Stripe can't be reached.
create table stripe_accounts (
    fingerprint text collate "C" primary key check (fingerprint <> ''), -- of the key, never the key
    account     text collate "C" not null check (account <> ''),
    livemode    boolean not null
);

create table stripe_prices (
    account      text collate "C" not null,
    livemode     boolean not null,
    id           text collate "C" not null check (id <> ''),
    seq          bigint generated always as identity, -- the order they became known in
    product_id   text collate "C" not null,
    product_name text not null,
    lookup_key   text not null,
    amount_minor bigint not null, -- in the currency's minor unit, as Stripe counts it
    currency     text not null check (currency <> ''),
    "interval"   text not null,   -- empty for one-time prices
    active       boolean not null,
    primary key (account, livemode, id)
);

create table sessions (
    token_hash bytea primary key constraint sessions_token_hash_check check (octet_length(token_hash) = 32), -- SHA-256, never the token
    data       bytea not null, -- empty: attached to a user before its first write
    expiry     timestamptz not null,
    user_id    text collate "C" references users on delete cascade
);
create index sessions_expiry_idx on sessions (expiry);
create index sessions_user_idx on sessions (user_id) where user_id is not null;

-- +goose Down
drop table sessions;
drop table stripe_prices;
drop table stripe_accounts;
drop table stripe_events;
drop table seat_changes;
drop table billing_seat_state;
drop table subscriptions;
drop table checkout_sessions;
drop table billing_customers;
drop table organization_members;
drop table roles;
drop table organizations;
drop table users;
