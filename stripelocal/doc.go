// Package stripelocal is a stateful fake of the Stripe API for development and tests: the API under
// /v1/, hosted Checkout, invoice and portal pages as plain forms, signed webhooks with retries,
// idempotency keys, and a clock that can be advanced. Any Stripe SDK works with it after its base
// URL is set. The rules are those of API version 2024-06-20. Calls and webhook endpoints may
// request a newer version, whose shapes the objects then have.
//
// A server is one account in test mode, and one more for each key of the form sk_test_acct_NAME_….
// It keeps its state in memory and, if asked to, in a file per account. Start it in a test with New
// and serve Handler; the examples show how.
//
// # What it holds and keeps out
//
// The package holds Stripe's side only: API, pages, webhooks and clocks. It imports the standard
// library and its own subpackages, and nothing else of this module. Its subpackages are:
//
//   - wire: form decoding, parameter schemas, JSON encoding, expand[], API errors, currencies,
//     amounts and billing periods. It knows no resource.
//   - pages: the templates, the stylesheet and the response headers of hosted pages, and Stripe.js.
//   - websocket: the server's side of RFC 6455, for Stripe's command line tool.
//
// # Where to start reading
//
// server.go starts a server. api.go handles an API call: authentication, faults, parameters,
// idempotency, handler, response. request.go is the transaction in which every change happens, an
// API call, a form on a hosted page or a timer alike: one time, under the server's lock, whose
// events are published together when it ends. handlers.go lists the handler types. resource.go
// lists the object types of the API.
//
//	customer.go, price.go, refund.go, …   a resource: its object, routes, handlers and JSON
//	*_actions.go, *_params.go             the rest of a resource with a long file
//	invoice_lifecycle.go, dunning.go      finalizing, paying and voiding invoices; payment retries
//	subscription_change.go, proration.go  planning a change of items, trial or billing cycle
//	subscription_update.go                applying and billing that plan
//	subscription_renewal.go               notices, renewals and cancellations when they are due
//	pending_invoice.go                    invoices of pending items in between renewals
//	portal_limits.go, portal_default.go   what the portal refuses; its default configuration
//	checkout_payment.go                   paying and completing a Checkout session
//	bank_debit.go, bank_transfer.go       payments that end later: debits, and transfers of customers
//	api_version*.go                       translation to newer API versions, a file for each name
//	event.go, webhook_*.go                events, their deliveries, the dispatcher with retries
//	page_*.go                             hosted pages and the dashboard
//	file*.go                              uploads, their contents and the pages of file links
//	cli_*.go, event_retry.go              stripe listen, stripe logs tail and stripe events resend
//	named_account.go, cors.go             the account of a request, and scripts of pages
//	publishable.go, page_stripejs.go      publishable keys and Stripe.js (pages/stripejs)
//	control*.go, fault*.go                endpoints under /_usher/ and injected faults
//	seed*.go                              what a new account begins with
//	clock*.go, timer.go, test_clock*.go   the account's clock, timers and test clocks
//	store.go, table.go, state_*.go        the tables with their indexes, and the state file
//
// A resource's file holds its struct, its resource row (routes, parameter schemas, handlers) and
// its rendering. To add a resource, write its file, list its handler in handlers.go and its row in
// resource.go, and add its table to store.go. Hosted pages change state through the API's own
// handlers (page_api_call.go), so that a page can do nothing that the API would reject.
//
// # What only a local Stripe has
//
// The endpoints under /_usher/ reset an account, show and advance the clock, show and resend
// deliveries and events, rotate webhook secrets, settle bank debits, change settings and inject
// faults. A fault applies to the next calls or deliveries that match, or to a random share of them
// with a fixed seed; see Fault.
//
// # Assumptions and divergences
//
// A comment that names the docs refers to Stripe's documentation. A comment that says inferred
// marks behavior that neither the documentation, nor stripe-go v79, nor the OpenAPI specification
// states.
//
//   - Inferred throughout: the wording of errors; the numbers, tokens and results of test cards and
//     test bank accounts; the duration of bank debits; minimum charges except for USD and JPY; the
//     lifetime of a test clock of thirty days.
//   - An incomplete subscription that is canceled, or whose Checkout session expires, becomes
//     incomplete_expired and sends customer.subscription.deleted. One that expires after 23 hours
//     sends customer.subscription.updated (inferred).
//   - stripe listen is sent every event in the account's version and in the latest one; the tool
//     takes one of the two. Its secret is the device's and stays after a reset.
//     Events are sent again after a reconnect until they are acknowledged, and are kept for five
//     minutes without a connection, 2,000 messages at most (lengths and limits: inferred). What the
//     tool's endpoint answers does not count as a delivery.
//   - A session for thin events alone is refused. There are no events of /v2/.
//   - Only pages on a loopback address may call the API from a script with a secret key, unless
//     Options.AllowedOrigins names more. Stripe lets all.
//   - A publishable key may retrieve and confirm payment and setup intents with their client secret
//     and create tokens and payment methods, and is shown the fields that stripe-ios has recorded.
//     Any other call is a 401 (inferred from the SDKs' AuthenticationError). Stripe lets it make
//     calls for payment methods other than cards too.
//   - Stripe.js has the elements payment, card, cardNumber, cardExpiry and cardCvc, in English.
//     They ask for neither country nor postal code. Of their looks, the variables of appearance and
//     the base and invalid style are taken as far as they set colors, font, size and radius. v3
//     requests the account's API version, a later release the newest one of its name (docs:
//     versioning).
//   - A method of Stripe.js that is called in the wrong order or with an unknown option throws an
//     IntegrationError. Its wording is known of public issue threads or inferred.
//   - 3-D Secure is a dialog that ends when its page was answered, and cannot be closed otherwise.
//     After it, a payment with the confirmation method manual requires confirmation with a secret
//     key (docs: finalize payments on the server). A publishable key cannot confirm it (API
//     reference); the wording is inferred.
//   - Embedded Checkout is a frame of a fixed height. Its session is found by the id in its client
//     secret; the secret itself is not checked.
//   - The header Stripe-Account is refused with 403, the account's own id too.
//   - A parameter that Stripe knows and this package does not implement is rejected as
//     parameter_unknown, except for those listed below.
//   - Lists are ordered by insertion. With test clocks this can differ from the order of created.
//   - Webhook signatures and retries use real time even if a clock is injected, because receivers
//     check signatures against real time.
//   - Webhook retries start after one second and end after twelve attempts. Stripe retries for
//     days.
//   - Failed calls are stored under their idempotency key once a handler ran, even where Stripe's
//     validation may run earlier.
//   - An event with a pending delivery is kept until the delivery is done, even if the clock
//     advances by more than the 30 days for which the API returns events.
//   - With test clocks, events, payments, refunds and disputes have the account's time, and
//     everything else the clock's (PaymentIntents: public issue threads; events: inferred). A clock
//     has at most three customers. While it advances, other calls are not rejected.
//   - A declined renewal is retried 1, 3, 5, 7, 9, 11, 13 and 14 days after the first decline
//     (inferred, except for eight times in two weeks, of which Stripe chooses the hours). After a
//     hard decline, a 3-D Secure requirement or without a payment method, the dates pass without an
//     attempt until there is another payment method (docs: hard declines are not retried; which
//     these are, and the rest: inferred). attempt_count counts automatic attempts and the first
//     attempt of any kind.
//   - The setting after_dunning decides what follows the last retry. Its default is cancel. A
//     past_due or unpaid subscription becomes active once its latest finalized invoice that is not
//     void is paid or uncollectible (inferred).
//   - invoice.upcoming and trial_will_end are sent three days ahead. Subscriptions with periods of
//     three days or less have no invoice.upcoming (inferred).
//   - A change that starts a new period credits the unused time of every item and bills the new
//     period as lines of type subscription. A first period before a chosen anchor is a line with
//     proration=true, net of discounts (inferred).
//   - A preview of a subscription that does not exist begins at start_date, which may be in the
//     future (API reference: create a preview invoice). The anchor is at most a period later
//     (docs: billing cycle).
//   - cancel_at within a period does not prorate. add_invoice_items are billed with the next
//     invoice unless the change is billed immediately.
//   - error_if_incomplete leaves no trace of the failed attempt.
//   - A pending update expires after 23 hours, at the latest with the period. Another prorated
//     change replaces it and voids its invoice.
//   - A preview with always_invoice, or of a change that is billed immediately, shows that invoice.
//     Any other preview shows the next period's. A preview has no id.
//   - An amount below the minimum charge is added to the customer's balance, whatever created the
//     invoice. Voiding restores the balance. Each change is a customer balance transaction.
//   - A customer has one currency (public issue threads): subscriptions, pending invoice items and
//     open Checkout sessions in subscription mode of another one are rejected. One-time payments
//     are not.
//   - A subscription whose first invoice is over 0 needs no payment method (public issue threads).
//   - Recorded by public test suites: next_action is use_stripe_sdk without a return_url; a first
//     invoice that requires 3-D Secure was attempted with an attempt_count of 0; DELETE clears
//     cancel_at and cancel_at_period_end (of a date other than the period's end: inferred); an
//     invoice for a subscription with nothing pending is a draft over 0. TestReplayOfRecordings
//     replays these recordings; docs/local-stripe.md lists what differs.
//   - A new draft of a subscription with paused collection is voided or written off at once
//     (inferred). Restricted keys may do everything.
//   - The tax_behavior of a price can be set once (API reference). The wording is inferred.
//   - A schedule that starts later fixes the customer's currency, starts with
//     subscription_schedule.updated and is canceled with its customer (all inferred). A start_date
//     in the past is now. A phase that starts at the end of a period does not prorate, and an item
//     keeps its id if its price, or else its position, is the same (inferred). A phase's metadata,
//     description, collection_method and default_payment_method are set when the phase starts, and
//     stay after it.
//   - A schedule is aborted if its subscription is canceled because of delinquency (API reference:
//     types of events). That canceled is sent too is inferred. expiring is sent seven days before
//     the end of the last phase, and not at all if a schedule ends sooner (inferred). One that ends
//     with release sends completed and released, and its status is released (inferred: the guide
//     says that it is completed and its subscription released).
//   - The CLI's triggers of these three events do not cause them by themselves: that of aborted
//     cancels a schedule that has not started, that of expiring stops nine days before the end, and
//     the customer of both that and of completed has no card, so that dunning ends the
//     subscription unless after_dunning is past_due.
//   - Delayed refunds of test cards succeed or fail after five seconds. A failed refund is
//     subtracted from amount_refunded. A dispute opens right after its payment, can be answered
//     once, and is lost after seven days. Balance transactions follow from charges, refunds,
//     disputes, payouts and top-ups.
//   - Payouts are made by the API only and have no destination. They arrive after two days, or half
//     an hour if instant; top-ups succeed after one day (inferred). None fails.
//   - Credit notes on an open invoice reduce amount_due. Their PDF is the invoice's.
//   - The faults with 429 come before anything is stored under the idempotency key. A 500 is stored
//     and says not to retry.
//   - A duplicated delivery is sent twice in a row. A dropped one is never retried.
//   - Deliveries to one endpoint are sequential unless a fault reorders them.
//   - Checkout waits only for deliveries that are attempted. It redirects at once if a fault drops
//     them.
//   - A card added in the portal becomes the default of the customer and of every active
//     subscription with a payment method of its own (inferred).
//   - A plan change in the portal keeps the quantity unless it may be changed. It is not offered
//     for a plan that is set to end (inferred). It passes the date of the preview as
//     proration_date, so that the confirmed amount is the billed one.
//   - The portal's limits are documented (customer management, limitations); when they are
//     enforced, and the wording, is not. The setting portal_refusal chooses between the creation of
//     the configuration (the default, by a public report), the session and the page. Two prices of
//     one product with the same interval are refused whatever their currencies and interval counts,
//     and even if plan changes are disabled (inferred). A schedule in its last phase allows updates
//     but no cancellation (inferred).
//   - The dates of pending_invoice_item_interval are counted from the billing cycle anchor. Its
//     invoice is a draft for an hour and collected like a renewal's. Without pending items there is
//     none. At the end of a period the renewal comes first and takes the items (all inferred).
//   - Portal sessions do not expire, and outlive the deactivation of their configuration. An
//     inactive configuration cannot create one. The default configuration, which Stripe's dashboard
//     saves, is the setting portal_configuration. The portal has no login page.
//     subscription_update_confirm must name a price of the configuration and the subscription's
//     single item.
//   - Proration lines are net of the subscription's discounts (changelog 2025-09-30). The discounts
//     of the moment count, even for the credit of what was billed under others (inferred). An
//     amount_off is distributed over the lines in proportion; the last line takes the rounding
//     difference. Discounts of subscription items, invoice items and invoice lines are rejected as
//     unknown parameters.
//   - A customer's discount applies to what has no discount of its own: the invoices and prorations
//     of a subscription, and invoices that the API creates without discounts, also for a
//     subscription (API reference). discounts= keeps it from such an invoice, a preview and a
//     phase of a schedule, not from a subscription (API reference). A subscription does not show
//     it, and cannot name it in discounts[][discount].
//   - The first new invoice, a draft too, uses up a discount with the duration once (public issue
//     threads), even if it takes nothing off (inferred). A repeating discount of a customer ends
//     with customer.discount.deleted. Another coupon makes a discount with a new id and sends
//     customer.discount.updated. customer.updated is sent besides. Deleting the customer sends no
//     event of the discount. The minimum amount of a promotion code is checked neither for a
//     customer, nor for a subscription or an invoice (all inferred).
//   - An amount_off of a customer's discount counts for the customer's one currency (Stripe's error
//     names discounts). It is not taken off an invoice of the API in another currency (inferred).
//   - Checkout in subscription mode and quotes show the customer's discount if they have none of
//     their own (inferred from the subscription or invoice that they create).
//   - Prorations are rounded to the amounts that a currency is charged in: multiples of 100 for ISK
//     and UGX, a last digit of 0 for three decimals (docs: currencies). That the rule for charges
//     applies to proration lines is inferred.
//   - Pending items are the first lines of an invoice, in reverse chronological order (API
//     reference: invoices, lines). The items of one change stay together, a credit before its
//     charge (recorded by onetimesecret). Of changes within one second the order is inferred.
//   - Checkout and payment links in payment mode refuse a total below the minimum charge or above
//     99999999 (wording: public issue threads). That subscription mode takes it is inferred.
//   - A session keeps its quantities and discount once a payment was attempted.
//   - Automatic tax has a fixed table of standard rates of a dozen countries (automatic_tax.go),
//     zero elsewhere, and reverse charge for European VAT numbers. Tax registrations of the
//     API limit it to their countries. It makes Checkout require an
//     address; a submitted form whose address changes the total shows the page again with it. A
//     customer without an address pays no tax (Stripe rejects the subscription). A price without a
//     tax_behavior is exclusive, unless the tax settings say otherwise.
//   - Tax is computed line by line of the amount less discounts, and each line is rounded half away
//     from zero (inferred). Tax rates of recurring line items in Checkout, of subscription items
//     and of invoices are not supported.
//   - Consent to the terms of service is collected unless the setting terms_url is false. The
//     setting stripe_tax=false refuses automatic tax.
//   - Tax IDs: pages accept European VAT numbers and American EINs, the API a few more types. None
//     is verified.
//   - Payment methods are cards, us_bank_account, sepa_debit and customer_balance. The delays and
//     failures of debits follow from the documented test numbers. Those without a documented delay
//     end after five seconds of the account's clock (inferred). An IBAN that is no test IBAN is
//     debited with success (inferred). Error codes of failed debits are those of the API reference
//     that match; that of a SEPA debit without a reason is payment_intent_payment_attempt_failed
//     (both inferred).
//   - Checkout offers a bank debit in payment mode: in USD, and in EUR if payment_method_types
//     names sepa_debit. A debit of the page ends after four days of the account's clock, or by POST
//     /_usher/checkout_sessions/{id}/settle. Its bank account needs no verification.
//   - A bank debit needs a mandate: mandate_data, or that of an earlier call with
//     setup_future_usage. Without one an invoice's attempt fails with
//     payment_intent_mandate_invalid and no charge (inferred). account_closed, no_account and
//     debit_not_authorized block a US account (docs) and make the mandate inactive (inferred).
//   - While a debit is pending the invoice is open and attempted, and the subscription of a first
//     invoice is active (a public report; the docs say that it can also be incomplete). Failed
//     debits are not retried: the subscription gets at once the status that follows the last retry
//     (docs).
//   - US accounts are verified by the documented test amounts and codes, or on the page of 3-D
//     Secure. The accounts of test ids such as pm_usBankAccount_success are verified (a public
//     test). After ten failures, or the test values for it, the intent requires another payment
//     method (inferred). verification_method has no other effect than to be shown.
//   - Canceling a payment whose debit is pending fails its charge with charge_canceled (inferred).
//   - A minimum of 0 in adjustable_quantity is taken as 1.
//   - A new card on the hosted invoice is attached to the customer if setup_future_usage is set,
//     with or without 3-D Secure, and never becomes a default (inferred).
//   - GET of a deleted product is a 404, because the specification has no other response. The id of
//     a deleted product or coupon cannot be used again.
//   - Deleting a customer detaches its payment methods without an event. They cannot be used again,
//     nor can one that was detached or was used for a payment without a customer.
//   - The rest of a partial capture is shown as refunded, and canceling an authorized payment sends
//     charge.refunded (inferred).
//   - The minimum charge is known for some two dozen currencies. Elsewhere it is one minor unit.
//     The maximum is 99999999.
//   - Sources are payment methods with ids that begin with card_. Attaching one sends
//     payment_method.attached besides customer.source.created.
//   - /v1/payment_pages accepts what the official CLI sends and responds with the session. It is
//     undocumented.
//   - Search finds changes immediately. It supports ten clauses (syntax inferred).
//   - An invalid expand[] is rejected after the call is executed. Stripe rejects it before.
//   - A price created from price_data stays if the call is rejected later.
//   - Subscriptions that are active, trialing or past_due entitle to the features of their
//     products; one-time purchases do not (statuses inferred). Features attached to or detached
//     from a product count for a subscription when it begins, renews, or changes its status or
//     prices.
//   - A line of a subscription's invoice is made for each tier of a graduated price, and one
//     otherwise. A quantity of 0 costs the flat amount of the first tier. A proration credits and
//     charges shares of the totals of the two quantities (all inferred).
//   - Meter events count at once; Stripe takes them within minutes. What arrives after the end of a
//     period is not added to the draft of its invoice. Usage is summed exactly and rounded to whole
//     units (inferred). An invoice that begins a subscription has a line over 0 for each metered
//     item, and usage in a trial is free (both inferred). Items cannot have billing thresholds.
//   - Billing alerts have the parameters and fields of the specification, usage_threshold with its
//     filters, and not the older ones of stripe-go v79.
//   - Quotes apply one discount. One whose effective_date is in the future makes a schedule of one
//     period, and has no one-time prices, taxes and sent invoices. A quote without recurring
//     prices becomes a draft that is finalized within an hour; the first invoice of a subscription
//     is charged at once if the customer has a payment method (inferred).
//   - A payment link reads client_reference_id and prefilled_email of its address. The email cannot
//     be changed on the page. A link becomes inactive with the last of its completed_sessions
//     (both inferred). It has no custom fields, invoices or shipping.
//   - Of the attempts of a setup intent there is the last one.
//   - A new subscription has the currency of its parameter, else the customer's if all amounts of
//     its prices have it, else the first price's. Checkout takes its parameter, and quotes, payment
//     links and schedules that create a subscription take the price's own currency.
//   - No rule of Radar reads the value lists. Values are compared in lower case, except for
//     case_sensitive_string and customer_id (inferred).
//   - Country specs: that of the account's country, the United States, with the values of the API
//     reference. Any other country is a 404.
//   - Domains are not fetched, so every wallet is active on them. Registering one again responds
//     with the first (inferred). Names without a dot, such as localhost, are refused.
//   - A payment method configuration decides about cards and bank debits: intents with automatic
//     payment methods take payment_method_configuration, and are refused if it does not offer
//     cards. Intents of invoices that name no types have those of the default one, and the type
//     that is charged. A method that a configuration does not name is on for cards and the wallets
//     that use them, and off otherwise (inferred). Checkout reads none.
//   - Confirmation tokens can be used once, also if the confirmation fails (inferred), within
//     twelve hours. The test helper takes a payment method and no payment_method_data.
//   - Ephemeral keys work for an hour, for customers only, and for the calls by which mobile SDKs
//     read and change the customer and their payment methods (which: inferred). The Stripe-Version
//     of such a call, and of the creation of a key, may be older than 2024-06-20.
//   - Secrets of customer sessions expire after half an hour (inferred).
//   - Files are uploaded to the API's own address instead of files.stripe.com, and their links are
//     pages of this server. stripe-node sends uploads to files.stripe.com until version 21, unless
//     the call has the option host. An account stores 32 MB of files. The type of a file follows
//     from its contents, and is checked. Files that evidence names must exist and have a purpose
//     for it (wording inferred).
//   - Cash balances are funded by the test helper alone, so that display_bank_transfer_instructions
//     names no account. Automatic reconciliation pays open payment intents of customer_balance, the
//     oldest first; Stripe prefers exact amounts. Manual reconciliation pays none. A customer with
//     a cash balance cannot be deleted (API reference).
//   - balance.available is sent for money that is available at once: that of the test cards for it
//     (docs) and of bank debits (docs for ACH; for SEPA inferred). Other money becomes available
//     without it.
//   - Checkout takes shipping_options in payment mode. The customer chooses one with the button
//     that updates the order, and enters no address. Shipping is neither taxed nor discounted, and
//     rates have no currency_options.
//   - A payment with an elevated risk opens a review, as by the default rule of Radar for Fraud
//     Teams. A refund of the whole amount and a dispute close it (a partial refund: inferred).
//   - Mandates are for one payment unless setup_future_usage is set (inferred). The url of a SEPA
//     mandate has no page.
//   - An empty string unsets a string parameter even where the specification does not say so.
//
// # API versions
//
// The account, its stored objects and its events are of 2024-06-20. A call may request, and a
// webhook endpoint may have, any of the versions of acacia, basil, clover, dahlia and endive up to
// 2026-10-28.endive. Parameters, responses, expand[], errors and delivered events are then those of
// that version, and the header Stripe-Version names it. Tests compare them with the types of
// stripe-node 16.12.0, 18.5.0, 20.4.1, 22.6.2 and 23.1.0 and with the specification of
// 2026-08-26.dahlia.
//
//   - Any other version is a 400, previews too, unless the setting other_versions is answer: then
//     the response is of 2024-06-20 and its header says so. An endpoint of another version cannot
//     be created.
//   - The rules do not follow the version. What a newer version removed is refused; what it added
//     is refused too, except for /v1/invoice_payments and the new names below. Added fields that
//     this package has no use for are shown with the value of an account that does not use them,
//     mostly null.
//   - New names of parameters that are taken: refunds of credit notes, pricing[price] of invoice
//     items and invoice lines, unit_amount_decimal of invoice items (basil); promotion[coupon] of
//     promotion codes (clover); the words of ui_mode (dahlia); allowed_payment_method_types and
//     billing_cycle_anchor[type] (endive). The old names are then refused.
//   - Subscriptions are in the classic billing mode and show it. Since 2025-09-30.clover Stripe's
//     default is flexible (changelog). billing_mode[type]=flexible is refused.
//   - An open Checkout session creates its subscription with the first payment attempt. Since
//     2025-03-31.basil Stripe creates it after the payment (changelog).
//   - An invoice has one payment intent at a time, so its payments are that one and those canceled
//     before. One paid out of band has none (inferred). amount_overpaid is 0.
//   - invoice_payment.paid is sent to endpoints since 2025-03-31.basil, after the other events of a
//     paid invoice (order: a public page's dashboard). An invoice over 0 has none (public
//     statistics of an account). GET /v1/events lists it for calls of these versions (inferred).
//   - Days before the release of 2025-03-31.basil, Stripe showed its new fields in responses of
//     acacia too (recorded by pay-rails/pay). Here only versions since then have them.
//   - The lines of prorations have the parent subscription_item_details with their invoice item
//     (types of stripe-node). Those of other invoice items have invoice_item_details.
//   - A preview, and the object of invoice.upcoming, has an id since 2025-03-31.basil that follows
//     from the subscription (public issue threads; the form is inferred).
//   - A credit note has at most one refund. unit_amount_decimal of an invoice item is a whole
//     number. phases[duration] is refused, end_date is not.
//   - refund.created, refund.updated and refund.failed are sent to endpoints since
//     2024-10-28.acacia (changelog). GET /v1/events lists them for calls of these versions
//     (inferred).
//   - GET /v1/events and the response to a resent event show objects of 2024-06-20 whatever the
//     call requests (API reference: events have the version of their creation).
//   - A response under an idempotency key is replayed in the version of its first call, with that
//     version in the header (inferred).
//   - GET /v1/invoices/upcoming and its lines are a 404 since 2025-03-31.basil, and
//     /v1/invoice_payments is one before. Stripe's wording is not known.
//   - Usage records and their summaries are a 404 since 2025-03-31.basil, aggregate_usage is
//     unknown, and a new metered price needs a meter (changelog; the wording is inferred). Prices
//     without a meter from before stay.
//
// # Accepted without effect
//
// The first six have no effect because payments are the same on and off session, and a plan's trial
// applies to new subscriptions only. The others have none because any security code is correct,
// because the test card alone decides about 3-D Secure, because only Stripe's own pages and scripts
// read them, or because no email is sent. Names within another parameter follow it after a dot. A
// test compares this list with the code.
//
//   - POST /v1/subscriptions: off_session
//   - POST /v1/subscriptions/{id}: off_session, trial_from_plan
//   - POST /v1/customers/{customer}/subscriptions: off_session
//   - POST /v1/customers/{customer}/subscriptions/{id}: off_session, trial_from_plan
//   - POST /v1/subscription_items/{id}: off_session
//   - POST /v1/invoices/{id}/pay: off_session
//   - POST /v1/tokens: card.cvc
//   - POST /v1/payment_intents: payment_method_options.card.request_three_d_secure
//   - POST /v1/payment_intents/{id}: payment_method_options.card.request_three_d_secure
//   - POST /v1/payment_intents/{id}/confirm: payment_method_options.card.request_three_d_secure
//   - GET /v1/payment_pages/{id}: key, eid
//   - POST /v1/payment_pages/{id}/confirm: key, eid
//   - POST /v1/credit_notes: email_type
//   - POST /v1/stripecli/sessions: forward_connect_to_url, forward_thin_to_url
//   - POST /v1/stripecli/sessions: forward_thin_connect_to_url
//   - GET /v1/credit_notes/preview: email_type
//   - GET /v1/credit_notes/preview/lines: email_type
//
// # Divergences from the specification
//
// The tests validate every accepted request, every response and every event with the OpenAPI
// specification of stripe-mock v0.190.0 (version 2024-09-30.acacia) and with the fields of
// stripe-go v79. These differences are intended:
//
//   - stripe-go v79 has them, the specification does not:
//     price.recurring.trial_period_days, product.type, charge.source,
//     payment_intent.source, subscription_item.plan, line_item.plan,
//     invoiceitem.plan, dispute.network_reason_code,
//     subscription_schedule.phases.items.plan, billing.alert.filter,
//     billing.alert.usage_threshold_config, with the parameters of both names.
//   - Only Stripe's published examples have them: subscription.plan and
//     subscription.quantity, of a subscription with one item;
//     subscription.items.total_count and invoice.lines.total_count.
//   - Only recorded answers of Stripe have them: charge.destination, charge.dispute, charge.order,
//     charge.refunds.total_count, payment_intent.next_action.use_stripe_sdk.type,
//     payment_intent.next_action.use_stripe_sdk.stripe_js,
//     setup_intent.next_action.use_stripe_sdk.type and
//     setup_intent.next_action.use_stripe_sdk.stripe_js, which here is the page that stands in for
//     the bank's.
//   - Only recorded calls of Stripe have the parameters items.plan, plan and quantity of
//     subscriptions, which are older than prices and items.
//   - payment_method_options.customer_balance.bank_transfer.type takes jp_bank_account too, which
//     only Stripe's command line tool sends.
//   - The specification's enumeration of a webhook endpoint's api_version ends with its own
//     version. Newer versions are accepted.
package stripelocal
