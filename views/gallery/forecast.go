package gallery

import (
	"strconv"
	"time"

	"usher/views/locale"

	"usher/billing/catalog"
	billingviews "usher/views/billing"
	"usher/views/layout"
	"usher/views/ui"
)

// forecastSpecimens are the states of the coming invoices.
func forecastSpecimens() []Specimen {
	plain := forecastOf(0)
	with := func(p billingviews.ForecastProps, change func(*billingviews.ForecastProps)) billingviews.ForecastProps {
		change(&p)
		return p
	}
	more, fewer := forecastOf(5), forecastOf(-2)
	return []Specimen{
		forecastPage("", "if nothing changes", plain),
		forecastPage("-more", "5 more people", more),
		forecastPage("-fewer", "2 people fewer", fewer),
		forecastPage("-yearly", "switch to yearly", yearlyForecast()),
		forecastPage("-stale", "Stripe unreachable", with(more, func(p *billingviews.ForecastProps) { p.AsOf = now.Add(-2 * time.Hour) })),
		forecastPage("-unknown", "Stripe unreachable, nothing known", with(plain, func(p *billingviews.ForecastProps) {
			p.Missing, p.Rows, p.Months = true, nil, nil
		})),
		forecastPage("-wrong", "a question with mistakes", with(plain, func(p *billingviews.ForecastProps) {
			p.Form.People, p.Form.PeopleError = "five", "Please enter a whole number, such as 5 or -2."
			p.Form.From, p.Form.FromError = "2030-01-01", "Please choose a day from today to "+now.AddDate(1, 0, -1).Format("2 Jan 2006")+"."
		})),
		forecastPage("-full", "a plan without room", with(plain, func(p *billingviews.ForecastProps) {
			p.Form.People, p.Form.Error = "90", "Pro has seats for at most 50 people, and 99 would need one. Choose a larger plan, or free 49 seats."
		})),
		forecastPage("-ends", "a plan that ends", with(plain, func(p *billingviews.ForecastProps) {
			p.Total, p.EndsAt, p.Rows, p.Months, p.Form.Plans, p.Form.Examples = dollars(0), days(12), nil, nil, nil, nil
		})),
	}
}

func forecastPage(name, title string, p billingviews.ForecastProps) Specimen {
	return Specimen{Name: "billing-forecast" + name, Title: "Forecast, " + title, Page: billingviews.ForecastPage(billingviews.ForecastPageProps{
		Layout: signedIn(layout.SectionOrganization), Organization: header(layout.TabBilling), Forecast: p,
	})}
}

func forecastForm() billingviews.ForecastForm {
	return billingviews.ForecastForm{
		OrganizationID: "org_4h2k9x", Min: now.Format(time.DateOnly), Max: now.AddDate(1, 0, -1).Format(time.DateOnly),
		Plans: []ui.Option{{Label: "Keep Pro, monthly"}, {Value: "starter-month", Label: "Starter, monthly"}, {Value: "pro-year", Label: "Pro, yearly"}},
		Examples: []billingviews.ForecastExample{
			{Label: "5 more people from 1 " + now.AddDate(0, 1, 0).Format("January"), Href: billingviews.ForecastPath}, {Label: "Switch to yearly", Href: billingviews.ForecastPath},
		},
	}
}

// forecastOf is the forecast of a monthly plan with nine people, and with some who join or leave.
func forecastOf(people int) billingviews.ForecastProps {
	p := billingviews.ForecastProps{Form: forecastForm(), Total: dollars(11 * 26100), Until: now.AddDate(1, 0, 0)}
	p.Months = []billingviews.ForecastMonth{{Month: now, Amount: dollars(0), Changed: dollars(0)}}
	from := now.AddDate(0, 4, -8)
	for n := range 11 {
		at, seats, amount := now.AddDate(0, n+1, 0), 9, dollars(26100)
		row := billingviews.ForecastRow{At: at, Amount: &amount}
		changed := amount
		if at.After(from) {
			seats += people
			changed.Minor += int64(people) * 2900
		}
		row.What = []string{"Pro, monthly, " + ui.Seats(english, seats)}
		if people != 0 && at.After(from) && at.AddDate(0, -1, 0).Before(from) {
			part := dollars(int64(people) * 750)
			changed.Minor += part.Minor
			row.What = append(row.What, part.Format()+" for the seats from "+locale.Date(english, from)+" on")
		}
		if people != 0 {
			row.Changed, p.ChangedTotal = &changed, catalog.Money{Minor: p.ChangedTotal.Minor + changed.Minor, Currency: "usd"}
		}
		p.Rows = append(p.Rows, row)
		p.Months = append(p.Months, billingviews.ForecastMonth{Month: at, Amount: amount, Changed: changed})
	}
	p.Months = append(p.Months, billingviews.ForecastMonth{Month: p.Until, Amount: dollars(0), Changed: dollars(0)})
	if people != 0 {
		p.Form.People, p.Form.From = strconv.Itoa(people), from.Format(time.DateOnly)
		p.Change = locale.N(english, "%s more person", "%s more people", people) + " from " + locale.Date(english, from)
		if people < 0 {
			p.Change = locale.N(english, "%s person fewer", "%s people fewer", -people) + " from " + locale.Date(english, from)
		}
		p.Apply = &billingviews.ForecastApply{Label: "Choose the people", Href: "/organization?tab=members"}
	}
	return p
}

func yearlyForecast() billingviews.ForecastProps {
	p := forecastOf(0)
	p.Form.Plan, p.Change, p.ChangedTotal = "pro-year", "Pro, yearly", dollars(248000)
	for i := range p.Months {
		p.Months[i].Changed = dollars(0)
	}
	today, renewal := dollars(248000), dollars(261000)
	p.Months[0].Changed = today
	p.Rows = append([]billingviews.ForecastRow{{At: now, What: []string{"Change to Pro, yearly, 9 seats"}, Changed: &today}}, p.Rows...)
	p.Rows = append(p.Rows, billingviews.ForecastRow{At: now.AddDate(1, 0, 0), What: []string{"Pro, yearly, 9 seats"}, Changed: &renewal, Later: true})
	p.Apply = &billingviews.ForecastApply{Label: "Review the change to Pro, yearly", OrganizationID: "org_4h2k9x", Plan: "pro", Interval: catalog.Yearly}
	return p
}
