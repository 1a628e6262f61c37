package billing_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/catalog"
)

// addLostCustomer makes what is left at Stripe of an organization that a restored database does not
// know: a customer with a paid plan.
func (env *testEnv) addLostCustomer(organizationID string) (customerID string) {
	env.t.Helper()
	var customer struct{ ID string }
	env.stripeRequest(http.MethodPost, "/v1/customers", url.Values{
		"email": {"lost@example.com"}, "metadata[orgId]": {organizationID}, "payment_method": {"pm_card_visa"},
		"invoice_settings[default_payment_method]": {"pm_card_visa"},
	}, &customer)
	env.stripeRequest(http.MethodPost, "/v1/subscriptions", url.Values{
		"customer": {customer.ID}, "items[0][price]": {env.planPriceID("pro", catalog.Monthly)}, "metadata[orgId]": {organizationID},
	})
	return customer.ID
}

// unknownOrganizations lists the customers that a comparison reports as paying for nothing.
func (env *testEnv) unknownOrganizations() []string {
	env.t.Helper()
	report, err := env.service.Reconciler.Reconcile(env.t.Context(), billing.ReconcileOptions{})
	env.must(err)
	var customers []string
	for _, d := range report.Drifts {
		if string(d.Kind) == "unknown_organization" && !d.Repaired {
			customers = append(customers, d.ObjectID)
		}
	}
	return customers
}

// A paying customer whose organization is gone is reported again and again.
func TestReconcilerKeepsReportingUnknownOrganization(t *testing.T) {
	env := newTestEnv(t)
	customerID := env.addLostCustomer("org_gone")
	for run := range 3 {
		if customers := env.unknownOrganizations(); len(customers) != 1 || customers[0] != customerID {
			t.Errorf("run %d reports %v, want %s", run+1, customers, customerID)
		}
	}
	if n := env.queryInt(`select count(*) from stripe_events`); n != 0 {
		t.Errorf("%d stored events", n)
	}
}

func TestLinkCustomerReconciles(t *testing.T) {
	env := newTestEnv(t)
	customerID := env.addLostCustomer("org_gone")
	if customers := env.unknownOrganizations(); len(customers) != 1 {
		t.Fatalf("unknown organizations %v", customers)
	}
	backlog, err := env.service.Operations.Backlog(t.Context())
	env.must(err)
	if backlog.Drifts[billing.DriftUnknownOrganization] != 1 || backlog.ComparedAt == nil {
		t.Errorf("backlog %+v", backlog)
	}
	organizationID := env.access.Organization.ID
	link := func(customerID, organizationID string, dryRun bool) (billing.CustomerLinking, error) {
		return env.service.Reconciler.LinkCustomer(t.Context(), customerID, organizationID, dryRun)
	}
	tried, err := link(customerID, organizationID, true)
	env.must(err)
	if len(tried.Subscriptions) != 1 || tried.AlreadyLinked || env.overview().CustomerID != "" {
		t.Errorf("the dry run answers %+v and links %q", tried, env.overview().CustomerID)
	}
	_, err = link(customerID, organizationID, false)
	env.must(err)
	o := env.overview()
	if o.CustomerID != customerID || o.Plan == nil || o.Plan.ID != "pro" || o.Credits.Balance != 1000 {
		t.Errorf("after the linking: customer %s, plan %v, balance %d", o.CustomerID, o.Plan, o.Credits.Balance)
	}
	if customers := env.unknownOrganizations(); len(customers) != 0 {
		t.Errorf("still unknown: %v", customers)
	}
	again, err := link(customerID, organizationID, false)
	env.must(err)
	if !again.AlreadyLinked || len(again.Report.Drifts) != 0 {
		t.Errorf("the second linking: %+v", again)
	}
}

func TestLinkCustomerRefuses(t *testing.T) {
	env := newTestEnv(t)
	subscribed := env.subscribe("pro").CustomerID
	_, another := env.insertOrganization()
	other := another.Organization.ID
	lost := env.addLostCustomer("org_gone")
	var deleted, euro, price struct{ ID string }
	env.stripeRequest(http.MethodPost, "/v1/customers", nil, &deleted)
	env.stripeRequest(http.MethodDelete, "/v1/customers/"+deleted.ID, nil)
	env.stripeRequest(http.MethodPost, "/v1/customers", url.Values{
		"payment_method": {"pm_card_visa"}, "invoice_settings[default_payment_method]": {"pm_card_visa"},
	}, &euro)
	env.stripeRequest(http.MethodPost, "/v1/prices", url.Values{
		"currency": {"eur"}, "unit_amount": {"500"}, "recurring[interval]": {"month"}, "product_data[name]": {"Another application"},
	}, &price)
	env.stripeRequest(http.MethodPost, "/v1/subscriptions", url.Values{"customer": {euro.ID}, "items[0][price]": {price.ID}})
	for _, c := range []struct {
		name, customer, organization string
		code                         apperr.Code
		message                      string
	}{
		{"an unknown organization", lost, "org_unknown", apperr.CodeNotFound, "no organization org_unknown"},
		{"an unknown customer", "cus_unknown", other, apperr.CodeNotFound, "no customer cus_unknown in test mode"},
		{"a deleted customer", deleted.ID, other, apperr.CodeNotFound, "no customer " + deleted.ID},
		{"another organization's customer", subscribed, other, apperr.CodeConflict, "belongs to the organization " + env.access.Organization.ID},
		{"an organization with a customer", lost, env.access.Organization.ID, apperr.CodeConflict, "has another customer, " + subscribed},
		{"another currency", euro.ID, other, apperr.CodeConflict, "billed in eur"},
	} {
		_, err := env.service.Reconciler.LinkCustomer(t.Context(), c.customer, c.organization, false)
		if apperr.CodeOf(err) != c.code || !strings.Contains(apperr.MessageOf(err), c.message) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if n := env.queryInt(`select count(*) from billing_customers`); n != 1 {
		t.Errorf("%d links, want 1", n)
	}
}

// Support makes a customer and a plan in Stripe's dashboard, with the organization in the metadata.
func TestReconcilerLinksCustomerMadeBySupport(t *testing.T) {
	env := newTestEnv(t)
	customerID := env.addLostCustomer(env.access.Organization.ID)
	env.reconcile(billing.ReconcileOptions{})
	env.processEvents()
	if o := env.overview(); o.CustomerID != customerID || o.Plan == nil || o.Plan.ID != "pro" || o.Credits.Balance != 1000 {
		t.Errorf("customer %s, plan %v, balance %d", o.CustomerID, o.Plan, o.Credits.Balance)
	}
}
