// Package auth holds the pages of a person and their account: sign-up, log-in, password recovery,
// accepting an invitation, and the account settings.
package auth
