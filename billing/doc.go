// Package billing holds Usher's billing rules: checkout, subscriptions, seats, invoices, payments,
// credits, and the events that Stripe sends. [New] builds a [Service], which groups one type for
// each of these.
//
// The subscription at Stripe is authoritative; the row here is a snapshot with the time it was
// read. An event passes through [Decide], which answers apply, fetch or ignore. Everything that was
// fetched (for an event, after Checkout or the portal, by a seat sync or the reconciler) is written
// only if the row did not change since before the fetch; otherwise it is fetched again.
//
// Where to start reading:
//   - An event: inbox.go. Inbox.Receive runs the handler of the event's type;
//     customer.subscription events go to Subscriptions.handleEvent in subscriptions.go, invoices to
//     Invoices.handleEvent in invoice.go.
//   - A seat: seat_counter.go recounts in the transaction of the change, by the rules in
//     seat_state.go; seat_syncer.go sends the quantity to Stripe.
//   - A purchase: checkout_start.go and checkout_complete.go.
//   - Background work: worker.go.
//   - What operators run: reconcile.go, operations.go and inbox_operator.go.
//
// Subpackages: account (people, organizations, members), catalog (plans, prices, money), mail
// (outbox), webhook (outgoing webhooks), stripegw (the gateway to Stripe), phrase (amounts in
// texts), secrets (sealing), apperr (errors), job (jobs of the queue), env (clock, randomness,
// log).
//
// Kept out: net/http and HTML (packages handlers and views), SQL (package db), stripe-go (package
// stripegw). The interfaces [Store] and [Gateway] say what this package needs of the database and
// of Stripe.
package billing
