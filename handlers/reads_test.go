package handlers

import (
	"net/http"
	"testing"

	"usher/billing"
)

// What may be a few seconds old is read from the service for reads, and nothing else is: people see
// what they have just done.
func TestReadsThatMayBeOld(t *testing.T) {
	h := newTestEnv(t)
	if _, err := h.service.Users.PromoteOperator(t.Context(), email("admin")); err != nil {
		t.Fatal(err)
	}
	reads := 0
	h.server.reads = func() *billing.Service {
		reads++
		return h.service
	}
	b := h.signIn("admin")
	for path, old := range map[string]bool{
		"/admin/events": true, "/admin/organizations": true, "/admin/audit": true,
		"/billing/credits": true, "/billing/seats.csv": true, "/billing/invoices.csv": true, "/organization/audit.csv": true,
		"/admin/drift": false, "/dashboard": false, "/billing/invoices": false, "/organization?tab=members": false,
		billingPath: false, "/api/v1/entitlements": false,
	} {
		reads = 0
		b.get(path).wantStatus(http.StatusOK)
		if (reads > 0) != old {
			t.Errorf("%s asked %d times for the service that may be behind", path, reads)
		}
	}
}
