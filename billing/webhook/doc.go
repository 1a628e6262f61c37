// Package webhook sends an organization's changes to the addresses that its admins enter, in the
// format of Standard Webhooks (https://www.standardwebhooks.com).
//
// A change is a row that is written in the transaction of the change. [Publisher] loads the changed
// objects as the API shows them, leaves out what is the same as in the last message, and stores
// messages. [Deliverer] sends them, one after the other for each endpoint. [Endpoints] is what
// people and programs do with endpoints.
//
// The package performs no I/O: package db stores, package sender speaks HTTP, and package billing
// loads the objects. Start reading at [Publisher.Publish].
package webhook
