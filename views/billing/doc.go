// Package billing holds the pages about money: pricing, dashboard, the billing tab with its seat
// panel, invoices and credits.
//
// [Panel] owns the element id billing-panel, [SeatPanel] owns seat-panel: htmx replaces these
// elements.
package billing
