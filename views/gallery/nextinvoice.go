package gallery

import (
	"time"

	"usher/billing"
	"usher/billing/catalog"
	billingviews "usher/views/billing"
	"usher/views/layout"
)

// nextInvoiceSpecimens are the states of the next invoice: on the billing tab, on its own page and
// on the dashboard.
func nextInvoiceSpecimens() []Specimen {
	const title = "Next invoice, "
	line := func(text string, cents int64) billingviews.ChangeLine {
		return billingviews.ChangeLine{Text: text, Amount: dollars(cents)}
	}
	monthly := billingviews.NextInvoice{
		At: days(12), Amount: dollars(25140),
		Lines: []billingviews.ChangeLine{
			line("9 people on Pro, 1 Dec 2026 to 1 Jan 2027", 26100), line("Bo, from 18 Nov", 1257), line("Discount", -5220), line("Tax", 4203), line("Paid from your credit", -1200),
		},
	}
	yearly := billingviews.NextInvoice{
		At: days(7), Amount: dollars(26218), Lines: []billingviews.ChangeLine{line("Bo, from 18 Nov 2026", 26218)},
		RenewsAt: days(342), Renewal: []billingviews.ChangeLine{line("9 people on Pro, 27 Oct 2027 to 27 Oct 2028", 261000)},
	}
	with := func(change func(*billingviews.NextInvoice)) billingviews.NextInvoice {
		next := monthly
		next.LoadDelay = pollInterval
		change(&next)
		return next
	}
	stale := with(func(n *billingviews.NextInvoice) { n.AsOf, n.Load, n.Lines = now.Add(-2*time.Hour), true, nil })
	changed := with(func(n *billingviews.NextInvoice) {
		n.AsOf, n.Load, n.Changed, n.Lines = now.Add(-time.Minute), true, true, nil
	})
	failed := with(func(n *billingviews.NextInvoice) { n.AsOf, n.Failed = now.Add(-2*time.Hour), true })
	pending := with(func(n *billingviews.NextInvoice) { n.SeatsPending = true })
	missing := billingviews.NextInvoice{Missing: true, Load: true, LoadDelay: pollInterval}
	unknown := billingviews.NextInvoice{Missing: true, Failed: true}
	last := billingviews.NextInvoice{Kind: billingviews.NextLast, At: days(12), Amount: dollars(1257), Lines: []billingviews.ChangeLine{line("Bo, from 18 Nov", 1257)}}
	specimens := []Specimen{
		nextInvoicePage("page", title+"its page", monthly),
		nextInvoicePage("page-failed", title+"Stripe unreachable", failed),
		nextInvoicePage("page-unknown", title+"Stripe unreachable, nothing known", unknown),
		nextInvoicePage("page-none", title+"none", billingviews.NextInvoice{Kind: billingviews.NextNone}),
	}
	for _, c := range []struct {
		name, words string
		next        billingviews.NextInvoice
	}{
		{"lines", "discount, tax and balance", monthly}, {"yearly", "before a yearly renewal", yearly}, {"stale", "an hour old", stale},
		{"changed", "from before a change", changed}, {"pending", "a seat change on its way", pending}, {"loading", "loading", missing},
	} {
		specimens = append(specimens, subscribed("next-"+c.name, title+c.words, billing.StatusActive, func(s *billingviews.SubscriptionProps) {
			s.NextInvoice, s.Interval, s.Price, s.RenewsAt = &c.next, catalog.Monthly, dollars(2900), c.next.At
			if len(c.next.Renewal) > 0 {
				s.Interval, s.Price, s.RenewsAt = catalog.Yearly, dollars(29000), c.next.RenewsAt
			}
			if c.next.Missing {
				s.RenewsAt = days(12)
			}
		}))
	}
	return append(specimens,
		subscribed("next-last", title+"the last one", billing.StatusActive, func(s *billingviews.SubscriptionProps) { s.EndsAt, s.NextInvoice = days(12), &last }),
		dashboardNext("next", "The next invoice", monthly), dashboardNext("next-loading", "The next invoice, loading", missing), dashboardNext("next-stale", "The next invoice, an hour old", stale))
}

func nextInvoicePage(name, title string, next billingviews.NextInvoice) Specimen {
	return Specimen{Name: "billing-next-" + name, Title: title, Page: billingviews.NextInvoicePage(billingviews.NextInvoicePageProps{
		Layout: signedIn(layout.SectionOrganization), Organization: header(layout.TabBilling), Invoice: next, Card: &billingviews.CardProps{Brand: "visa", Last4: "4242"},
	})}
}
