// Copies an account into PostgreSQL with Stripe's own sync engine, from its managed webhook and by a
// full sync, and compares the tables with what the API lists (https://github.com/stripe/sync-engine).
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { all, fillAccount, listAccount, listTold } from './account.mjs'
import { createDatabase, ids } from './postgres.mjs'
import { key, nextSecond, receiver, stripe } from './script.mjs'

const { StripeSync, runMigrations } = createRequire(import.meta.url)('@stripe/sync-engine')
const version = '2025-02-24.acacia' // that of its stripe-node
const logger = { info() {}, warn() {}, error: console.error }

async function startEngine(name, options) {
  const databaseUrl = await createDatabase(name)
  await runMigrations({ databaseUrl, openApiSpecPath: 'spec3.json', logger })
  return StripeSync.create({ stripeSecretKey: key, poolConfig: { connectionString: databaseUrl }, autoExpandLists: true, logger, ...options })
}

// One engine is fed by the webhook that it manages, and fetches each object.
const fed = await startEngine('fed', {
  revalidateObjectsViaStripeApi: [
    'charge', 'checkout_sessions', 'coupon', 'credit_note', 'customer', 'dispute', 'early_fraud_warning', 'invoice', 'payment_intent',
    'payment_method', 'plan', 'price', 'product', 'refund', 'setup_intent', 'subscription', 'subscription_schedules', 'tax_id',
  ],
})
assert.match((await fed.getCurrentAccount()).id, /^acct_/)
const url = await receiver((body, headers) => fed.webhook.processWebhook(body, headers['stripe-signature']))
const elsewhere = await fed.webhook.findOrCreateManagedWebhook('https://elsewhere.example/')
const managed = await fed.webhook.findOrCreateManagedWebhook(url, { api_version: version })
assert.equal((await fed.webhook.findOrCreateManagedWebhook(url)).id, managed.id)
assert.deepEqual((await fed.webhook.listManagedWebhooks()).map((webhook) => webhook.id), [managed.id], `${elsewhere.id} is replaced`)

// It skips entitlement summaries, which have no id, and takes sessions when they end.
await fillAccount()
await nextSecond()
const told = { customers: 'deleted is not true', subscription_items: 'deleted is not true', payment_methods: `_raw_data->>'customer' is not null` }
for (const [table, rows] of Object.entries(await listTold(version))) {
  if (['active_entitlements', 'checkout_sessions', 'checkout_session_line_items'].includes(table)) continue
  assert.deepEqual(await ids(fed, table, told[table]), rows, `${table} after the webhooks`)
}

// A full sync has what the API lists for the whole account, without canceled subscriptions.
const filled = await startEngine('filled', { backfillRelatedEntities: true })
const synced = await filled.fullSync(undefined, true, 4, 1000, false)
assert.deepEqual(synced.errors, [])
const listed = { ...(await listAccount()), subscriptions: await all(stripe.subscriptions.list()) }
for (const [table, rows] of Object.entries(listed)) {
  if (['active_entitlements', 'checkout_session_line_items', 'features', 'payment_methods', 'subscription_items'].includes(table)) continue
  assert.deepEqual(await ids(filled, table), rows, `${table} after the full sync`)
}

await fed.webhook.deleteManagedWebhook(managed.id)
for (const engine of [fed, filled]) await engine.close()
