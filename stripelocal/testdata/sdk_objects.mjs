// Calls what sells, meters, taxes and pays out with one release of stripe-node. Used by
// sdk_lifecycle.mjs, which gives the SDK, the functions since and advance, and the host.
import assert from 'node:assert/strict'

export async function callObjects({ stripe, since, advance, host }) {
  const basil = since('2025-03-31')
  const customer = await stripe.customers.create({ email: 'bea@example.com', payment_method: 'pm_card_visa', invoice_settings: { default_payment_method: 'pm_card_visa' } })
  const product = await stripe.products.create({ name: 'Calls' })
  const monthly = await stripe.prices.create({ product: product.id, currency: 'usd', unit_amount: 1000, recurring: { interval: 'month' } })
  const once = await stripe.prices.create({ product: product.id, currency: 'usd', unit_amount: 500 })

  // Quotes: of a subscription and of an invoice, which has the quote as its parent.
  const coupon = await stripe.coupons.create({ percent_off: 10, duration: 'once' })
  const quote = await stripe.quotes.create({ customer: customer.id, line_items: [{ price: monthly.id, quantity: 2 }], discounts: [{ coupon: coupon.id }], expand: ['line_items', 'discounts'] })
  await stripe.quotes.finalizeQuote(quote.id)
  const accepted = await stripe.quotes.accept(quote.id, { expand: ['subscription', 'computed.upfront.line_items'] })
  assert.equal(accepted.status, 'accepted')
  await stripe.quotes.listLineItems(quote.id)
  await stripe.quotes.listComputedUpfrontLineItems(quote.id)
  await stripe.quotes.list({ customer: customer.id })
  const sale = await stripe.quotes.create({ customer: customer.id, line_items: [{ price: once.id }] })
  await stripe.quotes.finalizeQuote(sale.id)
  const sold = await stripe.quotes.accept(sale.id)
  const invoice = await stripe.invoices.retrieve(sold.invoice)
  assert.equal(basil ? invoice.parent.quote_details.quote : invoice.quote, sale.id)

  // Payment links.
  const link = await stripe.paymentLinks.create({ line_items: [{ price: monthly.id, quantity: 1 }], expand: ['line_items'] })
  await stripe.paymentLinks.create({ line_items: [{ price: once.id, quantity: 1 }], restrictions: { completed_sessions: { limit: 2 } } })
  await stripe.paymentLinks.update(link.id, { active: false })
  await stripe.paymentLinks.listLineItems(link.id)
  await stripe.paymentLinks.list()

  // Entitlements.
  const feature = await stripe.entitlements.features.create({ lookup_key: 'calls', name: 'Calls' })
  await stripe.entitlements.features.update(feature.id, { name: 'All calls' })
  const attached = await stripe.products.createFeature(product.id, { entitlement_feature: feature.id })
  await stripe.products.retrieveFeature(product.id, attached.id)
  await stripe.products.listFeatures(product.id)
  await stripe.subscriptions.create({ customer: customer.id, items: [{ price: monthly.id }] })
  const active = await stripe.entitlements.activeEntitlements.list({ customer: customer.id, expand: ['data.feature'] })
  assert.equal(active.data[0].feature.id, feature.id)
  await stripe.entitlements.activeEntitlements.retrieve(active.data[0].id)

  // Meters and tiers. Legacy usage records are gone since basil.
  const meter = await stripe.billing.meters.create({ display_name: 'Calls', event_name: 'calls', default_aggregation: { formula: 'sum' } })
  await stripe.billing.meters.update(meter.id, { display_name: 'All calls' })
  const metered = await stripe.prices.create({
    product: product.id, currency: 'usd', billing_scheme: 'tiered', tiers_mode: 'graduated', tiers: [{ up_to: 5, unit_amount: 10 }, { up_to: 'inf', unit_amount: 5 }],
    recurring: { interval: 'month', usage_type: 'metered', meter: meter.id }, expand: ['tiers'],
  })
  await stripe.plans.retrieve(metered.id, { expand: ['tiers'] })
  const usage = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: metered.id }] })
  const now = usage.created + 60
  await advance('2 hours')
  await stripe.billing.meterEvents.create({ event_name: 'calls', identifier: 'a', timestamp: now, payload: { stripe_customer_id: customer.id, value: '7' } })
  await stripe.billing.meterEvents.create({ event_name: 'calls', identifier: 'b', timestamp: now, payload: { stripe_customer_id: customer.id, value: '2' } })
  await stripe.billing.meterEventAdjustments.create({ event_name: 'calls', type: 'cancel', cancel: { identifier: 'b' } })
  const minute = now - now % 60
  const summaries = await stripe.billing.meters.listEventSummaries(meter.id, { customer: customer.id, start_time: minute - 3600, end_time: minute + 3600 })
  assert.equal(summaries.data[0].aggregated_value, 7)
  await stripe.billing.meters.deactivate((await stripe.billing.meters.create({ display_name: 'Old', event_name: 'old', default_aggregation: { formula: 'count' } })).id)
  const threshold = { gte: 100, meter: meter.id, recurrence: 'one_time' }
  const newer = since('2024-09-30')
  const alert = await stripe.billing.alerts.create({
    alert_type: 'usage_threshold', title: 'Many calls',
    ...newer
      ? { usage_threshold: { ...threshold, filters: [{ type: 'customer', customer: customer.id }] } }
      : { usage_threshold_config: threshold, filter: { customer: customer.id } },
  })
  assert.equal((newer ? alert.usage_threshold.filters[0] : alert.filter).customer, customer.id)
  await assert.rejects(stripe.billing.alerts.create({
    alert_type: 'usage_threshold', title: 'Many calls', [newer ? 'usage_threshold_config' : 'usage_threshold']: threshold,
  }), { code: 'parameter_unknown' })
  await stripe.billing.alerts.deactivate(alert.id)
  await stripe.billing.alerts.list()
  const recorded = { product: product.id, currency: 'usd', unit_amount: 1, recurring: { interval: 'month', usage_type: 'metered' } }
  const item = usage.items.data[0].id
  if (basil) {
    await assert.rejects(stripe.prices.create(recorded), { param: 'recurring[usage_type]' })
    await assert.rejects(stripe.prices.create({ ...recorded, recurring: { ...recorded.recurring, aggregate_usage: 'sum' } }), { code: 'parameter_unknown', param: 'recurring[aggregate_usage]' })
    await assert.rejects(stripe.rawRequest('GET', `/v1/subscription_items/${item}/usage_record_summaries`), { statusCode: 404 })
    await assert.rejects(stripe.rawRequest('POST', `/v1/subscription_items/${item}/usage_records`, { quantity: 1 }), { statusCode: 404 })
  } else {
    const price = await stripe.prices.create({ ...recorded, recurring: { ...recorded.recurring, aggregate_usage: 'max' } })
    const sub = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] })
    await stripe.subscriptionItems.createUsageRecord(sub.items.data[0].id, { quantity: 3, timestamp: 'now' })
    await stripe.subscriptionItems.listUsageRecordSummaries(sub.items.data[0].id)
  }

  // The lines of drafts, and of credit notes.
  const draft = await stripe.invoices.create({ customer: customer.id, auto_advance: false })
  const priced = basil ? { pricing: { price: once.id } } : { price: once.id }
  const added = await stripe.invoices.addLines(draft.id, { lines: [{ ...priced, quantity: 2 }, { amount: 300, description: 'Setup' }] })
  const setup = added.lines.data.find((line) => line.amount === 300)
  await stripe.invoices.updateLines(draft.id, { lines: [{ id: setup.id, amount: 400 }] })
  await stripe.invoices.updateLineItem(draft.id, setup.id, { description: 'Setting up' })
  await stripe.invoices.removeLines(draft.id, { lines: [{ id: setup.id, behavior: 'delete' }] })
  if (basil) {
    await assert.rejects(stripe.invoices.addLines(draft.id, { lines: [{ price: once.id }] }), { code: 'parameter_unknown', param: 'lines[0][price]' })
  }
  const open = await stripe.invoices.finalizeInvoice(draft.id)
  await stripe.creditNotes.preview({ invoice: open.id, amount: 100 })
  const note = await stripe.creditNotes.create({ invoice: open.id, lines: [{ type: 'invoice_line_item', invoice_line_item: open.lines.data[0].id, amount: 100 }] })
  await stripe.creditNotes.listLineItems(note.id)
  await stripe.creditNotes.listPreviewLineItems({ invoice: open.id, amount: 100 })

  // Taxes.
  await stripe.tax.settings.retrieve()
  await stripe.tax.settings.update({ defaults: { tax_behavior: 'exclusive' } })
  const registration = await stripe.tax.registrations.create({ country: 'DE', active_from: 'now', country_options: { de: { type: 'standard', standard: { place_of_supply_scheme: 'standard' } } } })
  await stripe.tax.registrations.retrieve(registration.id)
  const calculation = await stripe.tax.calculations.create({
    currency: 'eur', customer_details: { address: { country: 'DE' }, address_source: 'billing' }, line_items: [{ amount: 1000 }], expand: ['line_items', 'line_items.data.tax_breakdown'],
  })
  assert.ok(calculation.tax_amount_exclusive > 0)
  await stripe.tax.calculations.listLineItems(calculation.id)
  const transaction = await stripe.tax.transactions.createFromCalculation({ calculation: calculation.id, reference: 'order_1', expand: ['line_items'] })
  await stripe.tax.transactions.createReversal({ mode: 'full', original_transaction: transaction.id, reference: 'refund_1', expand: ['line_items'] })
  await stripe.tax.transactions.listLineItems(transaction.id)
  const codes = await stripe.taxCodes.list({ limit: 3 })
  await stripe.taxCodes.retrieve(codes.data[0].id)

  // Payouts and top-ups.
  const topup = await stripe.topups.create({ amount: 5000, currency: 'usd' })
  await stripe.topups.create({ amount: 100, currency: 'usd' }).then((small) => stripe.topups.cancel(small.id))
  await advance('7 days')
  await stripe.topups.retrieve(topup.id, { expand: ['balance_transaction'] })
  const payout = await stripe.payouts.create({ amount: 3000, currency: 'usd' })
  await stripe.payouts.cancel(payout.id)
  await stripe.payouts.list()
  await stripe.balance.retrieve()
  await stripe.balanceTransactions.list({ type: 'topup' })

  // Cards, setup attempts and Radar's lists.
  const card = await stripe.customers.createSource(customer.id, { source: 'tok_visa' })
  await stripe.customers.retrieveSource(customer.id, card.id)
  await stripe.customers.listSources(customer.id, { object: 'card' })
  await stripe.customers.retrievePaymentMethod(customer.id, (await stripe.customers.listPaymentMethods(customer.id)).data[0].id)
  const intent = await stripe.setupIntents.create({ customer: customer.id, payment_method: 'pm_card_visa', confirm: true, return_url: 'http://localhost/' })
  await stripe.setupAttempts.list({ setup_intent: intent.id })
  const list = await stripe.radar.valueLists.create({ alias: 'friends', name: 'Friends', item_type: 'email' })
  await stripe.radar.valueListItems.create({ value_list: list.id, value: 'bea@example.com' })
  await stripe.radar.valueListItems.list({ value_list: list.id })
  await stripe.radar.valueLists.list()

  // What a page offers, and what it sends to the server.
  const configuration = await stripe.paymentMethodConfigurations.create({ name: 'Cards', klarna: { display_preference: { preference: 'off' } } })
  await stripe.paymentMethodConfigurations.update(configuration.id, { link: { display_preference: { preference: 'on' } } })
  assert.equal((await stripe.paymentMethodConfigurations.list()).data.length, 2)
  const domain = await stripe.paymentMethodDomains.create({ domain_name: 'shop.example.com' })
  await stripe.paymentMethodDomains.validate(domain.id)
  await stripe.paymentMethodDomains.list({ domain_name: 'shop.example.com' })
  const apple = await stripe.applePayDomains.create({ domain_name: 'shop.example.com' })
  await stripe.applePayDomains.del(apple.id)
  await stripe.countrySpecs.retrieve('US')
  await stripe.customerSessions.create({ customer: customer.id, components: { pricing_table: { enabled: true } } })
  await stripe.customerSessions.create({ customer: customer.id, components: { payment_element: { enabled: true, features: { payment_method_save: 'enabled' } } } })
  const key = await stripe.ephemeralKeys.create({ customer: customer.id }, { apiVersion: stripe.getApiField?.('version') ?? stripe._api.version })
  await stripe.ephemeralKeys.del(key.id)
  const token = await stripe.testHelpers.confirmationTokens.create({ payment_method: 'pm_card_visa', return_url: 'http://localhost/' })
  const paid = await stripe.paymentIntents.create({ amount: 700, currency: 'usd', confirm: true, confirmation_token: token.id, payment_method_configuration: configuration.id })
  assert.equal((await stripe.confirmationTokens.retrieve(token.id)).payment_intent, paid.id)

  // Files. Until stripe-node 21, an upload goes to files.stripe.com unless it names a host.
  const content = { data: Buffer.from('%PDF-1.4\n'), name: 'receipt.pdf', type: 'application/octet-stream' }
  const upload = await stripe.files.create({ file: content, purpose: 'dispute_evidence', file_link_data: { create: true } }, { host })
  assert.equal(upload.links.data.length, 1)
  const fileLink = await stripe.fileLinks.create({ file: upload.id, expand: ['file'] })
  await stripe.fileLinks.update(fileLink.id, { expires_at: 'now' })
  await stripe.files.list({ purpose: 'dispute_evidence' })
  await stripe.fileLinks.list({ file: upload.id })

  // Cash balances and shipping.
  const sender = await stripe.customers.create({ name: 'Cleo' })
  const transfer = await stripe.testHelpers.customers.fundCashBalance(sender.id, { amount: 5000, currency: 'eur', reference: 'Invoice 7' })
  await stripe.customers.retrieveCashBalanceTransaction(sender.id, transfer.id)
  await stripe.customers.updateCashBalance(sender.id, { settings: { reconciliation_mode: 'manual' } })
  await stripe.customers.retrieve(sender.id, { expand: ['cash_balance'] })
  const rate = await stripe.shippingRates.create({
    display_name: 'Ground', fixed_amount: { amount: 500, currency: 'usd' }, delivery_estimate: { maximum: { unit: 'day', value: 5 } },
  })
  await stripe.shippingRates.list({ active: true })
  const shipped = await stripe.checkout.sessions.create({
    mode: 'payment', success_url: 'http://localhost/', line_items: [{ price: once.id, quantity: 1 }], shipping_options: [{ shipping_rate: rate.id }], expand: ['shipping_cost.shipping_rate'],
  })
  assert.equal(shipped.amount_total, 1000)

  // A schedule that has not started.
  const later = await stripe.subscriptionSchedules.create({
    customer: customer.id, start_date: now + 90 * 24 * 60 * 60, phases: [{ items: [{ price: monthly.id, quantity: 2 }] }],
  })
  assert.equal(later.status, 'not_started')
  await stripe.subscriptionSchedules.list({ customer: customer.id, scheduled: true })
  assert.equal((await stripe.subscriptionSchedules.cancel(later.id)).status, 'canceled')

  // Reviews.
  const risky = await stripe.paymentIntents.create({ amount: 700, currency: 'usd', confirm: true, payment_method: 'pm_card_riskLevelElevated', return_url: 'http://localhost/' })
  const review = (await stripe.reviews.list({ expand: ['data.charge'] })).data[0]
  assert.equal(review.payment_intent, risky.id)
  await stripe.reviews.approve(review.id)
  assert.equal((await stripe.paymentIntents.retrieve(risky.id)).review, review.id)
}
