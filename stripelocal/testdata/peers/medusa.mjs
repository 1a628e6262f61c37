// Pays, captures, refunds and cancels with Medusa's payment provider for Stripe, as Medusa's payment
// module calls it (https://docs.medusajs.com/resources/references/payment/provider).
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { key, receiveWebhooks, stripe, webhooksTaken } from './script.mjs'

const require = createRequire(import.meta.url)
const { default: Provider } = require('@medusajs/payment-stripe/dist/services/stripe-provider.js')

const options = { apiKey: key, webhookSecret: '' }
Provider.validateOptions(options)
const provider = new Provider({}, options)

// actions are what Medusa does after each webhook, by session.
const actions = []
const types = ['created', 'canceled', 'payment_failed', 'requires_action', 'amount_capturable_updated', 'succeeded']
options.webhookSecret = await receiveWebhooks(types.map((t) => `payment_intent.${t}`), undefined, async (rawData, headers) => {
  actions.push(await provider.getWebhookActionAndData({ data: JSON.parse(rawData), rawData, headers }))
})

async function actionsOf(session) {
  await webhooksTaken()
  return actions.filter((a) => a.data?.session_id === session).map((a) => a.action)
}

// The customer of Medusa has an account holder at Stripe.
const customer = {
  email: 'ada@example.com', first_name: 'Ada', last_name: 'Lovelace', phone: '+49 30 1234567',
  billing_address: { address_1: 'Am Markt 1', city: 'Berlin', country_code: 'de', postal_code: '10117' },
}
const holder = await provider.createAccountHolder({ context: { customer, idempotency_key: 'acchld_1' } })
assert.equal((await stripe.customers.retrieve(holder.id)).address.city, 'Berlin')
const context = { account_holder: { data: { id: holder.id } }, customer }
await provider.updateAccountHolder({ context: { ...context, customer: { ...customer, company_name: 'Analytical Engines' } } })
assert.equal((await stripe.customers.retrieve(holder.id)).name, 'Analytical Engines')

// initiate begins a payment session, which the storefront confirms with a card.
let sessions = 0
async function initiate(amount, data = {}, currency_code = 'eur') {
  const session_id = `payses_${++sessions}`
  const input = { amount, currency_code, data: { session_id, ...data }, context: { ...context, idempotency_key: session_id } }
  return { session_id, ...(await provider.initiatePayment(input)) }
}
const confirm = (payment, payment_method) => stripe.paymentIntents.confirm(payment.id, { payment_method, return_url: 'https://shop.example/' })

// Authorized, captured, refunded in part and in whole.
const order = await initiate(20.5)
assert.equal(order.status, 'pending')
assert.equal(order.data.amount, 2050)
assert.equal(order.data.capture_method, 'manual')
const raised = await provider.updatePayment({ data: order.data, currency_code: 'eur', amount: 31, context: { idempotency_key: 'up_1' } })
assert.equal(raised.data.amount, 3100)
await confirm(order, 'pm_card_visa')
const authorized = await provider.authorizePayment({ data: order.data, context: {} })
assert.equal(authorized.status, 'authorized')
assert.equal(authorized.data.payment_method.card.last4, '4242')
const captured = await provider.capturePayment({ data: authorized.data, context: { idempotency_key: 'capt_1' } })
assert.equal(captured.data.amount_received, 3100)
assert.equal((await provider.capturePayment({ data: authorized.data, context: { idempotency_key: 'capt_2' } })).data.status, 'succeeded')
assert.equal((await provider.retrievePayment({ data: order.data })).data.amount, 31)
assert.equal((await provider.getPaymentStatus({ data: order.data })).status, 'captured')
await provider.refundPayment({ amount: 11, data: captured.data, context: { idempotency_key: 'ref_1' } })
await provider.refundPayment({ amount: 20, data: captured.data, context: { idempotency_key: 'ref_2' } })
await provider.refundPayment({ amount: 20, data: captured.data, context: { idempotency_key: 'ref_3' } })
assert.deepEqual(await actionsOf(order.session_id), ['pending', 'authorized', 'captured'])

// Canceled, and canceled again.
const abandoned = await initiate(7)
assert.equal((await provider.cancelPayment({ data: abandoned.data, context: { idempotency_key: 'can_1' } })).data.status, 'canceled')
assert.equal((await provider.deletePayment({ data: abandoned.data, context: { idempotency_key: 'can_2' } })).data.status, 'canceled')
assert.equal((await provider.getPaymentStatus({ data: abandoned.data })).status, 'canceled')
assert.deepEqual(await actionsOf(abandoned.session_id), ['pending', 'canceled'])

// Authorized, and canceled instead of captured.
const returned = await initiate(8)
await confirm(returned, 'pm_card_visa')
assert.equal((await provider.cancelPayment({ data: returned.data })).data.status, 'canceled')
assert.deepEqual(await actionsOf(returned.session_id), ['pending', 'authorized', 'canceled'])

// Captured at once by a shop that says so, with whatever methods the account has.
const direct = new Provider({}, { ...options, capture: true, automaticPaymentMethods: true, paymentDescription: 'Order' })
const bought = await direct.initiatePayment({ amount: 12, currency_code: 'usd', data: { session_id: 'payses_direct' }, context: {} })
assert.deepEqual(bought.data.automatic_payment_methods, { allow_redirects: 'always', enabled: true })
await confirm(bought, 'pm_card_visa')
assert.equal((await direct.authorizePayment({ data: bought.data })).status, 'captured')
assert.deepEqual(await actionsOf('payses_direct'), ['pending', 'captured'])

// Captured at once by a session that says so, with a card that is saved, in a currency without
// decimals.
const saved = await initiate(500, { payment_method: 'pm_card_visa', confirm: true, capture_method: 'automatic', setup_future_usage: 'off_session', return_url: 'https://shop.example/' }, 'jpy')
assert.equal(saved.status, 'captured')
assert.equal(saved.data.amount_received, 500)
assert.deepEqual(await actionsOf(saved.session_id), ['pending', 'captured'])

// Authentication that the buyer fails.
const strict = await initiate(9)
await confirm(strict, 'pm_card_authenticationRequired')
assert.equal((await provider.authorizePayment({ data: strict.data })).status, 'requires_more')
assert.deepEqual(await actionsOf(strict.session_id), ['pending', 'requires_more'])

// Declined while it is created: Stripe keeps the payment in its error.
const declined = await initiate(11, { payment_method: 'pm_card_chargeDeclined', confirm: true, return_url: 'https://shop.example/' })
assert.equal(declined.status, 'error')
assert.equal(declined.data.last_payment_error.code, 'card_declined')
assert.deepEqual(await actionsOf(declined.session_id), ['pending', 'failed'])

// Saved payment methods.
const setup = await provider.savePaymentMethod({ context: { ...context, idempotency_key: 'save_1' }, data: { payment_method: 'pm_card_mastercard', confirm: true, return_url: 'https://shop.example/' } })
assert.equal(setup.data.status, 'succeeded')
const methods = await provider.listPaymentMethods({ context })
assert.deepEqual(methods.map((m) => m.data.card.brand).sort(), ['mastercard', 'visa'])
await provider.deletePaymentMethod({ context: { idempotency_key: 'del_1' }, data: { id: methods[0].id } })
assert.equal((await provider.listPaymentMethods({ context })).length, 1)

// A payment of another program in the same account is not Medusa's.
await stripe.paymentIntents.create({ amount: 100, currency: 'eur' })
await webhooksTaken()
assert.ok(actions.some((a) => a.action === 'not_supported'))

await provider.deleteAccountHolder({ context })
assert.equal((await stripe.customers.retrieve(holder.id)).deleted, true)
