-- +goose Up

-- The customer has to confirm the payment with the bank. Programs of the release before this one do
-- not write it; false is what they assume.
alter table invoices add column action_required boolean not null default false;

-- +goose Down
alter table invoices drop column action_required;
