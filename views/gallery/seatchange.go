package gallery

import (
	"usher/billing/catalog"
	billingviews "usher/views/billing"
	"usher/views/layout"
	"usher/views/ui"
)

// seatChangeSpecimens are the confirmation of a change of seats in every state.
func seatChangeSpecimens() []Specimen {
	const title = "Change of seats, "
	none := func(reason billingviews.SeatCostReason) func(*billingviews.SeatChangeProps) {
		return func(p *billingviews.SeatChangeProps) { p.Reason, p.Lines, p.Added = reason, nil, dollars(0) }
	}
	return []Specimen{
		seatChange("add", title+"one seat", func(*billingviews.SeatChangeProps) {}),
		seatChange("bulk", title+"three seats", func(p *billingviews.SeatChangeProps) {
			p.Names, p.Seats, p.Added, p.PeriodChange = []string{"Bo Andersen", "ليلى حداد", unbroken}, 3, dollars(4640), dollars(8700)
		}),
		seatChange("today", title+"charged today", func(p *billingviews.SeatChangeProps) { p.ChargedToday, p.DueToday = true, dollars(1547) }),
		seatChange("moved", title+"the amount moved", func(p *billingviews.SeatChangeProps) { p.Moved = true }),
		seatChange("remove", title+"a seat removed", func(p *billingviews.SeatChangeProps) {
			p.Kind, p.Added, p.PeriodChange = billingviews.SeatsTaken, dollars(-1547), dollars(-2900)
		}),
		seatChange("person", title+"a person removed", func(p *billingviews.SeatChangeProps) {
			p.Kind, p.ChargedToday, p.Credit, p.PeriodChange = billingviews.PeopleRemoved, true, dollars(1547), dollars(-2900)
		}),
		seatChange("invite", title+"an invitation", func(p *billingviews.SeatChangeProps) {
			p.Kind, p.Names, p.Email = billingviews.PersonInvited, nil, "elfriede.von-und-zu-hohenzollern-sigmaringen@donaudampfschifffahrt.example"
		}),
		seatChange("monthly", title+"on the next monthly invoice", func(p *billingviews.SeatChangeProps) {
			p.Monthly, p.Interval, p.Tax, p.PeriodChange = true, catalog.Yearly, true, dollars(29000)
		}),
		seatChange("ending", title+"a plan that ends", func(p *billingviews.SeatChangeProps) {
			p.EndsAt, p.NextAt, p.PeriodChange = days(12), p.EndsAt, dollars(0)
		}),
		seatChange("unknown", title+"the amount is not known", func(p *billingviews.SeatChangeProps) { p.Unknown, p.MayContinue = true, true }),
		seatChange("unknown-today", title+"the amount is not known and would be charged today", func(p *billingviews.SeatChangeProps) { p.Unknown = true }),
		seatChange("trial", title+"in a trial", none(billingviews.SeatsTrial)),
		seatChange("paid", title+"a paid seat", none(billingviews.SeatsPaid)),
		seatChange("unpaid", title+"while an invoice is unpaid", func(p *billingviews.SeatChangeProps) {
			none(billingviews.SeatsUnpaid)(p)
			p.Kind, p.PeriodChange = billingviews.SeatsTaken, dollars(-2900)
		}),
		seatChange("at-renewal", title+"charged from the renewal on", none(billingviews.SeatsAtRenewal)),
		seatChange("count", title+"what a number of seats costs", func(p *billingviews.SeatChangeProps) {
			p.Kind, p.Names, p.Action, p.Total = billingviews.SeatsCounted, nil, "", 12
		}),
		seatChange("confirmation", title+"an imported organization", func(p *billingviews.SeatChangeProps) {
			p.Kind, p.Names, p.People, p.Present, p.Total = billingviews.PeopleConfirmed, nil, 3, 8, 3
			p.Added, p.PeriodChange = dollars(-4640), dollars(-14500)
		}),
	}
}

// seatBarSpecimens are the same over the list of members.
func seatBarSpecimens() []Specimen {
	bulk := func(p *billingviews.SeatChangeProps) {
		p.Names, p.Seats, p.Added, p.PeriodChange = []string{"Bo Andersen", "ليلى حداد", unbroken}, 3, dollars(4640), dollars(8700)
	}
	return []Specimen{
		seatBar("bulk", "three seats", bulk),
		seatBar("today", "three seats charged today", func(p *billingviews.SeatChangeProps) {
			bulk(p)
			p.ChargedToday, p.DueToday = true, dollars(4640)
		}),
		seatBar("remove", "a seat removed", func(p *billingviews.SeatChangeProps) {
			p.Kind, p.Added, p.PeriodChange = billingviews.SeatsTaken, dollars(-1547), dollars(-2900)
		}),
		seatBar("moved", "the amount moved", func(p *billingviews.SeatChangeProps) { p.Moved = true }),
		seatBar("invite", "an invitation", func(p *billingviews.SeatChangeProps) {
			p.Kind, p.Names, p.Email = billingviews.PersonInvited, nil, "elfriede.von-und-zu-hohenzollern-sigmaringen@donaudampfschifffahrt.example"
		}),
		seatBar("unknown", "the amount is not known", func(p *billingviews.SeatChangeProps) { p.Unknown, p.MayContinue = true, true }),
		seatBar("trial", "in a trial", func(p *billingviews.SeatChangeProps) {
			p.Reason, p.Lines, p.Added = billingviews.SeatsTrial, nil, dollars(0)
		}),
		seatBar("count", "what a number of seats costs", func(p *billingviews.SeatChangeProps) {
			p.Kind, p.Names, p.Action, p.Total = billingviews.SeatsCounted, nil, "", 12
		}),
	}
}

func seatBar(name, title string, change func(*billingviews.SeatChangeProps)) Specimen {
	return Specimen{Name: "seat-bar-" + name, Title: "Price over the list, " + title, Page: inPlace(billingviews.SeatBar(seatChangeProps(change)))}
}

func seatChange(name, title string, change func(*billingviews.SeatChangeProps)) Specimen {
	return Specimen{Name: "seat-change-" + name, Title: title, Page: billingviews.SeatChangePage(billingviews.SeatChangePageProps{
		Layout: signedIn(layout.SectionOrganization), Organization: header(layout.TabMembers), Change: seatChangeProps(change),
	})}
}

func seatChangeProps(change func(*billingviews.SeatChangeProps)) billingviews.SeatChangeProps {
	p := billingviews.SeatChangeProps{
		OrganizationID: "org_4h2k9x", Names: []string{"Bo Andersen"}, Seats: 1, Total: 10, DueToday: dollars(0), Credit: dollars(0), Added: dollars(1547),
		PeriodChange: dollars(2900), Interval: catalog.Monthly, RenewsAt: days(12), NextAt: days(12), NextAmount: dollars(30547),
		Lines: []billingviews.ChangeLine{
			{Text: "Unused time on 9 × Pro after 19 Nov 2026", Amount: dollars(-13920)}, {Text: "Remaining time on 10 × Pro after 19 Nov 2026", Amount: dollars(15467)},
		},
		Action: "/organization/members/mem_1", Fields: []ui.Hidden{{Name: "organizationId", Value: "org_4h2k9x"}, {Name: "billable", Value: "true"}},
		Confirm: "sp_4h2k9x", BackHref: "/organization?tab=members",
	}
	change(&p)
	return p
}
