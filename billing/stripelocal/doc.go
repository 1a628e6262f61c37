// Package stripelocal is a stateful Stripe on this machine: the API under
// /v1/, hosted Checkout and portal pages as plain forms, signed webhooks with
// retries, idempotency keys and one clock that can be moved. Any Stripe SDK
// pointed at it works. Shapes and rules are those of API version 2024-06-20.
//
// It keeps one account in memory (and, where asked, in one file). It knows
// nothing of the rest of Usher and imports only the standard library.
//
// # How it is built
//
// Everything that happens, an API call, a form on a hosted page, a timer that
// comes due, is one act: a moment in time under the server's lock, whose
// events are published together when it ends. A resource is one file: its
// struct, its JSON rendering, its handlers and its row for the table in
// resources.go (path, parameter grammar, handler). Rules that span resources
// have files of their own (settle.go, proration.go, renewal.go).
//
// # Assumptions and divergences
//
//   - An incomplete subscription that is canceled, or whose Checkout session
//     expires, becomes incomplete_expired and sends customer.subscription.deleted;
//     one that reaches 23 hours sends customer.subscription.updated (inferred).
//   - A parameter that Stripe knows and this package does not carry out is
//     refused as parameter_unknown rather than silently ignored.
//   - Every API version is answered in the shapes of 2024-06-20.
//   - Lists are ordered by insertion, which under test clocks may differ from
//     the order of created.
//   - Signatures and retries of webhooks follow the machine's own time, whatever
//     clock is injected: receivers verify against real time.
//   - Webhook retries start within a second and end after a dozen tries, where
//     Stripe goes on for days.
//   - Results of refused calls are stored under an idempotency key as soon as a
//     handler ran, also where Stripe's own validation might have come first.
package stripelocal
