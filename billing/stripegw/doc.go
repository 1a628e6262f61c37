// Package stripegw is the only importer of stripe-go: it turns what package billing asks for into calls of Stripe's API (version
// 2024-06-20, stripe-go v79) and Stripe's answers, errors and events back into the types of billing.
//
// Three rules run through it. A snapshot carries the moment it was true at by Stripe's clock: the Date header of the answer less the
// time that try took. An answer marked Idempotent-Replayed is old news and never becomes a snapshot. An event is parsed as an object
// only where it was written in the API version this package was built for; of any other version it takes the ids alone.
//
// Kept out: decisions, the database, HTTP handling of our own pages. The package holds no global state and uses none of stripe-go's.
package stripegw
