// Takes webhooks with Supabase's sync engine, for the benchmark that compares it with Usher. It prints
// its address when it listens. Environment: POSTGRES, WEBHOOK_SECRET, CONNECTIONS (of its pool).
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { buffer } from 'node:stream/consumers'
import { createDatabase } from './postgres.mjs'

const { StripeSync, runMigrations } = createRequire(import.meta.url)('@supabase/stripe-sync-engine')
const databaseUrl = await createDatabase('sync_engine')
await runMigrations({ databaseUrl, schema: 'stripe', logger: { info() {}, error: (err) => { throw err } } })
const engine = new StripeSync({
  schema: 'stripe', stripeSecretKey: 'sk_test_0123456789', stripeWebhookSecret: process.env.WEBHOOK_SECRET,
  backfillRelatedEntities: false, // it makes no call to Stripe
  poolConfig: { connectionString: databaseUrl, max: Number(process.env.CONNECTIONS) },
})
const server = createServer(async (request, response) => {
  try {
    await engine.processWebhook(await buffer(request), request.headers['stripe-signature'])
    response.end('{"received":true}')
  } catch (err) {
    response.statusCode = 500
    response.end(String(err))
  }
})
await once(server.listen(0, '127.0.0.1'), 'listening')
console.log(`http://127.0.0.1:${server.address().port}`)
