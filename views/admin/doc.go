// Package admin holds the pages for operators of the installation, below /admin: health, events,
// drift, organizations, people, jobs and the audit log.
package admin
