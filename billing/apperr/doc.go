// Package apperr holds the errors of the domain: a code that package handlers maps to an HTTP
// status, a message for people, and the cause for the log. It also holds [StripeError], the failure
// of a Stripe call.
//
// It contains no HTTP and imports nothing of Usher. Messages about one rule stand beside that rule.
// Start reading at [Error] and [CodeOf].
package apperr
