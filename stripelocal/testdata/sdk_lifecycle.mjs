// Runs the life of a subscription with one release of stripe-node, and prints the webhooks that it
// received and verified. Usage: node sdk_lifecycle.mjs PACKAGE BASE_URL
import assert from 'node:assert/strict'
import http from 'node:http'
import { callObjects } from './sdk_objects.mjs'

const [, , module, base] = process.argv
const { default: Stripe } = await import(module)
const url = new URL(base)
const stripe = new Stripe('sk_test_123456789012', {
  host: url.hostname, port: url.port, protocol: 'http', telemetry: false, maxNetworkRetries: 0,
})
const version = stripe.getApiField?.('version') ?? stripe._api?.version ?? Stripe.API_VERSION
const since = (name) => version >= name
const [basil, clover, dahlia, endive] = ['2025-03-31', '2025-09-30', '2026-03-25', '2026-09-30'].map(since)

// webhooks receives events in the version of the SDK, and verifies each.
const webhooks = []
const endpoint = { secret: '' }
const receiver = http.createServer(async (req, res) => {
  let body = ''
  for await (const part of req) body += part
  try {
    webhooks.push(stripe.webhooks.constructEvent(body, req.headers['stripe-signature'], endpoint.secret))
    res.end()
  } catch (err) {
    console.error(`webhook: ${err}`)
    res.writeHead(400).end()
  }
})
await new Promise((resolve) => receiver.listen(0, '127.0.0.1', resolve))
const created = await stripe.webhookEndpoints.create({
  url: `http://127.0.0.1:${receiver.address().port}/`, enabled_events: ['*'], api_version: version,
})
assert.equal(created.api_version, version)
endpoint.secret = created.secret

async function received(type) {
  for (let tries = 0; tries < 1500; tries++) {
    const found = webhooks.find((e) => e.type === type)
    if (found) return found
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`${type} was not received`)
}

async function advance(by) {
  const res = await fetch(`${base}/_usher/clock`, { method: 'POST', body: new URLSearchParams({ by }) })
  assert.equal(res.status, 200, await res.text())
}

// The catalog.
const product = await stripe.products.create({ name: 'Pro' })
const price = await stripe.prices.create({ product: product.id, currency: 'usd', unit_amount: 1000, recurring: { interval: 'month' }, lookup_key: 'pro' })
const once = await stripe.prices.create({ product: product.id, currency: 'usd', unit_amount: 500 })
await stripe.prices.list({ lookup_keys: ['pro'], expand: ['data.product', 'data.currency_options'] })
const rate = await stripe.taxRates.create({ display_name: 'VAT', percentage: 20, inclusive: false })
const coupon = await stripe.coupons.create({ percent_off: 10, duration: 'forever' })
const code = await stripe.promotionCodes.create(clover
  ? { promotion: { type: 'coupon', coupon: coupon.id }, code: 'TEN' } : { coupon: coupon.id, code: 'TEN' })
const shownCode = await stripe.promotionCodes.retrieve(code.id, { expand: clover ? ['promotion.coupon'] : [] })
assert.equal((clover ? shownCode.promotion.coupon : shownCode.coupon).percent_off, 10)

// The customer and the subscription, whose first invoice waits for a payment.
const customer = await stripe.customers.create({ email: 'ada@example.com', name: 'Ada', address: { country: 'US', postal_code: '94107' }, metadata: { team: 'a' } })
await stripe.customers.update(customer.id, { metadata: { team: 'b' } })
const secretPath = basil ? 'latest_invoice.confirmation_secret' : 'latest_invoice.payment_intent'
const waiting = await stripe.subscriptions.create({
  customer: customer.id, items: [{ price: price.id, quantity: 2 }], payment_behavior: 'default_incomplete',
  discounts: [{ promotion_code: code.id }], default_tax_rates: [rate.id], expand: [secretPath, 'discounts'], metadata: { org: 'org_1' },
})
assert.equal(waiting.status, 'incomplete')
const first = waiting.latest_invoice
const secret = basil ? first.confirmation_secret.client_secret : first.payment_intent.client_secret
const intent = await stripe.paymentIntents.confirm(secret.split('_secret_')[0], { payment_method: 'pm_card_visa', return_url: 'http://localhost/' })
assert.equal(intent.status, 'succeeded')
assert.equal('invoice' in intent, !basil)
await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: intent.payment_method } })

const sub = await stripe.subscriptions.retrieve(waiting.id, { expand: ['customer', 'default_payment_method', 'latest_invoice', 'schedule'] })
assert.equal(sub.status, 'active')
assert.equal('current_period_end' in sub, !basil)
assert.equal('current_period_end' in sub.items.data[0], basil)
if (since('2025-06-30')) assert.equal(sub.billing_mode.type, 'classic')
const listed = await stripe.subscriptions.list({ customer: customer.id, expand: [`data.${secretPath}`] })
assert.equal(listed.data[0].id, sub.id)

// The invoice: its parent, its payments, its lines.
const paid = await stripe.invoices.retrieve(first.id, {
  expand: basil ? ['payments.data.payment.payment_intent', 'parent.subscription_details.subscription', 'discounts'] : ['payment_intent', 'charge', 'subscription'],
})
if (basil) {
  assert.equal(paid.parent.subscription_details.subscription.id, sub.id)
  assert.equal(paid.payments.data[0].payment.payment_intent.id, intent.id)
  assert.equal(paid.lines.data[0].pricing.price_details.price, price.id)
  assert.equal(paid.lines.data[0].parent.subscription_item_details.subscription_item, sub.items.data[0].id)
  assert.equal(paid.total_taxes[0].tax_rate_details.tax_rate, rate.id)
  const payments = await stripe.invoicePayments.list({ payment: { type: 'payment_intent', payment_intent: intent.id }, expand: ['data.invoice'] })
  assert.equal(payments.data[0].invoice.id, first.id)
  await stripe.invoicePayments.retrieve(payments.data[0].id)
} else {
  assert.equal(paid.subscription.id, sub.id)
  assert.equal(paid.payment_intent.id, intent.id)
  assert.equal(paid.lines.data[0].price.id, price.id)
}
await stripe.charges.retrieve(intent.latest_charge, { expand: ['refunds', 'balance_transaction'] })

// A preview, a change of seats, an invoice item and a renewal.
const item = sub.items.data[0].id
if (basil) {
  await assert.rejects(stripe.rawRequest('GET', `/v1/invoices/upcoming?subscription=${sub.id}`), { statusCode: 404 })
  await assert.rejects(stripe.subscriptions.update(sub.id, { coupon: coupon.id }), { code: 'parameter_unknown', param: 'coupon' })
} else {
  await stripe.invoices.retrieveUpcoming({ subscription: sub.id })
}
const preview = await stripe.invoices.createPreview({ subscription: sub.id, subscription_details: { items: [{ id: item, quantity: 4 }], proration_behavior: 'always_invoice' } })
assert.equal(preview.lines.data.length, 2)
assert.equal('id' in preview, basil)
await stripe.subscriptions.update(sub.id, {
  items: [{ id: item, quantity: 3 }], metadata: { org: 'org_2' }, billing_cycle_anchor: endive ? { type: 'unchanged' } : 'unchanged',
})
await stripe.subscriptionItems.list({ subscription: sub.id })
await stripe.subscriptionItems.retrieve(item)
const items = await stripe.invoiceItems.list({ customer: customer.id, pending: true })
assert.equal(items.data.length, 2)
const extra = await stripe.invoiceItems.create(basil
  ? { customer: customer.id, subscription: sub.id, pricing: { price: once.id } } : { customer: customer.id, subscription: sub.id, price: once.id })
assert.equal(extra.amount, 500)
await stripe.invoiceItems.create({ customer: customer.id, subscription: sub.id, amount: 100, currency: 'usd', description: 'Setup' })
await advance('1 month')
await advance('2 hours')
const renewals = await stripe.invoices.list({ subscription: sub.id, status: 'paid', expand: basil ? ['data.payments'] : [] })
assert.equal(renewals.data.length, 2)
const priced = since('2025-12-15')
const lines = await stripe.invoices.listLineItems(renewals.data[0].id, { limit: 10, expand: priced ? ['data.pricing.price_details.price'] : [] })
if (priced) assert.equal(lines.data.find((line) => line.pricing.price_details.price.id === once.id).amount, 500)

// A credit note with a refund, and a refund.
const note = await stripe.creditNotes.create({ invoice: renewals.data[0].id, amount: 100, refund_amount: 100, reason: 'duplicate' })
const refund = basil ? note.refunds[0].refund : note.refund
await stripe.refunds.retrieve(refund, { expand: ['charge', 'payment_intent'] })
await stripe.refunds.create({ payment_intent: intent.id, amount: 200 })
await stripe.creditNotes.list({ invoice: renewals.data[0].id })

// A schedule, Checkout and the portal.
const schedule = await stripe.subscriptionSchedules.create({ from_subscription: sub.id })
await stripe.subscriptionSchedules.retrieve(schedule.id, { expand: ['subscription'] })
await stripe.subscriptionSchedules.release(schedule.id)
const session = await stripe.checkout.sessions.create({
  mode: 'subscription', customer: customer.id, line_items: [{ price: price.id, quantity: 1 }], ui_mode: dahlia ? 'hosted_page' : 'hosted',
  success_url: 'http://localhost/ok', cancel_url: 'http://localhost/no', discounts: [{ coupon: coupon.id }], expand: ['line_items'],
})
assert.equal(session.ui_mode, dahlia ? 'hosted_page' : 'hosted')
await stripe.checkout.sessions.expire(session.id)
const monthly = await stripe.prices.create({ product: product.id, currency: 'usd', unit_amount: 1500, recurring: { interval: 'month' }, tax_behavior: 'exclusive' })
const configuration = await stripe.billingPortal.configurations.create({
  business_profile: { headline: 'Usher' },
  features: {
    invoice_history: { enabled: true }, payment_method_update: { enabled: true }, subscription_cancel: { enabled: true },
    subscription_update: { enabled: true, default_allowed_updates: ['price'], products: [{ product: product.id, prices: [monthly.id] }] },
  },
})
await stripe.billingPortal.sessions.create({ customer: customer.id, configuration: configuration.id, return_url: 'http://localhost/' })
const setup = await stripe.setupIntents.create({ customer: customer.id, payment_method: 'pm_card_visa', confirm: true, return_url: 'http://localhost/' })
assert.equal(setup.status, 'succeeded')
await stripe.paymentMethods.list({ customer: customer.id })
await stripe.testHelpers.testClocks.create({ frozen_time: Math.floor(Date.now() / 1000) })

// A declined card keeps its intent in the error.
const declined = await stripe.paymentIntents.create({ amount: 700, currency: 'usd', payment_method: 'pm_card_chargeDeclined', confirm: true, return_url: 'http://localhost/' })
  .then(() => null, (err) => err)
assert.equal(declined.code, 'card_declined')
assert.equal('invoice' in declined.payment_intent, !basil)

// A change that waits for its payment, a pause and a trial.
const failing = await stripe.paymentMethods.attach('pm_card_chargeCustomerFail', { customer: customer.id })
await stripe.subscriptions.update(sub.id, { default_payment_method: failing.id })
const pending = await stripe.subscriptions.update(sub.id, {
  items: [{ id: item, quantity: 9 }], proration_behavior: 'always_invoice', payment_behavior: 'pending_if_incomplete',
})
assert.equal(pending.pending_update.subscription_items[0].quantity, 9)
await stripe.subscriptions.update(sub.id, { pause_collection: { behavior: 'void' } })
const trial = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }], trial_period_days: 3, cancel_at_period_end: true, payment_settings: { save_default_payment_method: 'on_subscription' } })
assert.equal(trial.status, 'trialing')
const sent = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }], collection_method: 'send_invoice', days_until_due: 7, automatic_tax: { enabled: true }, expand: ['latest_invoice'] })
await stripe.invoices.finalizeInvoice(sent.latest_invoice.id)
await stripe.invoices.pay(sent.latest_invoice.id, { paid_out_of_band: true })
const draft = await stripe.invoices.create({ customer: customer.id, auto_advance: false })
await stripe.invoices.update(draft.id, { description: 'Draft' })
await stripe.invoices.del(draft.id)

// The rest.
const authenticated = await stripe.paymentIntents.create({ amount: 800, currency: 'usd', payment_method: 'pm_card_authenticationRequired', confirm: true, return_url: 'http://localhost/' })
assert.equal(authenticated.status, 'requires_action')
await stripe.paymentIntents.cancel(authenticated.id)
const disputed = await stripe.paymentIntents.create({ amount: 900, currency: 'usd', payment_method: 'pm_card_createDispute', confirm: true, return_url: 'http://localhost/' })
const disputes = await stripe.disputes.list({ payment_intent: disputed.id, expand: ['data.charge'] })
await stripe.disputes.update(disputes.data[0].id, { evidence: { uncategorized_text: 'delivered' }, submit: true })
await stripe.charges.create({ amount: 700, currency: 'usd', source: 'tok_visa' })
await stripe.customers.createTaxId(customer.id, { type: 'eu_vat', value: 'DE123456789' })
await stripe.customers.createBalanceTransaction(customer.id, { amount: -100, currency: 'usd' })
await stripe.customers.retrieve(customer.id, { expand: ['subscriptions', 'sources', 'tax', 'tax_ids', 'invoice_credit_balance'] })
await stripe.customers.search({ query: "email:'ada@example.com'" })
await stripe.plans.retrieve(price.id)
await stripe.coupons.retrieve(coupon.id, { expand: ['currency_options'] })
await stripe.balanceTransactions.list({ limit: 20, expand: ['data.source'] })
await stripe.webhookEndpoints.list()
const bought = await stripe.checkout.sessions.create({ mode: 'payment', line_items: [{ price: once.id, quantity: 1 }], success_url: 'http://localhost/ok', customer_email: 'ada@example.com' })
await stripe.checkout.sessions.listLineItems(bought.id)
await stripe.billingPortal.sessions.create({
  customer: customer.id, configuration: configuration.id, return_url: 'http://localhost/', flow_data: { type: 'subscription_cancel', subscription_cancel: { subscription: sent.id } },
})

// Quotes, payment links, meters, taxes, payouts and the rest.
await callObjects({ stripe, since, advance, host: url.hostname })

// The end.
await stripe.subscriptions.update(sub.id, { cancel_at_period_end: true })
await stripe.subscriptions.update(sub.id, { cancel_at_period_end: false, discounts: '' })
await stripe.subscriptions.cancel(sub.id)
const ended = await received('customer.subscription.deleted')
assert.equal(ended.api_version, version)
assert.equal('current_period_end' in ended.data.object, !basil)
await stripe.events.list({ limit: 100 })
await stripe.customers.del(customer.id)
await received('customer.deleted')

console.log(JSON.stringify({ version, webhooks }))
receiver.close()
receiver.closeAllConnections()
