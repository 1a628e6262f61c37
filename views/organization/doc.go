// Package organization holds the pages of an organization: general, members, the form that invites
// somebody, roles, activity and billing contacts. Package billing has the pages about its money.
package organization
