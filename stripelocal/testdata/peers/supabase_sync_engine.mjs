// Copies an account into PostgreSQL with Supabase's sync engine, from webhooks and by backfill, and
// compares the tables with what the API lists (https://github.com/supabase/stripe-sync-engine).
// Usage: node supabase_sync_engine.mjs API_VERSION
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { fillAccount, listAccount, listTold } from './account.mjs'
import { advance, key, receiveWebhooks } from './script.mjs'
import { createDatabase, ids } from './postgres.mjs'

// Its module for import does not find its migrations.
const { StripeSync, runMigrations } = createRequire(import.meta.url)('@supabase/stripe-sync-engine')
const version = process.argv[2]

async function startEngine(name, options) {
  const databaseUrl = await createDatabase(name)
  await runMigrations({ databaseUrl, schema: 'stripe', logger: { info() {}, error: (err) => { throw err } } })
  return new StripeSync({
    schema: 'stripe', stripeSecretKey: key, stripeWebhookSecret: '', stripeApiVersion: version,
    autoExpandLists: true, poolConfig: { connectionString: databaseUrl }, ...options,
  })
}

// One engine is fed by webhooks, and fetches each object. It takes every type of event that it knows
// but invoice.upcoming, whose invoice has no id.
const fed = await startEngine('fed', {
  revalidateObjectsViaStripeApi: [
    'charge', 'checkout.session', 'credit_note', 'customer', 'dispute', 'entitlements', 'invoice', 'invoice_payment', 'payment_intent',
    'payment_method', 'plan', 'price', 'product', 'radar.early_fraud_warning', 'refund', 'setup_intent', 'subscription', 'subscription_schedule', 'tax_id',
  ],
})
const types = `charge.captured charge.expired charge.failed charge.pending charge.refunded charge.succeeded charge.updated
  charge.dispute.created charge.dispute.funds_reinstated charge.dispute.funds_withdrawn charge.dispute.updated charge.dispute.closed
  checkout.session.async_payment_failed checkout.session.async_payment_succeeded checkout.session.completed checkout.session.expired
  credit_note.created credit_note.updated credit_note.voided customer.created customer.updated customer.deleted
  customer.subscription.created customer.subscription.deleted customer.subscription.paused customer.subscription.pending_update_applied
  customer.subscription.pending_update_expired customer.subscription.trial_will_end customer.subscription.resumed customer.subscription.updated
  customer.tax_id.created customer.tax_id.updated customer.tax_id.deleted entitlements.active_entitlement_summary.updated
  invoice.created invoice.deleted invoice.finalized invoice.finalization_failed invoice.paid invoice.payment_action_required
  invoice.payment_failed invoice.payment_succeeded invoice.sent invoice.voided invoice.marked_uncollectible invoice.updated
  invoice_payment.paid payment_intent.amount_capturable_updated payment_intent.canceled payment_intent.created
  payment_intent.partially_funded payment_intent.payment_failed payment_intent.processing payment_intent.requires_action
  payment_intent.succeeded payment_method.attached payment_method.automatically_updated payment_method.detached payment_method.updated
  plan.created plan.updated plan.deleted price.created price.updated price.deleted product.created product.updated product.deleted
  radar.early_fraud_warning.created radar.early_fraud_warning.updated refund.created refund.failed refund.updated charge.refund.updated
  setup_intent.canceled setup_intent.created setup_intent.requires_action setup_intent.setup_failed setup_intent.succeeded
  subscription_schedule.aborted subscription_schedule.canceled subscription_schedule.completed subscription_schedule.created
  subscription_schedule.expiring subscription_schedule.released subscription_schedule.updated`.split(/\s+/)
fed.config.stripeWebhookSecret = await receiveWebhooks(types, version, (body, headers) => fed.processWebhook(body, headers['stripe-signature']))

await fillAccount()
await advance('1 month')
await advance('2 hours')
const expected = await listAccount()

// A backfill has everything.
const filled = await startEngine('filled', {})
const synced = await filled.syncBackfill({ object: 'all' })
assert.equal(synced.customers.synced, 104)
await filled.syncFeatures()
for (const customer of expected.customers) await filled.syncEntitlements(customer)
for (const [table, rows] of Object.entries(expected)) assert.deepEqual(await ids(filled, table), rows, `${table} after the backfill`)

// So have the webhooks.
const told = { customers: 'deleted is not true', subscription_items: 'not deleted', payment_methods: 'customer is not null' }
for (const [table, rows] of Object.entries(await listTold(version))) {
  assert.deepEqual(await ids(fed, table, told[table]), rows, `${table} after the webhooks`)
}

// A refund brings what it is about: its payment, its charge, the customer and the invoice.
const related = await startEngine('related', { backfillRelatedEntities: true })
await related.syncBackfill({ object: 'refund' })
await related.syncBackfill({ object: 'checkout_sessions' })
for (const table of ['payment_intents', 'charges', 'customers', 'invoices']) assert.ok((await ids(related, table)).length > 0, table)

// One object of each kind.
for (const [table, rows] of Object.entries(expected)) {
  if (!['subscription_items', 'plans', 'subscription_schedules', 'checkout_session_line_items', 'active_entitlements'].includes(table)) {
    await related.syncSingleEntity(rows[0])
    assert.ok((await ids(related, table)).includes(rows[0]), `${rows[0]} alone`)
  }
}
for (const engine of [fed, filled, related]) await engine.close()
