-- +goose Up

-- How often Stripe invoices pending prorations between the renewals of a subscription, and the same
-- parameter of the seat update that has no answer.
alter table subscriptions add column pending_invoice_interval text not null default '';
alter table billing_seat_state add column open_pending_interval text not null default '';

-- +goose Down
alter table billing_seat_state drop column open_pending_interval;
alter table subscriptions drop column pending_invoice_interval;
