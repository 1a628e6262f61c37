-- +goose NO TRANSACTION
-- +goose Up

-- Prices are read from Stripe by id too, and what was decided about them is stored. Programs of the
-- release before this one write only prices that their plan file names, so that is the default.
alter table stripe_prices
    add column model text not null default '',
    add column tax_behavior text not null default '',
    add column usher_plan text not null default '',         -- metadata of the price
    add column product_usher_plan text not null default '', -- metadata of its product
    add column former_lookup_key text not null default '',
    add column configured boolean not null default true,    -- a plan file has named it
    add column plan_id text not null default '',            -- a plan, or pack_<id>
    add column checked_at timestamptz not null default now();

-- The lines that decide about an invoice's credits; null in rows of the release before.
alter table invoices add column credit_lines jsonb;

-- +goose Down
alter table invoices drop column credit_lines;
alter table stripe_prices
    drop column model,
    drop column tax_behavior,
    drop column usher_plan,
    drop column product_usher_plan,
    drop column former_lookup_key,
    drop column configured,
    drop column plan_id,
    drop column checked_at;
