// Package account holds who is billed: people, organizations, members, roles, invitations,
// passwords, mailed links and rate limits. Each has a type with its operations, see [Service].
//
// The package contains no SQL, no HTTP and no Stripe. It declares the storage it needs in store.go;
// package db implements it. A change of a membership reaches billing through [Hooks], in the same
// transaction, so that package account does not import billing.
//
// Permissions are checked here, in the transaction of the change: an operation takes the actor's
// [Access] and reads it again after locking the organization, see [Members.InLockedOrganization].
//
// Start reading at [Service] and [Access], then follow [Members.Change]; what was previewed is made
// by package billing with [Members.ChangeTx]. cmd/usher/imports_test.go lists what may be imported.
package account
