// What the scripts of all projects need: a client for what people and the dashboard do, a receiver
// of webhooks, and the forms of the hosted pages.
import assert from 'node:assert/strict'
import http from 'node:http'
import Stripe from 'stripe'

export const origin = process.env.STRIPE_URL
export const key = process.env.STRIPE_KEY

process.on('uncaughtException', (err) => {
  console.error(err.stack)
  process.exit(1)
})

// stripe makes the calls that are not the project's own.
export const stripe = new Stripe('sk_test_script_0123456789')

// listen serves handler on a free port and returns the address.
export async function listen(handler) {
  const server = http.createServer(handler)
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  server.unref()
  return `http://127.0.0.1:${server.address().port}`
}

// receiver passes webhooks to take(body, headers), and returns the address. What take throws is
// answered with 400.
export const receiver = (take) => listen(async (req, res) => {
  try {
    await take(await bodyOf(req), req.headers)
    res.end()
  } catch (err) {
    console.error(`webhook: ${err.stack.split('\n').slice(0, 4).join('\n')}`)
    res.writeHead(400).end()
  }
})

// receiveWebhooks sends the types of events to take, in an API version, and returns the signing
// secret.
export async function receiveWebhooks(types, version, take) {
  const endpoint = await stripe.webhookEndpoints.create({ url: await receiver(take), enabled_events: types, api_version: version })
  return endpoint.secret
}

async function bodyOf(req) {
  const parts = []
  for await (const part of req) parts.push(part)
  return Buffer.concat(parts)
}

// webhooksTaken waits until every webhook was taken.
export async function webhooksTaken() {
  await until(async () => (await control('deliveries?status=pending')).length === 0, 'webhooks are pending')
}

// nextSecond waits until what follows is a second later than what the webhooks so far led to.
export async function nextSecond() {
  await webhooksTaken()
  await new Promise((resolve) => setTimeout(resolve, 1000 - (Date.now() % 1000)))
}

// until waits for a condition.
export async function until(condition, problem) {
  for (let tries = 0; tries < 3000; tries++) {
    if (await condition()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(problem)
}

// control calls an endpoint of the local Stripe that Stripe does not have.
export async function control(path, body) {
  const res = await fetch(`${origin}/_usher/${path}`, body && { method: 'POST', body: new URLSearchParams(body) })
  assert.equal(res.status, 200, path)
  return res.json()
}

// advance moves the clock and waits for the webhooks.
export async function advance(by) {
  await control('clock', { by })
  await webhooksTaken()
}

// submit sends the form of a hosted page that has the button of an action, and returns the address
// that follows. Fields that are not given keep what the page offers.
export async function submit(url, action, fields = {}) {
  const page = await (await fetch(url)).text()
  const form = page.match(/<form method="post".*?<\/form>/gs)?.find((f) => f.includes(`name="action" value="${action}"`))
  assert.ok(form, `${url} has no button for ${action}: ${words(page)}`)
  const body = new URLSearchParams()
  for (const [input] of form.matchAll(/<input [^>]*type="(hidden|text|email)"[^>]*>/g)) {
    body.set(attribute(input, 'name'), attribute(input, 'value'))
  }
  for (const [name, value] of Object.entries({ ...fields, action })) body.set(name, value)
  const res = await fetch(new URL(attribute(form, 'action'), url), { method: 'POST', body, redirect: 'manual' })
  assert.equal(res.status, 303, `${url}: ${words(await res.text())}`)
  await webhooksTaken()
  return new URL(res.headers.get('location'), url).href
}

function attribute(tag, name) {
  const value = tag.match(new RegExp(` ${name}="([^"]*)"`))?.[1] ?? ''
  return value.replaceAll('&#43;', '+').replaceAll('&#34;', '"').replaceAll('&#39;', "'").replaceAll('&amp;', '&')
}

// words returns the text of a page.
const words = (page) => page.replace(/<style>.*?<\/style>/s, '').replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ')

// pay pays a Checkout session with a card.
export const pay = (url, fields) => submit(url, 'pay', {
  cardNumber: '4242424242424242', cardExpiry: '12/40', cardCvc: '123', billingName: 'Ada Lovelace', ...fields,
})
