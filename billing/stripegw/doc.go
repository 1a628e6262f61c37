// Package stripegw implements [billing.Gateway] with stripe-go v79 (API version 2024-06-20). It is
// the only importer of stripe-go, and converts Stripe's responses, errors and events to the types
// of package billing.
//
//   - The AsOf of a snapshot is the Date header of its response minus the duration of the request.
//   - A response with the header Idempotent-Replayed is outdated and never becomes a snapshot.
//   - An event's object is parsed only if it has this package's API version. Of any other version
//     only the ids are read.
//
// The package contains no decisions, no database and no HTTP handlers, and neither has global state
// nor uses that of stripe-go. Start reading at [New], call.go and [Gateway.ParseEvent]. Only
// programs below cmd and tests import it.
package stripegw
