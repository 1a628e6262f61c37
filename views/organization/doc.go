// Package organization holds the pages of an organization: general, members, the form that invites
// somebody, roles, activity, billing contacts, API keys, webhooks, domains, the audit log and
// deletion. Package billing has the pages about its money.
package organization
