package gallery

import (
	billingviews "usher/views/billing"
	"usher/views/layout"
	"usher/views/locale"
	"usher/views/ui"
)

const (
	invoiceHref = "/billing/invoices/in_1"
	invoiceWhy  = "Renewal; Bo Lind and Cy added by Ana Petrović"
)

func invoiceRow(badge ui.BadgeProps) billingviews.InvoiceRow {
	return billingviews.InvoiceRow{
		Number: "LYR-0005", Date: days(-5), Why: invoiceWhy, Amount: dollars(30933), Status: badge, Href: invoiceHref, PDFHref: invoiceHref + "/pdf",
	}
}

func invoiceHistory(months []ui.MonthColumn) *ui.MonthChartProps {
	return &ui.MonthChartProps{ID: "history", Title: "Invoices by month", Months: months}
}

func invoicePage(name, title string, change func(*billingviews.InvoicePageProps)) Specimen {
	p := billingviews.InvoicePageProps{
		Layout: signedIn(layout.SectionOrganization), Organization: header(layout.TabBilling),
		Row: invoiceRow(ui.BadgeProps{Tone: ui.Good, Label: "Paid"}), State: "Paid on " + locale.Date(english, days(-5)) + ".",
		Percent: 100, Known: true, AsOf: days(-5), PDFHref: invoiceHref + "/pdf", StripeHref: invoiceHref + "/stripe",
		Groups: []billingviews.InvoiceGroup{
			{Title: "Plan", Lines: []billingviews.InvoiceLine{{
				Text: "9 people on Pro, 1 Dec 2026 to 1 Jan 2027", Amount: dollars(26100), Explained: true, MorePeople: 6,
				People:      []billingviews.InvoicePerson{{Name: "Ana Petrović"}, {Name: "Ben Okafor"}, {Name: "Bo Lind"}},
				StripeLines: []billingviews.ChangeLine{{Text: "9 × Pro (at $29.00 / month)", Amount: dollars(26100)}},
			}}},
			{Title: "Seats", Lines: []billingviews.InvoiceLine{{
				Text: "Bo Lind and Cy, from 26 Nov", Amount: dollars(4833), Explained: true, RequestID: "req_8fQ2mZ",
				People: []billingviews.InvoicePerson{
					{Name: "Bo Lind", What: "joined", At: days(-10)}, {Name: "Cy", What: "was billed again", By: "Ana Petrović", At: days(-10)},
				},
				StripeLines: []billingviews.ChangeLine{
					{Text: "Unused time on 7 × Pro after 26 Nov 2026", Amount: dollars(-16917)}, {Text: "Remaining time on 9 × Pro after 26 Nov 2026", Amount: dollars(21750)},
				},
			}}},
		},
		Totals: []billingviews.InvoiceTotal{{Label: "Total", Amount: dollars(30933), Strong: true}, {Label: "Paid", Amount: dollars(-30933)}},
	}
	change(&p)
	return Specimen{Name: "invoice-" + name, Title: "Invoice, " + title, Page: billingviews.InvoicePage(p)}
}

func invoiceSpecimens() []Specimen {
	rows := []billingviews.InvoiceRow{
		invoiceRow(ui.BadgeProps{Tone: ui.Bad, Label: "Payment failed"}), invoiceRow(ui.BadgeProps{Tone: ui.Wait, Label: "Confirmation needed"}),
		invoiceRow(ui.BadgeProps{Tone: ui.Good, Label: "Paid"}), invoiceRow(ui.BadgeProps{Tone: ui.Note, Label: "Partly refunded"}),
		invoiceRow(ui.BadgeProps{Tone: ui.Note, Label: "Credited"}), invoiceRow(ui.BadgeProps{Tone: ui.Wait, Label: "Disputed"}),
		invoiceRow(ui.BadgeProps{Tone: ui.Bad, Label: "Uncollectible"}), invoiceRow(ui.BadgeProps{Tone: ui.Note, Label: "Void"}),
	}
	rows[3].Details = []string{"$100.00 refunded"}
	for _, i := range []int{0, 1, 6} {
		rows[i].PayHref = invoiceHref + "/stripe"
	}
	list := billingviews.InvoicesPageProps{
		Layout: signedIn(layout.SectionOrganization), Organization: header(layout.TabBilling), Invoices: rows, CSVHref: "/billing/invoices.csv?year=2026",
		Years: []billingviews.YearLink{
			{Label: "All", Href: "/billing/invoices"}, {Label: "2026", Href: "/billing/invoices?year=2026", Current: true}, {Label: "2025", Href: "/billing/invoices?year=2025"},
		},
		Pager: ui.PagerProps{From: 1, To: 25, Total: 31, NextHref: "/billing/invoices?page=2"}, History: invoiceHistory(failing(smallYear())),
		Total: new(dollars(165_300)), TotalNotes: []string{"$58.00 refunded or credited", "$261.00 could not be collected"},
	}
	empty := list
	empty.Invoices, empty.Total, empty.History = nil, nil, nil
	return []Specimen{
		{Name: "invoices", Title: "Invoices", Page: billingviews.InvoicesPage(list)},
		{Name: "invoices-none", Title: "Invoices, none", Page: billingviews.InvoicesPage(empty)},
		invoicePage("paid", "paid and explained", func(*billingviews.InvoicePageProps) {}),
		invoicePage("remainder", "with a remainder, discount and tax", func(p *billingviews.InvoicePageProps) {
			p.Percent, p.Remainder = 98, []string{"$5.00 Support add-on, not from Usher"}
			p.Groups = append(p.Groups, billingviews.InvoiceGroup{Title: "Other", Lines: []billingviews.InvoiceLine{{Text: "Support add-on, not from Usher", Amount: dollars(500)}}})
			p.Row.Amount = dollars(34290)
			p.Totals = []billingviews.InvoiceTotal{
				{Label: "Discount", Amount: dollars(-3143)}, {Label: "Tax", Amount: dollars(6000)}, {Label: "Total", Amount: dollars(34290), Strong: true},
				{Label: "Paid from your balance", Amount: dollars(-1000)}, {Label: "Paid", Amount: dollars(-33290)}, {Label: "Refunded", Amount: dollars(1000)},
			}
		}),
		invoicePage("failed", "payment failed", func(p *billingviews.InvoicePageProps) {
			p.Row.Status, p.PayLabel = ui.BadgeProps{Tone: ui.Bad, Label: "Payment failed"}, "Pay $309.33"
			p.State = "The payment failed: the card has insufficient funds. We'll retry on " + locale.Date(english, days(3)) + "."
			p.Totals = []billingviews.InvoiceTotal{{Label: "Total", Amount: dollars(30933), Strong: true}, {Label: "To be paid", Amount: dollars(30933), Strong: true}}
		}),
		invoicePage("stale", "Stripe away, lines not known", func(p *billingviews.InvoicePageProps) { p.Stale, p.Known, p.Groups = true, false, nil }),
	}
}
