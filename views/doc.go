// Package views turns ready facts into pages: typed props in, HTML out. What a viewer may do arrives as a fact in the props; the words
// for each state are chosen here.
//
// A swap target (a panel that htmx replaces) is one component that owns its root id and is used by the page and by the fragment alike:
// [SeatPanel] owns seat-panel, [BillingPanel] owns billing-panel. Forms are plain forms with an action; htmx only shortens the way.
//
// Kept out: I/O, rules about who may do what, style attributes and inline scripts (the Content-Security-Policy refuses them).
package views
