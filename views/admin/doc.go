// Package admin holds the pages for operators of the installation, below /admin: events, drift,
// organizations and jobs.
package admin
