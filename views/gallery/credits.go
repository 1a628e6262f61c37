package gallery

import (
	"time"

	"usher/views/locale"

	billingviews "usher/views/billing"
	"usher/views/layout"
	"usher/views/ui"
)

// burnDown is a month of credits: a grant, a bought pack, and what was used.
func burnDown() *ui.LevelChartProps {
	return &ui.LevelChartProps{
		ID: "credit-levels", Title: "Credits left since " + locale.Date(english, days(-18)), From: days(-18), Until: days(12), Now: now, Unit: "Credits", MarkWords: "credits granted or bought",
		Levels: []ui.Level{
			{At: days(-18), Value: 1000, Words: "Monthly credits of Pro", Mark: true}, {At: days(-15), Value: 880, Words: "Used"}, {At: days(-11), Value: 610, Words: "Used"},
			{At: days(-8), Value: 310, Words: "Used"}, {At: days(-7), Value: 810, Words: "Small pack was bought", Mark: true}, {At: days(-2), Value: 640, Words: "Used"},
		},
		Projects: true, EmptyAt: days(13), Projected: 48,
	}
}

func creditSpecimens() []Specimen {
	page := func(name, title string, change func(*billingviews.CreditsPageProps)) Specimen {
		p := billingviews.CreditsPageProps{
			Layout: signedIn(layout.SectionOrganization), Organization: header(layout.TabBilling), OrganizationID: "org_4h2k9x",
			Credits: billingviews.CreditsProps{Balance: 640, Granted: 1000, Next: 1000, ResetsAt: days(12), LastUntil: days(13), Outlast: true}, Chart: burnDown(),
			Packs: []billingviews.PackOffer{{ID: "small", Credits: 500, Price: dollars(1900)}, {ID: "large", Credits: 5000, Price: dollars(14900)}},
			Entries: []billingviews.CreditRow{
				{At: days(-2), What: "Seat plan for " + rightToLeft, Amount: -170, Balance: 640}, {At: days(-7), What: "Small pack was bought", Amount: 500, Balance: 810},
				{At: days(-8), What: "Used", Amount: -690, Balance: 310}, {At: days(-18), What: "Monthly credits of Pro", Amount: 1000, Balance: 1000},
			},
		}
		change(&p)
		return Specimen{Name: name, Title: title, Page: billingviews.CreditsPage(p)}
	}
	return []Specimen{
		page("credits", "Credits", func(*billingviews.CreditsPageProps) {}),
		page("credits-low", "Credits, used up before new ones come", func(p *billingviews.CreditsPageProps) {
			p.Credits.Balance, p.Credits.LastUntil, p.Credits.Outlast = 90, days(3), false
			p.Chart.Levels = append(p.Chart.Levels, ui.Level{At: days(-1), Value: 90, Words: "Used"})
			p.Chart.EmptyAt, p.Chart.Projected = days(3), 0
		}),
		page("credits-ends", "Credits of a plan that ends, for a member", func(p *billingviews.CreditsPageProps) {
			p.Credits.ResetsAt, p.Credits.Next, p.Credits.Outlast, p.Packs = time.Time{}, 0, false, nil
			p.Credits.LastUntil, p.Credits.LapsesAt, p.Credits.PlanLeft = time.Time{}, days(12), 500
			p.Chart.Projects = false
		}),
		page("credits-none", "No credits yet", func(p *billingviews.CreditsPageProps) {
			p.Credits, p.Chart, p.Entries = billingviews.CreditsProps{}, nil, nil
		}),
	}
}
