// Connects to the local Stripe what a project sends to api.stripe.com, so that its code runs as it
// is published. Loaded by node --import.
import http from 'node:http'
import https from 'node:https'
import { syncBuiltinESMExports } from 'node:module'

const { hostname, port } = new URL(process.env.STRIPE_URL)
const request = https.request

https.request = (options, ...rest) => {
  if (options.host !== 'api.stripe.com') return request(options, ...rest)
  const call = http.request({ ...options, host: hostname, port, agent: http.globalAgent }, ...rest)
  // stripe-node sends the body after the event of a TLS connection.
  return call.once('socket', (socket) => {
    if (socket.connecting) socket.once('connect', () => socket.emit('secureConnect'))
  })
}
syncBuiltinESMExports()
