// An account with objects of every kind, for projects that copy accounts.
import assert from 'node:assert/strict'
import { nextSecond, pay, stripe, webhooksTaken } from './script.mjs'

// fillAccount creates a catalog, customers on more than one page, subscriptions, payments and the
// rest. What it deletes, it deletes after the webhooks are taken.
export async function fillAccount() {
  const catalog = await fillCatalog()
  const customers = await fillCustomers()
  await fillSubscriptions(catalog, customers)
  await fillInvoices(customers)
  await fillPayments(customers)
  await fillCheckout(catalog, customers)
}

async function fillCatalog() {
  const product = await stripe.products.create({ name: 'Pro', images: ['https://example.com/pro.png'], marketing_features: [{ name: 'Calls' }] })
  const feature = await stripe.entitlements.features.create({ name: 'Calls', lookup_key: 'calls' })
  await stripe.products.createFeature(product.id, { entitlement_feature: feature.id })
  const recurring = { interval: 'month' }
  const price = await stripe.prices.create({ product: product.id, currency: 'usd', unit_amount: 2000, recurring, nickname: 'Pro, monthly' })
  const once = await stripe.prices.create({ product: product.id, currency: 'usd', unit_amount: 500 })
  const tiers = [{ up_to: 5, unit_amount: 100 }, { up_to: 'inf', unit_amount: 50 }]
  await stripe.prices.create({ product: product.id, currency: 'usd', recurring, billing_scheme: 'tiered', tiers_mode: 'graduated', tiers })
  const withdrawn = await stripe.products.create({ name: 'Withdrawn' })
  await webhooksTaken()
  await stripe.products.del(withdrawn.id)
  const items = []
  for (let i = 0; i < 12; i++) {
    const one = await stripe.prices.create({ currency: 'usd', unit_amount: 10 + i, recurring, product_data: { name: `Part ${i}` } })
    items.push({ price: one.id })
  }
  return { price, once, items }
}

async function fillCustomers() {
  const customers = []
  for (let i = 0; i < 105; i++) customers.push(await stripe.customers.create({ email: `customer${i}@example.com`, metadata: { number: String(i) } }))
  const [ada, grace, alan, gone] = customers
  await nextSecond() // the engines ignore an event that is older than their last call about its object
  await stripe.customers.del(gone.id)
  for (const customer of [ada, grace, alan]) {
    const card = await stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id })
    await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: card.id } })
  }
  await stripe.paymentMethods.detach((await stripe.paymentMethods.attach('pm_card_mastercard', { customer: alan.id })).id)
  await stripe.customers.createTaxId(ada.id, { type: 'eu_vat', value: 'DE123456789' })
  await stripe.taxIds.create({ type: 'us_ein', value: '12-3456789' })
  const wrong = await stripe.customers.createTaxId(grace.id, { type: 'eu_vat', value: 'FR12345678901' })
  await webhooksTaken()
  await stripe.customers.deleteTaxId(grace.id, wrong.id)
  return customers
}

async function fillSubscriptions({ price, items }, [ada, grace, alan]) {
  const sub = await stripe.subscriptions.create({ customer: ada.id, items: [{ price: price.id, quantity: 2 }], metadata: { team: 'engines' } })
  await stripe.subscriptions.create({ customer: grace.id, items })
  await stripe.subscriptions.create({ customer: alan.id, items: [{ price: price.id }], trial_period_days: 14 })
  const ended = await stripe.subscriptions.create({ customer: alan.id, items: [{ price: price.id }] })
  await stripe.subscriptions.cancel(ended.id)
  await stripe.subscriptions.update(sub.id, { items: [{ id: sub.items.data[0].id, quantity: 3 }] })
  const schedule = await stripe.subscriptionSchedules.create({ from_subscription: sub.id })
  await stripe.subscriptionSchedules.update(schedule.id, { metadata: { planned: 'yes' } })
}

async function fillInvoices([ada, grace]) {
  for (let i = 0; i < 12; i++) await stripe.invoiceItems.create({ customer: ada.id, currency: 'usd', amount: 100 + i, description: `Extra ${i}` })
  const invoice = await stripe.invoices.create({ customer: ada.id, pending_invoice_items_behavior: 'include' })
  await stripe.invoices.pay(invoice.id)
  await stripe.creditNotes.create({ invoice: invoice.id, amount: 300, refund_amount: 300, reason: 'duplicate' })
  await stripe.creditNotes.create({ invoice: invoice.id, amount: 100, credit_amount: 100 })
  const lost = await stripe.invoices.create({ customer: grace.id })
  await stripe.invoiceItems.create({ customer: grace.id, invoice: lost.id, currency: 'usd', amount: 100 })
  await stripe.invoices.voidInvoice((await stripe.invoices.finalizeInvoice(lost.id)).id)
}

async function fillPayments([ada]) {
  const confirmed = { currency: 'usd', confirm: true, return_url: 'https://shop.example/' }
  const paid = await stripe.paymentIntents.create({ ...confirmed, amount: 4000, customer: ada.id, payment_method: 'pm_card_visa' })
  await stripe.refunds.create({ payment_intent: paid.id, amount: 1000, reason: 'requested_by_customer' })
  await stripe.paymentIntents.create({ ...confirmed, amount: 900, payment_method: 'pm_card_createDispute' })
  await stripe.paymentIntents.create({ ...confirmed, amount: 800, payment_method: 'pm_card_createIssuerFraudRecord' })
  await stripe.paymentIntents.create({ ...confirmed, amount: 700, payment_method: 'pm_card_chargeDeclined' }).catch((err) => assert.equal(err.code, 'card_declined'))
  await stripe.paymentIntents.create({ ...confirmed, amount: 600, payment_method: 'pm_card_authenticationRequired' })
  await stripe.paymentIntents.cancel((await stripe.paymentIntents.create({ currency: 'usd', amount: 500 })).id)
  await stripe.setupIntents.create({ customer: ada.id, payment_method: 'pm_card_visa', confirm: true, return_url: 'https://shop.example/' })
  await stripe.setupIntents.cancel((await stripe.setupIntents.create({ customer: ada.id })).id)
}

async function fillCheckout({ price, once }, customers) {
  const session = { line_items: [{ price: once.id, quantity: 2 }], success_url: 'https://shop.example/' }
  await pay((await stripe.checkout.sessions.create({ ...session, mode: 'payment', customer: customers[0].id })).url)
  await pay((await stripe.checkout.sessions.create({ ...session, line_items: [{ price: price.id, quantity: 1 }], mode: 'subscription', customer: customers[4].id })).url)
  await stripe.checkout.sessions.expire((await stripe.checkout.sessions.create({ ...session, mode: 'payment' })).id)
  await stripe.checkout.sessions.create({ ...session, mode: 'payment' })
}

// all returns the ids that the API lists.
export async function all(list) {
  const out = []
  for await (const one of list) out.push(one.id)
  return out.sort()
}

async function each(objects, list) {
  const out = []
  for (const one of objects) out.push(...await all(list(one)))
  return out.sort()
}

const limit = 100

// listAccount returns the ids that the API lists, by the names that the tables of the projects have.
export async function listAccount() {
  const known = await all(stripe.customers.list({ limit }))
  const subscriptions = await all(stripe.subscriptions.list({ status: 'all', limit }))
  const sessions = await all(stripe.checkout.sessions.list({ limit }))
  const tables = {
    products: await all(stripe.products.list({ limit })),
    prices: await all(stripe.prices.list({ limit })),
    plans: await all(stripe.plans.list({ limit })),
    customers: known,
    subscriptions,
    subscription_items: await each(subscriptions, (subscription) => stripe.subscriptionItems.list({ subscription, limit })),
    subscription_schedules: await all(stripe.subscriptionSchedules.list({ limit })),
    invoices: await all(stripe.invoices.list({ limit })),
    charges: await all(stripe.charges.list({ limit })),
    setup_intents: await all(stripe.setupIntents.list({ limit })),
    payment_methods: await each(known, (customer) => stripe.paymentMethods.list({ customer, limit })),
    payment_intents: await all(stripe.paymentIntents.list({ limit })),
    tax_ids: await all(stripe.taxIds.list({ limit })), // the account's own, unless it names an owner
    credit_notes: await all(stripe.creditNotes.list({ limit })),
    disputes: await all(stripe.disputes.list({ limit })),
    early_fraud_warnings: await all(stripe.radar.earlyFraudWarnings.list({ limit })),
    refunds: await all(stripe.refunds.list({ limit })),
    checkout_sessions: sessions,
    checkout_session_line_items: await each(sessions, (id) => stripe.checkout.sessions.listLineItems(id, { limit })),
    features: await all(stripe.entitlements.features.list({ limit })),
    active_entitlements: await each(known, (customer) => stripe.entitlements.activeEntitlements.list({ customer, limit })),
  }
  for (const [table, rows] of Object.entries(tables)) assert.ok(rows.length > 0, `there are no ${table}`)
  return tables
}

// listTold returns those of listAccount that an engine knows which was only sent webhooks, of an API
// version. It has not heard of features, of the inactive prices of invoice items, and of refunds
// before 2024-10-28. The tax IDs are those of customers.
export async function listTold(version) {
  const { features, refunds, ...tables } = await listAccount()
  return {
    ...tables,
    ...(version >= '2024-10-28' ? { refunds } : {}),
    products: await all(stripe.products.list({ active: true, limit })),
    prices: await all(stripe.prices.list({ active: true, limit })),
    tax_ids: await each(tables.customers, (customer) => stripe.customers.listTaxIds(customer, { limit })),
  }
}
