package gallery

import (
	"usher/billing/catalog"
	authviews "usher/views/auth"
	billingviews "usher/views/billing"
	"usher/views/layout"
	"usher/views/ui"
)

func plans(interval catalog.Interval, seats int, choice billingviews.PlanChoice) []billingviews.PlanCardProps {
	starter, pro := dollars(900), dollars(2900)
	if interval == catalog.Yearly {
		starter, pro = dollars(9000), dollars(29000)
	}
	return []billingviews.PlanCardProps{
		{
			ID: "starter", Name: "Starter", Description: "For individuals getting started", Interval: interval, Price: starter, PerSeat: true,
			Seats: seats, Total: starter.Times(seats), Credits: 100, Features: []string{"Feature A", "Feature B"}, Choice: choice,
		},
		{
			ID: "pro", Name: "Pro", Description: "For growing teams", Interval: interval, Price: pro, PerSeat: true, Seats: seats,
			Total: pro.Times(seats), Credits: 1000, Features: []string{"Everything in Starter", "Feature C", "Feature D"},
			Highlight: "Most popular", Choice: choice,
		},
	}
}

func comparison() []billingviews.ComparisonRow {
	yes, no := billingviews.ComparisonCell{Included: true}, billingviews.ComparisonCell{}
	return []billingviews.ComparisonRow{
		{Label: "Credits each month", Cells: []billingviews.ComparisonCell{{Text: "100"}, {Text: "1,000"}}},
		{Label: "Feature A", Cells: []billingviews.ComparisonCell{yes, yes}},
		{Label: "Feature B", Cells: []billingviews.ComparisonCell{yes, yes}},
		{Label: "Feature C", Cells: []billingviews.ComparisonCell{no, yes}},
		{Label: "Feature D", Cells: []billingviews.ComparisonCell{no, yes}},
	}
}

func pricing(frame layout.Props, interval catalog.Interval, seats int, choice billingviews.PlanChoice) billingviews.PricingPageProps {
	cards := plans(interval, seats, choice)
	if frame.Viewer != nil {
		for i := range cards {
			cards[i].OrganizationID = frame.Viewer.OrganizationID
		}
	}
	return billingviews.PricingPageProps{
		Layout: frame, Interval: interval, Intervals: []catalog.Interval{catalog.Monthly, catalog.Yearly}, FreeMonths: 2,
		Seats: seats, Plans: cards, Comparison: comparison(),
	}
}

func pricingSpecimens() []Specimen {
	guest, member := visitor(layout.SectionPricing), signedIn(layout.SectionPricing)
	current := pricing(member, catalog.Yearly, 9, billingviews.PreviewChange)
	fixed := pricing(member, catalog.Yearly, 9, billingviews.ChangeInBilling)
	fixed.Plans[1].Choice = billingviews.CurrentPlan
	current.Plans[1].Choice = billingviews.CurrentPlan
	wrong := pricing(guest, catalog.Monthly, 1, billingviews.ChoosePlan)
	wrong.SeatsError = "Enter a number from 1 to 10,000."
	return []Specimen{
		{Name: "pricing", Title: "Visitor, monthly", Page: billingviews.PricingPage(pricing(guest, catalog.Monthly, 8, billingviews.ChoosePlan))},
		{Name: "pricing-yearly", Title: "Signed in, yearly", Page: billingviews.PricingPage(pricing(member, catalog.Yearly, 27, billingviews.ChoosePlan))},
		promoted("code", "With a promotion code", billingviews.PromotionProps{Code: "SPRING", State: billingviews.CodeValid, Off: "20%", Months: 3, FirstTime: true}),
		promoted("code-unknown", "With an unknown code", billingviews.PromotionProps{Code: "AUTUMN"}),
		promoted("code-unchecked", "With a code, without Stripe", billingviews.PromotionProps{Code: "SPRING", State: billingviews.CodeUnchecked}),
		promoted("code-refused", "After Checkout refused the code", billingviews.PromotionProps{Code: "SPRING", State: billingviews.CodeRefused}),
		{Name: "pricing-current", Title: "On a plan", Page: billingviews.PricingPage(current)},
		{Name: "pricing-fixed", Title: "On a plan that can't be changed now", Page: billingviews.PricingPage(fixed)},
		{Name: "pricing-read-only", Title: "May not choose", Page: billingviews.PricingPage(pricing(member, catalog.Monthly, 2000, billingviews.AskBillingAdmin))},
		{Name: "pricing-people-wrong", Title: "People not a number", Page: billingviews.PricingPage(wrong)},
		{Name: "pricing-three", Title: "Three plans, packs, other currencies", Page: billingviews.PricingPage(threePlans())},
		{Name: "pricing-one", Title: "One plan, one interval", Page: billingviews.PricingPage(onePlan())},
	}
}

func threePlans() billingviews.PricingPageProps {
	p := pricing(signedIn(layout.SectionPricing), catalog.Yearly, 12, billingviews.ChoosePlan)
	yen := catalog.Money{Minor: 1480000, Currency: "jpy"}
	p.Plans[0].Choice = billingviews.NotOffered
	p.Plans = append(p.Plans, billingviews.PlanCardProps{
		ID: "house", Name: "Full house", Description: "For organizations that would rather not count, with a description that goes on for a while",
		Interval: catalog.Yearly, Price: yen, Seats: 12, Total: yen, Credits: 25000, TrialDays: 14, SeatMinimum: 5, SeatMaximum: 500,
		OrganizationID: "org_4h2k9x",
		Features:       []string{"Everything in Pro", "A person to call, on weekdays from nine to five, in your own language"}, Choice: billingviews.ChoosePlan,
	})
	for i := range p.Comparison {
		p.Comparison[i].Cells = append(p.Comparison[i].Cells, billingviews.ComparisonCell{Included: true})
	}
	p.Packs = []billingviews.PackProps{
		{ID: "small", Name: "Small pack", Credits: 500, Price: dollars(1900), CanBuy: true},
		{ID: "large", Name: "Large pack", Credits: 5000, Price: dollars(14900), CanBuy: true},
	}
	p.OrganizationID = "org_4h2k9x"
	return p
}

func promoted(name, title string, promotion billingviews.PromotionProps) Specimen {
	p := pricing(visitor(layout.SectionPricing), catalog.Monthly, 8, billingviews.ChoosePlan)
	p.Promotion = &promotion
	return Specimen{Name: "pricing-" + name, Title: title, Page: billingviews.PricingPage(p)}
}

func onePlan() billingviews.PricingPageProps {
	p := pricing(visitor(layout.SectionPricing), catalog.Monthly, 3, billingviews.ChoosePlan)
	p.Intervals, p.Plans, p.Comparison = p.Intervals[:1], p.Plans[:1], nil
	p.Plans[0].Price, p.Plans[0].Total = catalog.Money{Minor: 2750, Currency: "kwd"}, catalog.Money{Minor: 8250, Currency: "kwd"}
	return p
}

func accountSpecimens() []Specimen {
	guest := visitor(layout.SectionNone)
	intent := &authviews.PlanIntent{
		Plan: "Pro", Interval: catalog.Monthly, Price: dollars(2900), PerSeat: true, People: 8, First: dollars(2900), Total: dollars(23200), Code: "SPRING",
	}
	trial := &authviews.PlanIntent{
		Plan: "Pro", Interval: catalog.Yearly, Price: dollars(29000), PerSeat: true, TrialDays: 14, People: 3, First: dollars(29000), Total: dollars(87000),
	}
	pack := &authviews.PlanIntent{Plan: "500 credits", Price: dollars(1000)}
	return []Specimen{
		{Name: "signup", Title: "Sign up", Page: authviews.SignupPage(authviews.SignupPageProps{Layout: guest})},
		{Name: "signup-intent", Title: "Sign up, then Checkout", Page: authviews.SignupPage(authviews.SignupPageProps{Layout: guest, Intent: intent,
			Fields: []ui.Hidden{{Name: "plan", Value: "pro"}, {Name: "interval", Value: "year"}}})},
		{Name: "signup-trial", Title: "Sign up, then a trial", Page: authviews.SignupPage(authviews.SignupPageProps{Layout: guest, Intent: trial})},
		{Name: "signup-pack", Title: "Sign up, then a pack", Page: authviews.SignupPage(authviews.SignupPageProps{Layout: guest, Intent: pack})},
		{Name: "signup-wrong", Title: "Sign up, to be mended", Page: authviews.SignupPage(authviews.SignupPageProps{
			Layout: guest, Name: "Ana Lima", Email: "ana@lyric", Organization: longName,
			Errors: authviews.SignupErrors{
				Email:    "This address has no ending such as .org; is a part of it missing?",
				Password: "A little longer, please: 8 characters or more.",
			},
		})},
		{Name: "login", Title: "Sign in", Page: authviews.LoginPage(authviews.LoginPageProps{Layout: guest})},
		{Name: "login-intent", Title: "Sign in, then Checkout", Page: authviews.LoginPage(authviews.LoginPageProps{Layout: guest, Intent: intent})},
		{Name: "login-wrong", Title: "Sign in, refused", Page: authviews.LoginPage(authviews.LoginPageProps{Layout: guest, Email: "ana@lyric.example",
			Errors: authviews.LoginErrors{Form: "E-mail and password do not belong together."}})},
	}
}
