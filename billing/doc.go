// Package billing holds Usher's rules: organizations and their members, plans, checkout, subscriptions, seats and the news that
// Stripe sends. It decides; it does not speak to anything.
//
// One idea runs through it: the subscription at Stripe is the truth, ours is a snapshot with the moment it was taken. Whatever
// could change the snapshot (a webhook, the return from Checkout or the portal, a seat sync, a reconciliation) goes through
// [Decide], which answers apply, ask Stripe, or drop.
//
// Kept out: net/http and HTML (package handlers and views), SQL (package db), stripe-go (package stripegw). The two interfaces
// [Store] and [Gateway] say what this package needs from them.
package billing
