package billing_test

import (
	"testing"

	"usher/billing/catalog"
	billingviews "usher/views/billing"
	"usher/views/viewtest"
)

func TestPricingSwitchKeepsThePeople(t *testing.T) {
	doc := viewtest.Render(t, billingviews.PricingPage(billingviews.PricingPageProps{
		Interval: catalog.Monthly, Intervals: []catalog.Interval{catalog.Monthly, catalog.Yearly}, FreeMonths: 2, Seats: 27,
	}))
	if got := viewtest.Text(doc.Find("a[href='/pricing?interval=year&seats=27']")); got != "Yearly · 2 months free" {
		t.Errorf("yearly link: %q", got)
	}
	if got := viewtest.Text(doc.Find("nav[aria-label='Billing interval'] a[aria-current]")); got != "Monthly" {
		t.Errorf("current interval: %q", got)
	}
	form := doc.Find("form[method=get][action='/pricing']")
	if form.Find("input[name=interval]").AttrOr("value", "") != "month" || form.Find("input[name=seats]").AttrOr("value", "") != "27" {
		t.Errorf("people form: %s", viewtest.Outline(form))
	}
}
