-- +goose Up

-- What a Checkout page asks for, and the number of people chosen on the pricing page. Programs of
-- the release before this one write neither; the defaults are what they assume.
alter table checkout_sessions
    add column options jsonb not null default '{}',
    add column people integer not null default 0 check (people >= 0);

-- The number of people that the organization was planned for when its plan was bought; 0: unknown.
-- The page after Checkout offers to invite them.
alter table organizations
    add column planned_people integer not null default 0 check (planned_people >= 0);

-- What Stripe refused of the plan file's Checkout settings; `usher doctor` names it. An empty text
-- means that there is no problem any more.
create table checkout_problems (
    account text collate "C" not null,
    livemode boolean not null,
    problem text not null,
    primary key (account, livemode)
);

-- +goose Down
drop table checkout_problems;
alter table organizations drop column planned_people;
alter table checkout_sessions drop column options, drop column people;
