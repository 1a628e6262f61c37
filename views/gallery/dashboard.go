package gallery

import (
	"time"

	"usher/billing"
	"usher/billing/catalog"
	billingviews "usher/views/billing"
	"usher/views/layout"
	"usher/views/ui"
)

// year is a year of an organization: two months without a plan, then more and more seats, with a
// refund in one month and a failed payment in the present one.
func year(seats ...int) []ui.MonthColumn {
	first := time.Date(now.Year(), now.Month()-11, 1, 0, 0, 0, 0, time.UTC)
	var months []ui.MonthColumn
	for i := range 12 {
		month := ui.MonthColumn{Month: first.AddDate(0, i, 0)}
		if n := seats[min(i, len(seats)-1)]; n > 0 {
			total := int64(n) * 2900
			month.Known, month.Seats, month.Invoices, month.Total, month.Kept = true, n, 1, dollars(total), total
		}
		months = append(months, month)
	}
	refunded := &months[8]
	refunded.Kept, refunded.Returned = refunded.Kept-5800, 5800
	refunded.Notes = []string{"$58.00 refunded or credited"}
	return months
}

// seatSteps is a year of changes of the number of seats.
func seatSteps() *ui.LevelChartProps {
	from := time.Date(now.Year(), now.Month()-11, 1, 0, 0, 0, 0, time.UTC)
	chart := &ui.LevelChartProps{ID: "seat-levels", Title: "Seats over the last 12 months", From: from, Until: from.AddDate(1, 0, 0), Now: now, Unit: "Seats"}
	for i, seats := range []int64{1, 3, 4, 5, 4, 6, 7, 8, 9} {
		chart.Levels = append(chart.Levels, ui.Level{At: from.AddDate(0, i+1, 5*i), Value: seats, Words: "Bo Lind joined"})
	}
	chart.Levels[4].Words = "Cy left"
	return chart
}

// eventsPerHour is a day with a gap and with failures.
func eventsPerHour() ui.SparklineProps {
	p := ui.SparklineProps{ID: "events", Title: "Events per hour, the last 24 hours", Unit: "events"}
	for hour := range 24 {
		value := ui.SparkValue{Label: now.Add(time.Duration(hour-24) * time.Hour).Format("15:04"), Count: (hour * 37) % 23}
		value.Gap = hour == 6 || hour == 7
		if hour == 17 {
			value.Count, value.Bad = 31, 9
		}
		p.Values = append(p.Values, value)
	}
	return p
}

// failing is a year whose newest invoice could not be collected.
func failing(months []ui.MonthColumn) []ui.MonthColumn {
	last := &months[len(months)-1]
	last.Kept, last.Failed = 0, last.Kept
	last.Notes = []string{last.Total.Format() + " could not be collected"}
	return months
}

func smallYear() []ui.MonthColumn { return year(0, 0, 3, 3, 4, 5, 5, 6, 7, 7, 8, 9) }

func history(months []ui.MonthColumn) *ui.MonthChartProps {
	return &ui.MonthChartProps{ID: "history", Title: "Seats and invoices by month", DrawSeats: true, Months: months}
}

// joined is the reason of a next amount of $290.
func joined() *billingviews.AmountWhy {
	return &billingviews.AmountWhy{
		Difference: dollars(4157), Reason: "Bo Lind joined on 18 Nov", LastHref: invoiceHref, LastAmount: dollars(26100),
		Parts: []billingviews.ChangeLine{{Text: "Bo Lind joined on 18 Nov", Amount: dollars(2900)}, {Text: "Bo Lind, from 18 Nov", Amount: dollars(1257)}},
	}
}

func visa() *billingviews.CardProps {
	return &billingviews.CardProps{Brand: "visa", Last4: "4242", Expires: "12/34"}
}

func dashboardPage(change func(*billingviews.DashboardPageProps)) billingviews.DashboardPageProps {
	next := billingviews.NextInvoice{At: days(12), Amount: dollars(30257), Short: true, Why: joined(), Price: "$29 per person × 10 seats"}
	p := billingviews.DashboardPageProps{
		Layout: signedIn(layout.SectionDashboard), Organization: organizationName, CanManageBilling: true,
		Plan: &billingviews.PlanSummary{
			Name: "Pro", Interval: catalog.Monthly, Status: billing.StatusActive, Price: next.Price, RenewsAt: days(12), NextInvoice: &next, Card: visa(),
		},
		History: history(smallYear()),
		Seats:   ui.SeatRowProps{Billed: 10, Sentence: "10 people, 10 seats at Stripe, checked 14:02 UTC."},
		Credits: &billingviews.CreditsProps{
			Balance: 640, Granted: 1000, Next: 1000, ResetsAt: days(12), LastUntil: days(8), Href: "/billing/credits",
		},
	}
	change(&p)
	return p
}

func dashboardSpecimen(name, title string, change func(*billingviews.DashboardPageProps)) Specimen {
	return Specimen{Name: name, Title: title, Page: billingviews.DashboardPage(dashboardPage(change))}
}

func dashboardSpecimens() []Specimen {
	start := billingviews.StartProps{Email: "ana@lyric.example", People: 1, Planned: 8, CanInvite: true, BillingNames: []string{"Ana Petrović", "Ben Okafor"}}
	withoutPlan := func(p *billingviews.DashboardPageProps, s billingviews.StartProps) {
		p.Plan, p.Credits, p.History, p.Start = nil, nil, nil, &s
	}
	return []Specimen{
		dashboardSpecimen("dashboard", "All is well", func(*billingviews.DashboardPageProps) {}),
		dashboardSpecimen("dashboard-needs", "A payment failed", func(p *billingviews.DashboardPageProps) {
			failed := trouble(billing.TroublePastDue)
			failed.NextTry, failed.AccessUntil, failed.Attempts = days(3), days(5), attempts("the card was declined")
			p.Trouble, p.Plan.Status, p.Plan.NextInvoice = &failed, billing.StatusPastDue, nil
			p.Plan.Failure = &billingviews.PaymentFailure{Amount: failed.Amount, At: failed.FailedAt}
			p.Plan.Interval, p.Plan.Price = catalog.Yearly, "$290 per person × 9 seats"
			p.History = history(failing(smallYear()))
		}),
		dashboardSpecimen("dashboard-same", "The same as last month", func(p *billingviews.DashboardPageProps) {
			p.Plan.NextInvoice.Why = &billingviews.AmountWhy{LastHref: invoiceHref, LastAmount: dollars(30257)}
		}),
		dashboardSpecimen("dashboard-first", "The first invoice", func(p *billingviews.DashboardPageProps) {
			p.Plan.NextInvoice.Why, p.History, p.Credits = nil, history(year(0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2)), nil
		}),
		dashboardSpecimen("dashboard-large", "2,000 people", func(p *billingviews.DashboardPageProps) {
			p.Plan.NextInvoice.Amount, p.Plan.NextInvoice.Why.Difference = dollars(5_800_000), dollars(345_100)
			p.Plan.NextInvoice.Why.Reason, p.Plan.NextInvoice.Why.LastAmount = unbroken+", Cy and 117 more joined", dollars(5_454_900)
			p.Plan.NextInvoice.Why.Parts = nil
			p.History = history(year(1200, 1300, 1300, 1450, 1500, 1620, 1700, 1750, 1800, 1880, 1881, 2000))
			p.Seats = ui.SeatRowProps{Billed: 1988, Pending: 12, Sentence: "2000 people, 1988 seats at Stripe, checked 14:02 UTC."}
		}),
		dashboardSpecimen("dashboard-member", "For a member", func(p *billingviews.DashboardPageProps) {
			p.CanManageBilling, p.Plan.NextInvoice.Why, p.History.HideAmounts, p.History.Title = false, nil, true, "Seats by month"
			for i := range p.History.Months {
				m := &p.History.Months[i]
				*m = ui.MonthColumn{Month: m.Month, Known: m.Known, Seats: m.Seats}
			}
		}),
		dashboardSpecimen("dashboard-ends", "The plan ends, nothing more to pay", func(p *billingviews.DashboardPageProps) {
			p.Plan.EndsAt, p.Plan.RenewsAt, p.Plan.NextInvoice = days(12), time.Time{}, &billingviews.NextInvoice{Kind: billingviews.NextNone, Short: true}
			p.Credits.ResetsAt, p.Credits.LastUntil, p.Credits.LapsesAt, p.Credits.PlanLeft = time.Time{}, time.Time{}, days(12), 640
		}),
		dashboardSpecimen("dashboard-new", "No plan: three steps, right to left", func(p *billingviews.DashboardPageProps) {
			withoutPlan(p, start)
			p.Organization = rightToLeft
		}),
		dashboardSpecimen("dashboard-new-member", "No plan, for a member", func(p *billingviews.DashboardPageProps) {
			withoutPlan(p, start)
			p.CanManageBilling = false
		}),
		dashboardSpecimen("dashboard-ended", "The plan has ended", func(p *billingviews.DashboardPageProps) {
			ended := start
			ended.Ended, ended.EndedAt, ended.Verified, ended.Invited, ended.People = "Pro", days(-20), true, true, 9
			withoutPlan(p, ended)
			p.History = history(year(0, 0, 3, 3, 4, 5, 5, 6, 7, 7, 8, 0))
		}),
	}
}

func dashboardNext(name, title string, next billingviews.NextInvoice) Specimen {
	next.Short, next.Lines, next.Price = true, nil, "$29 per person × 9 seats"
	return dashboardSpecimen("dashboard-"+name, title, func(p *billingviews.DashboardPageProps) { p.Plan.NextInvoice = &next })
}
