// Package handlers is Usher's HTTP edge. It turns requests into calls of package billing and its
// subpackages, and their results into pages, fragments for htmx, and JSON.
//
// Start reading in routes.go: it lists every route with its access policy and its handler.
// middleware.go shows what runs before and after each handler. The handlers themselves are methods
// of one type per area of the site: authPages, billingPages, memberPages, jsonAPI and so on. All of
// them share a [site], which renders the page layout and error responses, and hold the domain types
// they call. handlers.go wires them.
//
// Handlers return errors; errors.go maps them to status codes and messages.
//
// Kept out: business rules (package billing), SQL (package db), stripe-go (package stripegw) and
// HTML (package views).
package handlers
