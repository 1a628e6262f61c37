package gallery

import (
	"usher/billing"
	"usher/views"
)

func plans(interval billing.Interval, seats int, choice views.PlanChoice) []views.PlanCardProps {
	starter, pro := dollars(900), dollars(2900)
	if interval == billing.Yearly {
		starter, pro = dollars(9000), dollars(29000)
	}
	return []views.PlanCardProps{
		{
			ID: "starter", Name: "Starter", Description: "For individuals getting started", Interval: interval, Price: starter, PerSeat: true,
			Seats: seats, Total: starter.Times(seats), Credits: 100, Features: []string{"Feature A", "Feature B"}, Choice: choice,
		},
		{
			ID: "pro", Name: "Pro", Description: "For growing teams", Interval: interval, Price: pro, PerSeat: true, Seats: seats,
			Total: pro.Times(seats), Credits: 1000, Features: []string{"Everything in Starter", "Feature C", "Feature D"},
			Highlight: "Most chosen", Choice: choice,
		},
	}
}

func comparison() []views.ComparisonRow {
	yes, no := views.ComparisonCell{Included: true}, views.ComparisonCell{}
	return []views.ComparisonRow{
		{Label: "Credits each month", Cells: []views.ComparisonCell{{Text: "100"}, {Text: "1,000"}}},
		{Label: "Feature A", Cells: []views.ComparisonCell{yes, yes}},
		{Label: "Feature B", Cells: []views.ComparisonCell{yes, yes}},
		{Label: "Feature C", Cells: []views.ComparisonCell{no, yes}},
		{Label: "Feature D", Cells: []views.ComparisonCell{no, yes}},
	}
}

func pricing(layout views.LayoutProps, interval billing.Interval, seats int, choice views.PlanChoice) views.PricingPageProps {
	cards := plans(interval, seats, choice)
	if layout.Viewer != nil {
		for i := range cards {
			cards[i].OrganizationID = layout.Viewer.OrganizationID
		}
	}
	return views.PricingPageProps{
		Layout: layout, Interval: interval, Intervals: []billing.Interval{billing.Monthly, billing.Yearly}, YearlySaving: "2 months free",
		Seats: seats, Plans: cards, Comparison: comparison(),
	}
}

func pricingSpecimens() []Specimen {
	guest, member := visitor(views.SectionPricing), signedIn(views.SectionPricing)
	current := pricing(member, billing.Yearly, 9, views.ChangeInBilling)
	current.Plans[1].Choice = views.CurrentPlan
	wrong := pricing(guest, billing.Monthly, 1, views.ChoosePlan)
	wrong.SeatsError = "Give a whole number of people, from 1 to 100,000."
	return []Specimen{
		{Name: "pricing", Title: "Visitor, monthly", Page: views.PricingPage(pricing(guest, billing.Monthly, 8, views.ChoosePlan))},
		{Name: "pricing-yearly", Title: "Signed in, yearly", Page: views.PricingPage(pricing(member, billing.Yearly, 27, views.ChoosePlan))},
		{Name: "pricing-current", Title: "On a plan", Page: views.PricingPage(current)},
		{Name: "pricing-read-only", Title: "May not choose", Page: views.PricingPage(pricing(member, billing.Monthly, 2000, views.AskBillingAdmin))},
		{Name: "pricing-people-wrong", Title: "People not a number", Page: views.PricingPage(wrong)},
		{Name: "pricing-three", Title: "Three plans, packs, other currencies", Page: views.PricingPage(threePlans())},
		{Name: "pricing-one", Title: "One plan, one interval", Page: views.PricingPage(onePlan())},
	}
}

func threePlans() views.PricingPageProps {
	p := pricing(signedIn(views.SectionPricing), billing.Yearly, 12, views.ChoosePlan)
	yen := billing.Money{Minor: 1480000, Currency: "jpy"}
	p.Plans[0].Choice = views.NotOffered
	p.Plans = append(p.Plans, views.PlanCardProps{
		ID: "house", Name: "Full house", Description: "For organizations that would rather not count, with a description that goes on for a while",
		Interval: billing.Yearly, Price: yen, Seats: 12, Total: yen, Credits: 25000, TrialDays: 14, SeatMinimum: 5, SeatMaximum: 500,
		OrganizationID: "org_4h2k9x",
		Features:       []string{"Everything in Pro", "A person to call, on weekdays from nine to five, in your own language"}, Choice: views.ChoosePlan,
	})
	for i := range p.Comparison {
		p.Comparison[i].Cells = append(p.Comparison[i].Cells, views.ComparisonCell{Included: true})
	}
	p.Packs = []views.PackProps{
		{ID: "small", Name: "Small pack", Credits: 500, Price: dollars(1900), CanBuy: true},
		{ID: "large", Name: "Large pack", Credits: 5000, Price: dollars(14900), CanBuy: true},
	}
	p.OrganizationID = "org_4h2k9x"
	return p
}

func onePlan() views.PricingPageProps {
	p := pricing(visitor(views.SectionPricing), billing.Monthly, 3, views.ChoosePlan)
	p.Intervals, p.Plans, p.Comparison = p.Intervals[:1], p.Plans[:1], nil
	p.Plans[0].Price, p.Plans[0].Total = billing.Money{Minor: 2750, Currency: "kwd"}, billing.Money{Minor: 8250, Currency: "kwd"}
	return p
}

func accountSpecimens() []Specimen {
	guest := visitor(views.SectionNone)
	intent := &views.PlanIntent{Plan: "Pro", Interval: billing.Yearly}
	return []Specimen{
		{Name: "signup", Title: "Sign up", Page: views.SignupPage(views.SignupPageProps{Layout: guest})},
		{Name: "signup-intent", Title: "Sign up, then Checkout", Page: views.SignupPage(views.SignupPageProps{Layout: guest, Intent: intent,
			Fields: []views.Hidden{{Name: "plan", Value: "pro"}, {Name: "interval", Value: "year"}}})},
		{Name: "signup-wrong", Title: "Sign up, to be mended", Page: views.SignupPage(views.SignupPageProps{
			Layout: guest, Name: "Ana Lima", Email: "ana@lyric", Organization: longName,
			Errors: views.SignupErrors{
				Email:    "This address has no ending such as .org; is a part of it missing?",
				Password: "A little longer, please: 8 characters or more.",
			},
		})},
		{Name: "login", Title: "Sign in", Page: views.LoginPage(views.LoginPageProps{Layout: guest})},
		{Name: "login-intent", Title: "Sign in, then Checkout", Page: views.LoginPage(views.LoginPageProps{Layout: guest, Intent: intent})},
		{Name: "login-wrong", Title: "Sign in, refused", Page: views.LoginPage(views.LoginPageProps{Layout: guest, Email: "ana@lyric.example",
			Errors: views.LoginErrors{Form: "E-mail and password do not belong together."}})},
	}
}
