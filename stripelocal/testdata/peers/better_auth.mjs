// Sells plans to users and seats to organizations with Better Auth's Stripe plugin, over the routes
// that it has for clients (https://better-auth.com/docs/plugins/stripe).
import assert from 'node:assert/strict'
import { stripe as stripePlugin } from '@better-auth/stripe'
import { betterAuth } from 'better-auth'
import { memoryAdapter } from 'better-auth/adapters/memory'
import { toNodeHandler } from 'better-auth/node'
import { organization } from 'better-auth/plugins'
import Stripe from 'stripe'
import { advance, control, key, listen, pay, receiveWebhooks, stripe, submit, webhooksTaken } from './script.mjs'

// The catalog, and the portal's settings, which people save in the dashboard. The portal changes plans
// between prices of one tax_behavior only.
const products = {}
async function price(name, params) {
  products[name] ??= await stripe.products.create({ name })
  return stripe.prices.create({ product: products[name].id, currency: 'usd', tax_behavior: 'exclusive', recurring: { interval: 'month' }, ...params })
}
const starter = await price('Starter', { unit_amount: 900 })
const pro = await price('Pro', { unit_amount: 2900 })
const proYear = await price('Pro', { unit_amount: 29000, recurring: { interval: 'year' }, lookup_key: 'pro_year' })
const team = await price('Team', { unit_amount: 0 })
const seat = await price('Seat', { unit_amount: 1200 })
const business = await price('Business', { unit_amount: 9900 })
const businessSeat = await price('Business seat', { unit_amount: 1000 })
const support = await price('Support', { unit_amount: 5000 })
const meter = await stripe.billing.meters.create({ display_name: 'Calls', event_name: 'calls', default_aggregation: { formula: 'sum' } })
const usage = await price('Usage', { unit_amount: 1, recurring: { interval: 'month', usage_type: 'metered', meter: meter.id } })
const configuration = await stripe.billingPortal.configurations.create({
  features: {
    subscription_cancel: { enabled: true, mode: 'at_period_end' },
    subscription_update: {
      enabled: true, default_allowed_updates: ['price', 'quantity'], proration_behavior: 'always_invoice',
      products: [starter, pro].map((p) => ({ product: p.product, prices: [p.id] })),
    },
  },
})
await control('settings', { portal_configuration: configuration.id })

// The program.
const stripeClient = new Stripe(key)
const tables = { user: [], session: [], account: [], verification: [], subscription: [], organization: [], member: [], invitation: [] }
const told = []
const tell = (name) => async (data) => { told.push(`${name} ${(data.subscription ?? data).plan}`) }
let handler
const baseURL = await listen((req, res) => handler(req, res))
const options = {
  stripeClient,
  stripeWebhookSecret: '',
  createCustomerOnSignUp: true,
  organization: { enabled: true },
  subscription: {
    enabled: true,
    authorizeReference: async () => true,
    plans: [
      { name: 'starter', priceId: starter.id, freeTrial: { days: 7, onTrialStart: tell('trial start'), onTrialEnd: tell('trial end') } },
      { name: 'pro', priceId: pro.id, annualDiscountLookupKey: 'pro_year' },
      { name: 'team', priceId: team.id, seatPriceId: seat.id },
      { name: 'business', priceId: business.id, seatPriceId: businessSeat.id, lineItems: [{ price: support.id, quantity: 1 }] },
      { name: 'usage', priceId: usage.id },
    ],
    // Stripe collects tax IDs of existing customers together with their names.
    getCheckoutSessionParams: async () => ({
      params: { allow_promotion_codes: true, tax_id_collection: { enabled: true }, customer_update: { name: 'auto', address: 'auto' } },
    }),
    onSubscriptionComplete: tell('complete'), onSubscriptionCreated: tell('created'), onSubscriptionUpdate: tell('update'),
    onSubscriptionCancel: tell('cancel'), onSubscriptionDeleted: tell('deleted'),
  },
}
const auth = betterAuth({
  baseURL, secret: 'a secret that is used by this script alone', database: memoryAdapter(tables),
  logger: { level: 'warn' }, telemetry: { enabled: false }, rateLimit: { enabled: false },
  emailAndPassword: { enabled: true }, user: { changeEmail: { enabled: true, updateEmailWithoutVerification: true } },
  plugins: [organization(), stripePlugin(options)],
})
handler = toNodeHandler(auth)
options.stripeWebhookSecret = await receiveWebhooks(['*'], stripeClient.getApiField('version'), async (body, headers) => {
  const res = await auth.handler(new Request(`${baseURL}/api/auth/stripe/webhook`, { method: 'POST', body, headers: { 'stripe-signature': headers['stripe-signature'] } }))
  assert.equal(res.status, 200, await res.text())
})

// A browser keeps its cookies.
class Browser {
  cookies = new Map()

  async fetch(url, method = 'GET', body = undefined) {
    const headers = { origin: baseURL, cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ') }
    if (body) headers['content-type'] = 'application/json'
    const res = await fetch(url, { method, headers, body: body && JSON.stringify(body), redirect: 'manual' })
    for (const cookie of res.headers.getSetCookie()) {
      const [, name, value] = cookie.match(/^([^=]+)=([^;]*)/)
      this.cookies.set(name, value)
    }
    return res
  }

  // call returns the answer of a route, which has a status.
  async call(method, path, body, status = 200) {
    const res = await this.fetch(`${baseURL}/api/auth${path}`, method, body)
    const answer = await res.text()
    assert.equal(res.status, status, `${path}: ${answer}`)
    return JSON.parse(answer || 'null')
  }

  post(path, body, status) { return this.call('POST', path, body, status) }

  // upgrade asks for a plan and returns the page of Stripe.
  async upgrade(body) { return (await this.post('/subscription/upgrade', { successUrl: '/welcome', cancelUrl: '/plans', returnUrl: '/account', disableRedirect: true, ...body })).url }

  // checkout pays for a plan and follows to the program.
  async checkout(body, fields) {
    const back = await this.fetch(await pay(await this.upgrade(body), fields))
    assert.equal(back.headers.get('location'), `${baseURL}/welcome`)
  }

  async subscription(query = '') {
    await webhooksTaken()
    const list = await this.call('GET', `/subscription/list${query}`)
    assert.ok(list.length <= 1, JSON.stringify(list))
    return list[0]
  }
}
async function signUp(name) {
  const browser = new Browser()
  const { user } = await browser.post('/sign-up/email', { name, email: `${name.toLowerCase()}@example.com`, password: 'correct horse battery' })
  browser.user = tables.user.find((u) => u.id === user.id)
  return browser
}

// A user has a customer, whose e-mail address follows.
const ada = await signUp('Ada')
const customer = ada.user.stripeCustomerId
assert.equal((await stripe.customers.retrieve(customer)).metadata.userId, ada.user.id)
await ada.post('/update-user', { name: 'Ada Lovelace' })
await ada.post('/change-email', { newEmail: 'ada@analytical.example' })
assert.equal((await stripe.customers.retrieve(customer)).email, 'ada@analytical.example')

// A trial by Checkout, which becomes a paid subscription.
await ada.checkout({ plan: 'starter' })
let sub = await ada.subscription()
assert.equal(sub.status, 'trialing')
assert.ok(sub.trialEnd > sub.trialStart)
await advance('8 days')
assert.equal((await ada.subscription()).status, 'active')

// More seats of a dearer plan, confirmed in the portal.
await submit(await ada.upgrade({ plan: 'pro', seats: 3 }), 'confirm')
sub = await ada.subscription()
assert.deepEqual([sub.plan, sub.seats, sub.billingInterval], ['pro', 3, 'month'])
await ada.post('/subscription/upgrade', { plan: 'pro', seats: 3 }, 400)

// A cheaper plan from the next period on, and back.
await ada.upgrade({ plan: 'starter', scheduleAtPeriodEnd: true })
sub = await ada.subscription()
const schedule = await stripe.subscriptionSchedules.retrieve(sub.stripeScheduleId)
assert.deepEqual(schedule.phases.map((phase) => phase.items[0].price), [pro.id, starter.id])
await ada.post('/subscription/restore', {})
assert.equal((await ada.subscription()).stripeScheduleId, null)
await ada.upgrade({ plan: 'starter', scheduleAtPeriodEnd: true })
await ada.upgrade({ plan: 'pro', annual: true, scheduleAtPeriodEnd: true })
await advance('1 month')
sub = await ada.subscription()
assert.deepEqual([sub.plan, sub.billingInterval, sub.seats], ['pro', 'year', 1])

// Canceled in the portal, restored, canceled again until it ends. The schedule, which would keep the
// portal from it, is released first.
await ada.post('/subscription/restore', {})
const cancel = async () => (await ada.post('/subscription/cancel', { returnUrl: '/account', disableRedirect: true })).url
await submit(await cancel(), 'cancel')
sub = await ada.subscription()
assert.ok(sub.cancelAtPeriodEnd || sub.cancelAt)
await ada.post('/subscription/cancel', { returnUrl: '/account' }, 400)
await ada.post('/subscription/restore', {})
sub = await ada.subscription()
assert.ok(!sub.cancelAtPeriodEnd && !sub.cancelAt)
await submit(await cancel(), 'cancel')
assert.match((await ada.post('/subscription/billing-portal', { returnUrl: '/account', disableRedirect: true })).url, /^http/)
await advance('1 year')
await advance('1 day')
assert.equal(await ada.subscription(), undefined)
await ada.checkout({ plan: 'pro', annual: true, seats: 2 })
sub = await ada.subscription()
assert.deepEqual([sub.status, sub.seats, sub.billingInterval], ['active', 2, 'year'])

// A price that meters usage has no quantity.
const grace = await signUp('Grace')
await grace.checkout({ plan: 'usage' })
assert.equal((await grace.subscription()).status, 'active')

// A subscription that somebody creates in the dashboard.
const alan = await signUp('Alan')
await stripe.subscriptions.create({ customer: alan.user.stripeCustomerId, items: [{ price: starter.id }], trial_period_days: 3 })
assert.deepEqual([(await alan.subscription()).plan, (await alan.subscription()).status], ['starter', 'trialing'])

// An organization pays for each member.
const org = await ada.post('/organization/create', { name: 'Engines', slug: 'engines' })
const forOrg = { customerType: 'organization', referenceId: org.id }
const orgSubscription = () => ada.subscription(`?customerType=organization&referenceId=${org.id}`)
const orgItems = async () => (await stripe.subscriptions.retrieve((await orgSubscription()).stripeSubscriptionId)).items.data
  .map((item) => [item.price.id, item.quantity]).sort()
await ada.checkout({ plan: 'team', ...forOrg }, { email: 'billing@engines.example' })
assert.deepEqual(await orgItems(), [[team.id, 1], [seat.id, 1]].sort())
const invitation = await ada.post('/organization/invite-member', { email: grace.user.email, role: 'member', organizationId: org.id })
await grace.post('/organization/accept-invitation', { invitationId: invitation.id })
assert.deepEqual(await orgItems(), [[team.id, 1], [seat.id, 2]].sort())
assert.equal((await orgSubscription()).seats, 2)
await ada.upgrade({ plan: 'business', ...forOrg })
assert.deepEqual(await orgItems(), [[business.id, 1], [businessSeat.id, 2], [support.id, 1]].sort())
assert.equal((await orgSubscription()).plan, 'business')
await ada.post('/organization/remove-member', { memberIdOrEmail: grace.user.email, organizationId: org.id })
assert.deepEqual(await orgItems(), [[business.id, 1], [businessSeat.id, 1], [support.id, 1]].sort())
await ada.post('/organization/update', { data: { name: 'Analytical Engines' }, organizationId: org.id })
const orgCustomer = tables.organization[0].stripeCustomerId
assert.equal((await stripe.customers.retrieve(orgCustomer)).name, 'Analytical Engines')
await ada.post('/organization/delete', { organizationId: org.id }, 400)
await stripe.subscriptions.cancel((await orgSubscription()).stripeSubscriptionId)
assert.equal(await orgSubscription(), undefined)
await ada.post('/organization/delete', { organizationId: org.id })

for (const expected of ['trial start starter', 'trial end starter', 'complete starter', 'update pro', 'cancel pro', 'deleted pro', 'created starter', 'deleted business']) {
  assert.ok(told.includes(expected), `${expected} is not in ${told}`)
}
