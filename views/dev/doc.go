// Package dev holds pages that are served in development only: the clock of the local Stripe,
// the scenarios and the e-mails that were not sent.
package dev
