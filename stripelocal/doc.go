// Package stripelocal is a stateful Stripe on this machine: the API under
// /v1/, hosted Checkout and portal pages as plain forms, signed webhooks with
// retries, idempotency keys and one clock that can be moved. Any Stripe SDK
// pointed at it works. Shapes and rules are those of API version 2024-06-20.
//
// It keeps one account in memory (and, where asked, in one file). It knows
// nothing of the rest of Usher and imports only the standard library.
//
// # How it is built
//
// Everything that happens, an API call, a form on a hosted page, a timer that
// comes due, is one act: a moment in time under the server's lock, whose
// events are published together when it ends. A resource is one file: its
// struct, its JSON rendering, its handlers and its row for the table in
// resources.go (path, parameter grammar, handler). Rules that span resources
// have files of their own (settle.go, proration.go, renewal.go).
// Hosted pages and the dashboard at / are acts too; what they change goes
// through the API's own handlers (page_call.go), so that a page can do nothing
// that the API would refuse.
//
// # What only a local Stripe has
//
// Under /_usher/: clock, deliveries, events and their resending, rotation of
// webhook secrets, the settling of bank debits, and faults. A fault is scripted
// (the next N calls or deliveries that match) or random by seed; see Fault.
//
// # Assumptions and divergences
//
// Where a comment names the docs, Stripe's documentation says so; what neither
// it, nor stripe-go v79, nor the specification says is inferred, and called so.
//
//   - Inferred throughout: the wording of errors; numbers, tokens and outcomes of
//     test cards and test bank accounts; how long a bank debit takes; smallest
//     charges but for USD and JPY; a test clock's life of thirty days.
//   - An incomplete subscription that is canceled, or whose Checkout session
//     expires, becomes incomplete_expired and sends customer.subscription.deleted;
//     one that reaches 23 hours sends customer.subscription.updated (inferred).
//   - A parameter that Stripe knows and this package does not carry out is
//     refused as parameter_unknown, but for the few listed below.
//   - Every API version is answered in the shapes of 2024-06-20.
//   - Lists are ordered by insertion, which under test clocks may differ from
//     the order of created.
//   - Signatures and retries of webhooks follow the machine's own time, whatever
//     clock is injected: receivers verify against real time.
//   - Webhook retries start within a second and end after a dozen tries, where
//     Stripe goes on for days.
//   - Results of refused calls are stored under an idempotency key as soon as a
//     handler ran, also where Stripe's own validation might have come first.
//   - Test clocks: events, payments, refunds and disputes keep the account's time,
//     all else shows the clock's (PaymentIntents: public issue threads; events:
//     inferred). At most three customers a clock; nothing else is refused while
//     one advances.
//   - A refused renewal is tried again 1, 3, 5, 7, 9, 11, 13 and 14 days after the
//     first refusal (inferred but for eight times in two weeks, of which Stripe
//     chooses the hours). After a refusal for good, a 3-D Secure question or
//     without a card the dates go by without an attempt until there is another
//     card (docs: hard declines are not retried; which they are, and the rest:
//     inferred). Only automatic attempts count, and the first of any kind.
//   - What follows is the setting after_dunning, which begins as cancel. A
//     past_due or unpaid subscription becomes active once its newest finalized
//     invoice that is not void is paid or uncollectible (inferred).
//   - invoice.upcoming and trial_will_end come three days before; subscriptions of
//     three days or less have no invoice.upcoming (inferred).
//   - A change that begins a new period gives back the unused time of every item
//     and bills the new period as lines of type subscription. A first period
//     before a chosen anchor is a line with proration=true (inferred).
//   - cancel_at inside the period prorates nothing. add_invoice_items wait for the
//     next invoice unless the change is billed at once.
//   - error_if_incomplete leaves no trace of the refused attempt.
//   - A pending update expires after 23 hours, at the latest with the period;
//     another change that is prorated takes its place and voids its invoice.
//   - A preview with always_invoice, or of a change billed at once, shows that
//     immediate invoice, any other the next period's. It has no id.
//   - An amount under the smallest charge goes to the customer's balance whatever
//     made the invoice; voiding gives back what the balance paid. There are no
//     customer_balance_transactions.
//   - Schedules begin at once. A step at the end of a period prorates nothing and
//     an item keeps its id where the price, or else the place, is the same
//     (inferred). What a phase says of metadata, description, collection_method
//     and default_payment_method is set on entering it, and stays after it.
//   - Refunds of the test cards for it settle or fail after five seconds; a failed
//     one is taken off amount_refunded. refund.* events are not sent. A dispute
//     comes right after its payment, can be answered once, and is lost after
//     seven days; balance transactions exist inside disputes only.
//   - Credit notes on an open invoice lower amount_due. Theirs is the invoice's PDF.
//   - A fault lock_timeout answers 409, which stripe-go takes like the 429 that
//     newer documentation names. Faults 429 and 409 come before anything is
//     stored under the call's key; a 500 is stored and says not to retry.
//   - A duplicated delivery is sent twice at once; a lost one is never tried again.
//   - Deliveries to one endpoint are sequential unless a fault reorders them.
//   - An address that loses its webhook to a fault is redirected to at once:
//     Checkout waits only for deliveries that are attempted.
//   - A card added in the portal becomes the customer's default and that of every
//     living subscription that has a card of its own (inferred).
//   - The portal's plan switch keeps the quantity unless it may be changed, shows
//     only subscriptions of one item, and passes the moment shown as
//     proration_date, so that the amount confirmed is the amount billed. It does
//     not offer to switch a plan that is set to end (inferred).
//   - Portal sessions do not expire, and outlive their configuration's activity;
//     none is made with an inactive one. The portal has no login page.
//     subscription_update_confirm must name a price
//     of the configuration and the subscription's one item.
//   - A coupon takes nothing off proration lines, where Stripe's carry the
//     discount of what they prorate. An amount_off is spread over the lines by
//     size, the last one taking what rounding leaves. Coupons of customers and of
//     subscription items are refused as unknown parameters.
//   - A session whose payment was tried once keeps its quantities and discount.
//   - automatic_tax is shown as asked for, always complete, and in Checkout asks
//     for an address; no tax is ever added.
//   - Tax IDs: the pages take European VAT numbers and American EINs, the API a few
//     kinds more; none is verified.
//   - The delayed payment method is a bank debit in dollars, in payment mode. It
//     settles after four days of the account's clock, or by
//     POST /_usher/checkout_sessions/{id}/settle. Its intent still names card alone
//     under payment_method_types.
//   - A minimum of 0 in adjustable_quantity is taken as 1.
//   - A new card on the hosted invoice is attached to the customer where the
//     intent is to be used again, with 3-D Secure or without, and never becomes a
//     default (inferred).
//   - GET of a deleted product is a 404, as the specification has no other answer;
//     the id of a deleted product or coupon is not given again.
//   - Deleting a customer lets its cards go without an event; nobody can use them
//     again, nor one that was detached or has paid once for nobody in particular.
//   - What a partial capture leaves is shown as refunded, and canceling a payment
//     that is held sends charge.refunded (inferred).
//   - The smallest charge is known for some two dozen currencies; elsewhere it is
//     one minor unit. The largest is 99999999.
//   - Sources are payment methods whose ids begin with card_; to attach one sends
//     payment_method.attached beside customer.source.created.
//   - /v1/payment_pages takes what the official CLI sends and answers the session:
//     no documentation names it.
//   - Search sees changes at once. Its clauses (inferred), ten at most, go over customers, subscriptions, products and prices.
//   - An expand[] that leads nowhere is refused when the call has been carried out,
//     where Stripe sees it before.
//   - A price made in passing (price_data) stays where the call is refused later.
//   - An empty text unsets a text parameter also where the specification does not
//     say so.
//
// # Accepted without effect
//
// The first four because everything is charged the same way whoever is there,
// and prices have no trials of their own; then any security code is right,
// pages and scripts of Stripe's own read the rest, and no mail is sent. Names
// within another parameter follow it after a dot. A test holds this list
// against the code.
//
//   - POST /v1/subscriptions: off_session, trial_from_plan
//   - POST /v1/subscriptions/{id}: off_session, trial_from_plan
//   - POST /v1/subscription_items/{id}: off_session
//   - POST /v1/invoices/{id}/pay: off_session
//   - POST /v1/payment_methods: card.cvc
//   - POST /v1/tokens: card.cvc
//   - POST /v1/payment_intents: use_stripe_sdk
//   - POST /v1/payment_intents/{id}/confirm: use_stripe_sdk
//   - GET /v1/payment_intents/{id}: client_secret
//   - POST /v1/setup_intents: use_stripe_sdk
//   - POST /v1/setup_intents/{id}/confirm: use_stripe_sdk
//   - GET /v1/setup_intents/{id}: client_secret
//   - GET /v1/payment_pages/{id}: key, eid
//   - POST /v1/payment_pages/{id}/confirm: key, eid
//   - POST /v1/credit_notes: email_type
//   - GET /v1/credit_notes/preview: email_type
//
// # Divergences from the specification
//
// The tests hold every accepted request, every answer and every event against
// the OpenAPI specification in stripe-mock v0.190.0, which is of
// 2024-09-30.acacia, and against the fields of stripe-go v79. These differ, and
// are to:
//
//   - stripe-go v79 has them, the specification leaves them out:
//     price.recurring.trial_period_days, product.type, charge.source,
//     payment_intent.source, subscription_item.plan, line_item.plan,
//     invoiceitem.plan, dispute.network_reason_code,
//     subscription_schedule.phases.items.plan.
//   - Stripe's published examples alone have them: subscription.plan and
//     subscription.quantity, of a subscription with one item;
//     subscription.items.total_count and invoice.lines.total_count.
//   - The enumeration behind api_version of a webhook endpoint ends with the
//     specification's own version; newer ones are taken.
package stripelocal
