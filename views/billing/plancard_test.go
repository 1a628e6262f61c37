package billing_test

import (
	"strings"
	"testing"

	"usher/billing/catalog"
	billingviews "usher/views/billing"
	"usher/views/viewtest"
)

func card(choice billingviews.PlanChoice) billingviews.PlanCardProps {
	return billingviews.PlanCardProps{
		ID: "pro", Name: "Pro", Interval: catalog.Yearly, Price: usd(29000), PerSeat: true, Seats: 8, Total: usd(232000), Credits: 1000,
		Features: []string{"Feature C"}, Choice: choice, OrganizationID: "org_1", SeatMinimum: 2, SeatMaximum: 500, TrialDays: 14,
	}
}

func TestPlanCardByChoice(t *testing.T) {
	for _, c := range []struct {
		choice billingviews.PlanChoice
		form   bool
		says   string
	}{
		{billingviews.ChoosePlan, true, "Choose Pro"},
		{billingviews.CurrentPlan, false, "Your plan"},
		{billingviews.ChangeInBilling, false, "Change plan in billing"},
		{billingviews.PreviewChange, false, "Switch to Pro, yearly"},
		{billingviews.AskBillingAdmin, false, "An admin or billing manager of your organization can choose this plan."},
		{billingviews.NotOffered, false, "Not available yearly."},
	} {
		doc := viewtest.Render(t, billingviews.PlanCard(card(c.choice)))
		if got := doc.Find("form[method=post][action='/billing/checkout']").Length() == 1; got != c.form {
			t.Errorf("choice %d: form %t", c.choice, got)
		}
		if !strings.Contains(viewtest.Text(doc.Selection), c.says) {
			t.Errorf("choice %d reads: %s", c.choice, viewtest.Text(doc.Selection))
		}
	}
}

func TestPlanCardSendsWhatWasChosen(t *testing.T) {
	doc := viewtest.Render(t, billingviews.PlanCard(card(billingviews.ChoosePlan)))
	for name, want := range map[string]string{"organizationId": "org_1", "plan": "pro", "interval": "year"} {
		if got := doc.Find("input[name="+name+"]").AttrOr("value", ""); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, want := range []string{"$2,320 a year for 8", "$290 per person, for at least 2 people", "1,000 credits each month", "From 2 to 500 people", "14-day free trial"} {
		if !strings.Contains(viewtest.Text(doc.Selection), want) {
			t.Errorf("the card does not say %q: %s", want, viewtest.Text(doc.Selection))
		}
	}
	visitor := card(billingviews.ChoosePlan)
	visitor.OrganizationID = ""
	if viewtest.Render(t, billingviews.PlanCard(visitor)).Find("input[name=organizationId]").Length() != 0 {
		t.Error("a visitor sends an organization")
	}
}
