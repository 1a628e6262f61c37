package billing_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"usher/billing"
	"usher/billing/catalog"
	billingviews "usher/views/billing"
	"usher/views/viewtest"
)

var december = time.Date(2026, time.December, 1, 12, 0, 0, 0, time.UTC)

func usd(cents int64) catalog.Money { return catalog.Money{Minor: cents, Currency: "usd"} }

func subscription(status billing.SubscriptionStatus) *billingviews.SubscriptionProps {
	return &billingviews.SubscriptionProps{
		Status: status, Plan: "Pro", Interval: catalog.Yearly, Price: usd(29000), PerSeat: true, Quantity: 9, RenewsAt: december,
		NextInvoice: &billingviews.NextInvoice{At: december, Amount: usd(261000)}, Card: &billingviews.CardProps{Brand: "visa", Last4: "4242"},
	}
}

func billingPanel(t *testing.T, change func(*billingviews.PanelProps)) *goquery.Document {
	t.Helper()
	held := 9
	p := billingviews.PanelProps{
		OrganizationID: "org_1", OrganizationName: "Lyric", People: 9, CanManageBilling: true,
		Seats: billingviews.SeatPanelProps{OrganizationID: "org_1", State: billingviews.SeatsInSync, Billable: 9, Desired: 9, AtStripe: &held, CanManageBilling: true},
	}
	change(&p)
	return viewtest.Render(t, billingviews.Panel(p))
}

// flows lists the portal deep links that the panel offers, in order.
func flows(doc *goquery.Document) string {
	var found []string
	doc.Find("form[action='/billing/portal']").Each(func(_ int, s *goquery.Selection) {
		found = append(found, s.Find("input[name=flow]").AttrOr("value", "home"))
	})
	return strings.Join(found, " ")
}

func TestBillingPanelByStatus(t *testing.T) {
	const cancel, card, home = "subscription_cancel", "payment_method_update", "home"
	for _, c := range []struct {
		status billing.SubscriptionStatus
		says   []string
		flows  string
		role   string // of the notice
	}{
		{billing.StatusActive, []string{"Pro, yearly", "Active", "$290 per person × 9 seats", "Renews on 1 Dec 2026.", "$2,610.00", "Visa 4242"}, home, ""},
		{billing.StatusTrialing, []string{"Trial", "Free until 1 Dec 2026, then the first payment."}, home, ""},
		{billing.StatusPastDue, []string{"Payment due", "The last payment could not be collected."}, card + " " + home, "alert"},
		{billing.StatusUnpaid, []string{"Unpaid", "The plan has stopped."}, card + " " + cancel + " " + home, "alert"},
		{billing.StatusPaused, []string{"Paused", "Add a card, then resume the plan."}, card + " " + cancel + " " + home, "status"},
		{billing.StatusIncomplete, []string{"Payment not finished", "The first payment is not finished."}, "", "status"},
		{billing.StatusIncompleteExpired, []string{"No plan yet", "nothing was charged", "See the plans"}, "", ""},
		{billing.StatusCanceled, []string{"Pro has ended", "See the plans"}, "", ""},
		{"on_hold", []string{"on hold"}, home, ""},
	} {
		t.Run(string(c.status), func(t *testing.T) {
			doc := billingPanel(t, func(p *billingviews.PanelProps) {
				p.Subscription, p.Trouble = subscription(c.status), trouble(c.status)
			})
			for _, want := range c.says {
				if !strings.Contains(viewtest.Text(doc.Selection), want) {
					t.Errorf("the panel does not say %q: %s", want, viewtest.Text(doc.Selection))
				}
			}
			if got := flows(doc); got != c.flows {
				t.Errorf("portal links %q, want %q", got, c.flows)
			}
			if c.status.GrantsAccess() != (doc.Find(`a[href="/billing/cancel"]`).Length() == 1) {
				t.Error("whether it can be canceled here")
			}
			if got := doc.Find("[role=alert], [role=status]").AttrOr("role", ""); got != c.role {
				t.Errorf("role of the notice %q, want %q", got, c.role)
			}
		})
	}
}

// trouble is what a status says about the payment, before the invoice is known; nil: nothing.
func trouble(status billing.SubscriptionStatus) *billingviews.PaymentTroubleProps {
	kinds := map[billing.SubscriptionStatus]billing.TroubleKind{
		billing.StatusPastDue: billing.TroublePastDue, billing.StatusUnpaid: billing.TroubleUnpaid,
		billing.StatusPaused: billing.TroublePaused, billing.StatusIncomplete: billing.TroubleIncomplete,
	}
	if kinds[status] == "" {
		return nil
	}
	return &billingviews.PaymentTroubleProps{OrganizationID: "org_1", CanManageBilling: true, Kind: kinds[status], HasAccess: status.GrantsAccess()}
}

func failed(kind billing.TroubleKind) *billingviews.PaymentTroubleProps {
	return &billingviews.PaymentTroubleProps{
		OrganizationID: "org_1", CanManageBilling: true, Kind: kind, HasAccess: true, Amount: usd(261000), FailedAt: december.AddDate(0, 0, -28),
		Reason: "the card was declined", Step: "Ask your bank, or use another card.", InvoiceID: "in_1", ConfirmHref: "/billing/invoices/in_1", CanPay: true, Tried: true, Card: &billingviews.CardProps{Brand: "visa", Last4: "4242"},
		Attempts: []billingviews.AttemptRow{{At: december.AddDate(0, 0, -28), Result: "the card was declined"}},
	}
}

func TestBannerSaysHowMuchFailedAndWhy(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*billingviews.PaymentTroubleProps)
		says   []string
		not    []string
		flows  string
		pays   int
	}{
		"retried": {func(p *billingviews.PaymentTroubleProps) {
			p.AccessUntil, p.NextTry = december, december.AddDate(0, 0, -25)
		}, []string{
			"$2,610.00 could not be collected on 3 Nov 2026: the card was declined.", "You have access until 1 Dec 2026.", "Next try on 6 Nov 2026.",
			"Pay $2,610.00", "Update card", "3 Nov 2026, 12:00 · the card was declined", "6 Nov 2026 · next try",
		}, nil, "payment_method_update", 1},
		"not retried":     {func(*billingviews.PaymentTroubleProps) {}, []string{"There is no automatic retry.", "You still have access."}, []string{"Next try", "next try"}, "payment_method_update", 1},
		"not tried yet":   {func(p *billingviews.PaymentTroubleProps) { p.Tried, p.Attempts, p.Reason = false, nil, "" }, []string{"$2,610.00 could not be collected on 3 Nov 2026.", "Pay $2,610.00"}, []string{"automatic retry", "Next try"}, "payment_method_update", 1},
		"new card needed": {func(p *billingviews.PaymentTroubleProps) { p.CanPay, p.HasAccess = false, false }, []string{"Update card", "Access has ended."}, []string{"Pay $2,610.00"}, "payment_method_update", 0},
		"moved":           {func(p *billingviews.PaymentTroubleProps) { p.Moved = usd(290000) }, []string{"it was $2,900.00, now it is $2,610.00. Nothing was charged."}, nil, "payment_method_update", 1},
		"read only":       {func(p *billingviews.PaymentTroubleProps) { p.CanManageBilling = false }, []string{"could not be collected"}, []string{"Pay $", "Update card", "charged at once"}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := failed(billing.TroublePastDue)
			c.change(p)
			doc := viewtest.Render(t, billingviews.PaymentTrouble(*p))
			text := viewtest.Text(doc.Selection)
			for _, want := range c.says {
				if !strings.Contains(text, want) {
					t.Errorf("the banner does not say %q: %s", want, text)
				}
			}
			for _, no := range c.not {
				if strings.Contains(text, no) {
					t.Errorf("the banner says %q: %s", no, text)
				}
			}
			form := doc.Find("form[action='/billing/pay']")
			if flows(doc) != c.flows || form.Length() != c.pays {
				t.Errorf("links %q, %d forms that pay", flows(doc), form.Length())
			}
			if c.pays > 0 && (form.Find("[name=invoice]").AttrOr("value", "") != "in_1" || form.Find("[name=amount]").AttrOr("value", "") != "261000" || form.Find("[name=currency]").AttrOr("value", "") != "usd") {
				t.Error("the form does not carry the invoice and the amount")
			}
		})
	}
}

// During a scheduled deletion the plan can't be resumed, and the panel names the date of its end.
func TestBillingPanelDuringDeletion(t *testing.T) {
	doc := billingPanel(t, func(p *billingviews.PanelProps) {
		p.Subscription = subscription(billing.StatusActive)
		p.Subscription.EndsAt, p.Subscription.Deleting, p.Subscription.NextInvoice = december, true, nil
	})
	if text := viewtest.Text(doc.Selection); !strings.Contains(text, "Ends on 1 Dec 2026") || !strings.Contains(text, "Keep the organization") {
		t.Errorf("the panel says %s", text)
	}
	if doc.Find(`a[href="/billing/resume"], a[href="/billing/cancel"]`).Length() != 0 {
		t.Error("the plan can be resumed or canceled")
	}
}

// A payment to be confirmed with the bank is no bad card.
func TestBillingPanelAsksForTheConfirmation(t *testing.T) {
	for _, status := range []billing.SubscriptionStatus{billing.StatusPastDue, billing.StatusUnpaid} {
		doc := billingPanel(t, func(p *billingviews.PanelProps) {
			p.Subscription, p.Trouble = subscription(status), failed(billing.TroubleConfirm)
			p.Subscription.AwaitsConfirmation, p.Trouble.Stopped = true, status == billing.StatusUnpaid
			p.Subscription.Failure = &billingviews.PaymentFailure{Amount: usd(261000), At: december.AddDate(0, 0, -28)}
			p.Trouble.Attempts[0].Result = "the bank wants the payment confirmed"
		})
		text := viewtest.Text(doc.Selection)
		if !strings.Contains(text, "Your bank wants the payment of $2,610.00 confirmed.") || strings.Contains(text, "failed") || strings.Contains(text, "Update card") || strings.Contains(text, "declined") {
			t.Errorf("%s: the panel says %s", status, text)
		}
		if got := viewtest.Text(doc.Find("a[href='/billing/invoices/in_1']")); got != "Confirm payment" {
			t.Errorf("%s: link to the invoice %q", status, got)
		}
	}
}

// The plan's section says the same of an open payment as the banner above it.
func TestBillingPanelAgreesWithTheBanner(t *testing.T) {
	for name, c := range map[string]struct {
		status billing.SubscriptionStatus
		kind   billing.TroubleKind
		change func(*billingviews.PaymentTroubleProps)
		says   []string
		not    []string
	}{
		"access ended": {billing.StatusPastDue, billing.TroublePastDue, func(p *billingviews.PaymentTroubleProps) { p.HasAccess = false },
			[]string{"Access has ended until the open invoice is paid.", "Open since 3 Nov 2026"}, []string{"Still active", "Next invoice"}},
		"on its way": {billing.StatusPastDue, billing.TroublePaying, nil, []string{"Payment on its way", "A payment is on its way."}, []string{"Payment due", "Next invoice"}},
		"received": {billing.StatusPastDue, billing.TroublePaying, func(p *billingviews.PaymentTroubleProps) { p.Amount = catalog.Money{} },
			[]string{"The payment was received.", "Payment received", "PaymentReceived"}, []string{"Payment due", "on its way", "Open", "open", "$2,610.00", "not known"}},
		"resumed and not paid": {billing.StatusPaused, billing.TroubleUnpaid, func(p *billingviews.PaymentTroubleProps) { p.Stopped = true },
			[]string{"Stopped until the open invoice is paid."}, []string{"Nothing is charged", "Next invoice"}},
	} {
		t.Run(name, func(t *testing.T) {
			doc := billingPanel(t, func(p *billingviews.PanelProps) {
				p.Subscription, p.Trouble = subscription(c.status), failed(c.kind)
				p.Subscription.Failure = &billingviews.PaymentFailure{Amount: usd(261000), At: december.AddDate(0, 0, -28)}
				if c.change != nil {
					c.change(p.Trouble)
				}
			})
			text := viewtest.Text(doc.Find("section[aria-labelledby=plan]"))
			for _, want := range c.says {
				if !strings.Contains(text, want) {
					t.Errorf("the plan does not say %q: %s", want, text)
				}
			}
			for _, no := range c.not {
				if strings.Contains(text, no) {
					t.Errorf("the plan says %q: %s", no, text)
				}
			}
		})
	}
}

// A missing invoice is not nothing to pay: there is an open one whose amount is not stored yet.
func TestBillingPanelWithoutTheOpenInvoice(t *testing.T) {
	doc := billingPanel(t, func(p *billingviews.PanelProps) {
		p.Subscription, p.AwaitsInvoice = subscription(billing.StatusPastDue), true
		p.Subscription.NextInvoice = nil
	})
	text := viewtest.Text(doc.Selection)
	if !strings.Contains(text, "Amount not known yet") || strings.Contains(text, "Nothing to pay") {
		t.Errorf("the panel says %s", text)
	}
}

func TestBillingPanelLinksToTheFirstPayment(t *testing.T) {
	incomplete := billingPanel(t, func(p *billingviews.PanelProps) {
		p.Subscription, p.Trouble = subscription(billing.StatusIncomplete), trouble(billing.StatusIncomplete)
		p.Trouble.FinishHref = "https://pay.example/cs_1"
	})
	if got := viewtest.Text(incomplete.Find("a[href='https://pay.example/cs_1']")); got != "Finish the payment" {
		t.Errorf("link to the open session: %q", got)
	}
}

func TestBillingPanelWithACancellationSet(t *testing.T) {
	doc := billingPanel(t, func(p *billingviews.PanelProps) {
		p.Subscription = subscription(billing.StatusActive)
		p.Subscription.EndsAt, p.Subscription.NextInvoice = december, nil
	})
	said := viewtest.Text(doc.Selection)
	if !strings.Contains(said, "Ends on 1 Dec 2026 and is not renewed.") || !strings.Contains(said, "Keep ") || strings.Contains(said, "Cancel plan") {
		t.Errorf("a set cancellation reads: %s", said)
	}
}

func TestBillingPanelReadOnlyHasNoButtons(t *testing.T) {
	statuses := []billing.SubscriptionStatus{
		billing.StatusActive, billing.StatusTrialing, billing.StatusPastDue, billing.StatusUnpaid, billing.StatusPaused, billing.StatusIncomplete, billing.StatusCanceled,
	}
	for _, status := range statuses {
		doc := billingPanel(t, func(p *billingviews.PanelProps) {
			p.Subscription = subscription(status)
			if p.Trouble = trouble(status); p.Trouble != nil {
				p.Trouble.CanManageBilling, p.Trouble.FinishHref, p.Trouble.ConfirmHref = false, "https://pay.example/a", "https://pay.example/b"
			}
			p.CanManageBilling, p.Seats.CanManageBilling, p.BillingNames = false, false, []string{"Ana Lima", "Ben Okafor"}
		})
		if doc.Find("button, form, a[href]").Length() != 0 {
			t.Errorf("%s: something can be clicked", status)
		}
		if !strings.Contains(viewtest.Text(doc.Selection), "Changes are made by Ana Lima and Ben Okafor.") {
			t.Errorf("%s: nobody is named: %s", status, viewtest.Text(doc.Selection))
		}
	}
}

func TestBillingPanelReturns(t *testing.T) {
	const url = "/organization?tab=billing&session_id=cs_1&asked=2"
	for _, c := range []struct {
		name string
		to   billingviews.CheckoutReturn
		poll bool
		says string
		not  string
	}{
		{"settling", billingviews.ReturnConfirming, true, "Stripe is confirming the payment.", "See the plans"},
		{"waiting", billingviews.ReturnDelayed, false, "Check again", "See the plans"},
		{"canceled", billingviews.ReturnCanceled, false, "Nothing was charged", "confirm"},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc := billingPanel(t, func(p *billingviews.PanelProps) {
				p.Return, p.PollURL = c.to, url
				if c.poll {
					p.PollEvery = time.Second
				}
			})
			root := doc.Find("#billing-panel")
			if got := root.AttrOr("hx-get", "") == url; got != c.poll {
				t.Errorf("asks again: %t", got)
			}
			if said := viewtest.Text(root); !strings.Contains(said, c.says) || strings.Contains(said, c.not) {
				t.Errorf("reads: %s", said)
			}
		})
	}
}

func TestBillingPanelConfirmedNamesThePlan(t *testing.T) {
	doc := billingPanel(t, func(p *billingviews.PanelProps) {
		p.Return, p.Subscription = billingviews.ReturnConfirmed, subscription(billing.StatusActive)
	})
	if said := viewtest.Text(doc.Find("[data-announce]").First()); !strings.Contains(said, "Pro, yearly, for 9 people.") {
		t.Errorf("announces %q", said)
	}
}

// Every plan is previewed before it is changed to; the form carries the organization.
func TestBillingPanelOffersPlanChanges(t *testing.T) {
	doc := billingPanel(t, func(p *billingviews.PanelProps) {
		p.Subscription = subscription(billing.StatusActive)
		p.Options = []billingviews.PlanOption{
			{PlanID: "starter", Name: "Starter", Interval: catalog.Monthly, Price: usd(900), PerSeat: true},
			{PlanID: "flat", Name: "Flat", Interval: catalog.Yearly, Price: usd(99000)},
		}
	})
	forms := doc.Find(`form[action="/billing/preview"]`)
	if forms.Length() != 2 || forms.First().Find(`input[name=organizationId][value=org_1]`).Length() != 1 ||
		viewtest.Text(forms.Last()) != "Preview Flat, yearly" || forms.Last().Find("input[name=interval]").AttrOr("value", "") != "year" {
		t.Errorf("forms: %s", viewtest.Text(forms))
	}
	if text := viewtest.Text(doc.Find("#change-plan")); !strings.Contains(text, "$9 per person / month") || !strings.Contains(text, "$990 per year") {
		t.Errorf("options: %s", text)
	}
}

func TestBillingPanelShowsScheduledAndPendingChanges(t *testing.T) {
	change := func(p *billingviews.PanelProps) {
		p.Subscription = subscription(billing.StatusActive)
		p.Subscription.Scheduled = &billingviews.ScheduledChange{Plan: "Starter", Interval: catalog.Monthly, PerSeat: true, Quantity: 9, At: december}
		p.Subscription.Pending = &billingviews.PendingChange{Plan: "Team", Interval: catalog.Yearly, Until: december, PayHref: "/billing/invoices/in_1"}
	}
	doc := billingPanel(t, change)
	text := viewtest.Text(doc.Selection)
	for _, want := range []string{
		"Changes to Starter, monthly on 1 Dec 2026, with 9 seats.", "Keep Pro",
		"The switch to Team, yearly isn't paid yet.", "You keep Pro until it's paid.", "After 1 Dec 2026",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the panel does not say %q: %s", want, text)
		}
	}
	if doc.Find(`form[action="/billing/plan/keep"] input[name=organizationId]`).Length() != 1 || doc.Find(`a[href="/billing/invoices/in_1"]`).Length() != 1 {
		t.Errorf("the panel offers no way out: %s", text)
	}
	readOnly := billingPanel(t, func(p *billingviews.PanelProps) { change(p); p.CanManageBilling = false })
	if readOnly.Find(`form[action="/billing/plan/keep"], a[href="/billing/invoices/in_1"]`).Length() != 0 {
		t.Error("a member without the right can act")
	}
}

func TestPlanChangePage(t *testing.T) {
	props := billingviews.PlanChangePageProps{
		OrganizationID: "org_1", From: billingviews.PlanSide{Name: "Starter", Interval: catalog.Monthly, Price: usd(900), PerSeat: true, Quantity: 2},
		To:     billingviews.PlanSide{Name: "Pro", Interval: catalog.Yearly, Price: usd(29000), PerSeat: true, Quantity: 3},
		DueNow: usd(8100), Parts: []billingviews.ChangePart{
			{Kind: billing.PartNewTime, Amount: usd(12000), Lines: []billingviews.ChangeLine{{Text: "3 × Pro", Amount: usd(12000)}}},
			{Kind: billing.PartUnused, Amount: usd(-3900), Lines: []billingviews.ChangeLine{{Text: "Unused time on Starter", Amount: usd(-3900)}}},
		},
		NextAt: december, NextAmount: usd(87000), Plan: "pro", Interval: catalog.Yearly, Confirm: "chg_1",
	}
	for name, c := range map[string]struct {
		change func(*billingviews.PlanChangePageProps)
		says   []string
	}{
		"upgrade": {func(*billingviews.PlanChangePageProps) {}, []string{
			"Change to Pro, yearly", "$9 per person × 2 seats, per month", "$290 per person × 3 seats, per year", "Due today", "$81.00",
			"= +$120.00 new plan, −$39.00 unused time",
			"Pro starts as soon as this is paid. If the payment fails, you keep Starter", "Pay $81.00 and switch", "Then $870.00 from 1 Dec 2026",
		}},
		"moved":     {func(p *billingviews.PlanChangePageProps) { p.Moved = true }, []string{"The amount has changed since you saw it.", "Nothing was charged."}},
		"credit":    {func(p *billingviews.PlanChangePageProps) { p.DueNow, p.Credit = usd(0), usd(500) }, []string{"$5.00 of unused time is credited", "Switch now"}},
		"trial":     {func(p *billingviews.PlanChangePageProps) { p.Timing, p.DueNow = billingviews.ChangeInTrial, usd(0) }, []string{"Your trial still ends on 1 Dec 2026", "Switch now"}},
		"downgrade": {func(p *billingviews.PlanChangePageProps) { p.Timing, p.DueNow = billingviews.ChangeAtPeriodEnd, usd(0) }, []string{"You keep Starter until 1 Dec 2026.", "Switch on 1 Dec 2026", "$0.00"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := props
			c.change(&p)
			doc := viewtest.Render(t, billingviews.PlanChangePage(p))
			text := viewtest.Text(doc.Selection)
			for _, want := range c.says {
				if !strings.Contains(text, want) {
					t.Errorf("the page does not say %q: %s", want, text)
				}
			}
			form := doc.Find(`form[action="/billing/plan"]`)
			for field, value := range map[string]string{"organizationId": "org_1", "plan": "pro", "interval": "year", "confirm": "chg_1"} {
				if got := form.Find("input[name="+field+"]").AttrOr("value", ""); got != value {
					t.Errorf("field %s is %q", field, got)
				}
			}
		})
	}
}

// The page says the end, what stops and what is still invoiced, and its form states the date.
func TestCancelPage(t *testing.T) {
	props := billingviews.CancelPageProps{
		OrganizationID: "org_1", Plan: "Pro", Interval: catalog.Yearly, PerSeat: true, People: 9, EndsAt: december,
		StillInvoiced: &billingviews.StillInvoiced{Amount: usd(4640)}, PlanCredits: 640, OtherCredits: 200, OpenInvoice: usd(2900),
	}
	for name, c := range map[string]struct {
		change func(*billingviews.CancelPageProps)
		says   []string
	}{
		"all": {func(*billingviews.CancelPageProps) {}, []string{
			"You keep Pro until", "1 Dec 2026", "9 people keep access until then", "$46.40 for changes in this period is still invoiced on 1 Dec 2026.",
			"Unused plan credits (640 now) expire. 200 credits you bought stay.", "The open invoice of $29.00 stays due.", "Cancel on 1 Dec 2026",
		}},
		"nothing": {func(p *billingviews.CancelPageProps) { p.StillInvoiced = nil }, []string{"Nothing more is charged for the plan."}},
		"trial":   {func(p *billingviews.CancelPageProps) { p.Trial, p.StillInvoiced = true, nil }, []string{"Your trial ends on", "Nothing is charged."}},
		"unknown": {func(p *billingviews.CancelPageProps) { p.Unknown, p.StillInvoiced = true, nil }, []string{"We can't show the amount right now."}},
		"moved":   {func(p *billingviews.CancelPageProps) { p.Moved = true }, []string{"Nothing was changed."}},
	} {
		t.Run(name, func(t *testing.T) {
			p := props
			c.change(&p)
			doc := viewtest.Render(t, billingviews.CancelPage(p))
			for _, want := range c.says {
				if !strings.Contains(viewtest.Text(doc.Selection), want) {
					t.Errorf("the page does not say %q: %s", want, viewtest.Text(doc.Selection))
				}
			}
			if got := doc.Find(`form[action="/billing/cancel"] input[name=endsAt]`).AttrOr("value", ""); got != strconv.FormatInt(december.Unix(), 10) {
				t.Errorf("the form states %q", got)
			}
		})
	}
}
