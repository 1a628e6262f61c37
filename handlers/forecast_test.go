package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/stripelocal"
)

// The page answers a question of its address; the form, its examples and the answer of htmx lead to
// such an address.
func TestForecastPage(t *testing.T) {
	h := newTestEnv(t)
	admin := h.subscribed("pro")
	plain := admin.get("/billing/forecast").wantStatus(http.StatusOK).wantText("Coming invoices", "$957.00", "Pro, monthly, 3 seats", "Amounts are Stripe's previews")
	if n := plain.doc().Find("tbody tr").Length(); n != 11 {
		t.Errorf("%d invoices in a year", n)
	}
	from := time.Now().UTC().AddDate(0, 2, 3).Format(time.DateOnly)
	form := plain.doc().Find("form[action='/billing/forecast'][method=get]")
	query := url.Values{"organization": {form.Find("input[name=organization]").AttrOr("value", "")}, "people": {"5"}, "from": {from}, "plan": {""}}
	if form.Find("input[name=people], input[name=from], select[name=plan]").Length() != len(query)-1 {
		t.Error("the form has other fields")
	}
	shown := admin.get("/billing/forecast?" + query.Encode()).wantStatus(http.StatusOK)
	shown.wantText("5 more people from", "instead of $957.00", "With the change", "Pro, monthly, 8 seats", "for the seats from", "$232.00", "Choose the people")
	fragment := admin.get("/billing/forecast?people=5&from="+from, "HX-Request", "true").wantStatus(http.StatusOK)
	if strings.Contains(fragment.body, "<html") || fragment.doc().Find("#forecast").Length() != 1 {
		t.Errorf("fragment %s", fragment.body)
	}
	address := fragment.header.Get("HX-Push-Url")
	admin.get(address).wantStatus(http.StatusOK).wantText("5 more people from", "instead of $957.00")

	yearly := admin.get(plain.doc().Find("a:contains('Switch to yearly')").AttrOr("href", "")).wantText("Pro, yearly", "-$174.00", "instead of $957.00", "Change to Pro, yearly, 3 seats", "not in the total")
	admin.submit(yearly, "form[action='/billing/preview']", nil).wantText("Pro, yearly", "Due today")
}

func TestForecastPageRefusesQuestions(t *testing.T) {
	h := newTestEnv(t)
	admin := h.signIn("admin")
	admin.get("/billing/forecast").wantRedirect(billingPath)
	h.subscribed("pro")
	for query, message := range map[string]string{
		"people=many":                    "Please enter a whole number",
		"people=-3":                      "one has to stay",
		"people=2&from=tomorrow":         "Please enter a date",
		"people=2&from=2020-01-01":       "Please choose a day from today",
		"plan=pro":                       "Please choose one of the plans",
		"plan=other-year":                "Please choose one of the plans",
		"plan=pro-month":                 "That is your plan already.",
		"people=99999999999999999999999": "Please enter a whole number",
	} {
		admin.get("/billing/forecast?"+query).wantStatus(http.StatusUnprocessableEntity).wantText(message, "Coming invoices", "$957.00")
	}
	admin.get("/billing/forecast?organization=org_other").wantStatus(http.StatusConflict).wantText("another organization")
	h.signIn("member").get("/billing/forecast").wantStatus(http.StatusForbidden)
}

// Without an answer of Stripe the page has the last one with its time, or says that none is known.
func TestForecastPageWhileStripeIsDown(t *testing.T) {
	h := newTestEnv(t)
	admin := h.subscribed("pro")
	admin.get("/billing/forecast").wantText("$957.00")
	if _, err := h.store.DB().ExecContext(t.Context(), `update forecasts set fetched_at = fetched_at - interval '2 hours'`); err != nil {
		t.Fatal(err)
	}
	if _, err := h.stripe.Faults().Add(stripelocal.Fault{Kind: stripelocal.ServerError, Calls: -1}); err != nil {
		t.Fatal(err)
	}
	admin.get("/billing/forecast").wantStatus(http.StatusOK).wantText("$957.00", "As of", "We can't reach Stripe right now.")
	admin.get("/billing/forecast?people=1").wantStatus(http.StatusOK).wantText("Not available right now", "Try again")
}
