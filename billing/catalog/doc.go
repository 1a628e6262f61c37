// Package catalog holds what is for sale: plans, packs of credits and their prices, and [Money].
//
// A catalog comes from a plan file, see [ParsePlans]; plans.toml is the built-in one and documents
// every key. [Catalog.Resolved] adds what Stripe knows about the prices. The package contains no
// storage, no Stripe calls and no HTML. It imports only package apperr.
//
// Start reading at [Catalog] and [Plan]. To add a key to plans, add a field with its tags to
// [Plan], and the key to plans.toml and docs/plans.md. Rules about several keys are in
// planFile.checkPlan.
package catalog
