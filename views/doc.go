// Package views documents the packages below it, which turn plain facts into HTML, and holds the
// tests that check all pages at once. It has no code of its own.
//
// Each package has typed props as its input and HTML as its output. What a viewer may do arrives as
// a fact in the props. The words for each state are chosen here.
//
//   - ui: components without a page, such as buttons, fields, notices, icons and the seat row
//   - brand: colors and the logo
//   - locale: the language of texts, dates and amounts
//   - layout: the frame around every page, the navigation, the frame of an organization's pages,
//     the error page
//   - billing: pricing, dashboard, billing tab, seat panel, invoices, credits
//   - organization: general, members, invitations to send, roles, activity, billing
//     contacts, API keys, webhooks, domains, the audit log, deletion
//   - auth: sign-up, log-in, password recovery, invitations to accept, account settings
//   - admin: the operators' pages
//   - mail: the text and the HTML of e-mails
//   - dev: pages that exist in development only
//   - gallery: every page in every state, served at /dev/ui in development
//   - viewtest: helpers for tests
//
// Imports run one way: gallery, then billing, organization, auth, admin, mail and dev, then layout,
// then ui, then brand and locale. The packages of an area do not import each other; mail needs no
// layout.
//
// A panel that htmx replaces is one component. It owns the id of its root element, and the page and
// the fragment both use it. Forms are plain forms with an action, so that every page works without
// JavaScript.
//
// Kept out: I/O, decisions about permissions, style attributes and inline scripts. The
// Content-Security-Policy refuses the last two.
package views
