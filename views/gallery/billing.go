package gallery

import (
	"slices"
	"time"

	"usher/billing"
	"usher/billing/catalog"
	billingviews "usher/views/billing"
	"usher/views/layout"
	organizationviews "usher/views/organization"
	"usher/views/ui"
)

// pollInterval is long, so that no panel of the gallery polls while somebody reads it.
const pollInterval = time.Hour

func quantity(n int) *int { return &n }

func panel(state billingviews.SeatPanelState) billingviews.SeatPanelProps {
	return billingviews.SeatPanelProps{
		OrganizationID: "org_4h2k9x", State: state, Billable: 9, Desired: 9, AtStripe: quantity(9), CheckedAt: now, CanManageBilling: true, CanManageMembers: true,
	}
}

func unsettled(state billingviews.SeatPanelState) billingviews.SeatPanelProps {
	p := panel(state)
	p.Billable, p.Desired, p.AtStripe = 11, 11, quantity(9)
	p.DueAt, p.NextAttemptAt, p.PollEvery = now.Add(30*time.Second), now.Add(12*time.Second), pollInterval
	return p
}

func running(status billing.SubscriptionStatus) billingviews.SubscriptionProps {
	return billingviews.SubscriptionProps{
		Status: status, Plan: "Pro", Interval: catalog.Yearly, Price: dollars(29000), PerSeat: true, Quantity: 9, RenewsAt: days(12),
		NextInvoice: &billingviews.NextInvoice{At: days(12), Amount: dollars(261000), Lines: []billingviews.ChangeLine{{Text: "9 people on Pro, 1 Dec 2026 to 1 Dec 2027", Amount: dollars(261000)}}},
		Card:        &billingviews.CardProps{Brand: "visa", Last4: "4242", Expires: "12/34"},
	}
}

// planOptions are the plans that a running plan can be changed to.
func planOptions(s *billingviews.SubscriptionProps) []billingviews.PlanOption {
	if s == nil || s.Status != billing.StatusActive && s.Status != billing.StatusTrialing || !s.EndsAt.IsZero() || s.Scheduled != nil {
		return nil
	}
	return []billingviews.PlanOption{
		{PlanID: "starter", Name: "Starter", Interval: catalog.Monthly, Price: dollars(900), PerSeat: true},
		{PlanID: "pro", Name: "Pro", Interval: catalog.Monthly, Price: dollars(2900), PerSeat: true},
		{PlanID: "house", Name: "House", Interval: catalog.Yearly, Price: dollars(990000)},
	}
}

func billingPanel(s *billingviews.SubscriptionProps) billingviews.PanelProps {
	p := billingviews.PanelProps{
		OrganizationID: "org_4h2k9x", OrganizationName: organizationName, People: 9, CanManageBilling: true, Subscription: s,
		BillingNames: []string{"Ana Lima", "Ben Okafor"}, Seats: panel(billingviews.SeatsInSync),
		Options: planOptions(s),
	}
	if s != nil {
		p.Seats.Status = s.Status
	}
	if s == nil || !s.Status.SeatsSynced() {
		p.Seats.State, p.Seats.AtStripe, p.Seats.CheckedAt = billingviews.SeatsNothingToSync, nil, time.Time{}
	}
	return p
}

func billingPage(p billingviews.PanelProps) billingviews.PageProps {
	return billingviews.PageProps{Layout: signedIn(layout.SectionOrganization), Organization: header(layout.TabBilling), Panel: p}
}

func subscribed(name, title string, status billing.SubscriptionStatus, change func(*billingviews.SubscriptionProps)) Specimen {
	s := running(status)
	if change != nil {
		change(&s)
	}
	return Specimen{Name: "billing-" + name, Title: title, Page: billingviews.Page(billingPage(billingPanel(&s)))}
}

func returned(name, title string, to billingviews.CheckoutReturn, s *billingviews.SubscriptionProps, change func(*billingviews.PanelProps)) Specimen {
	p := billingPanel(s)
	p.Return = to
	if change != nil {
		change(&p)
	}
	return Specimen{Name: "billing-" + name, Title: title, Page: billingviews.Page(billingPage(p))}
}

func failed(s *billingviews.SubscriptionProps) {
	s.Failure = &billingviews.PaymentFailure{Amount: dollars(261000), At: days(-16)}
}

// trouble is a payment that failed, for an admin.
func trouble(kind billing.TroubleKind) billingviews.PaymentTroubleProps {
	t := billingviews.PaymentTroubleProps{OrganizationID: "org_4h2k9x", CanManageBilling: true, Kind: kind, HasAccess: true, Now: now, Card: &billingviews.CardProps{Brand: "visa", Last4: "4242", Expires: "12/34"}}
	switch kind {
	case billing.TroublePastDue, billing.TroubleUnpaid:
		t.FailedAt, t.Reason, t.Step, t.CanPay = days(-16), "the card was declined", "Ask your bank, or use another card.", true
		t.Tried = true
	}
	switch kind {
	case billing.TroublePastDue, billing.TroubleUnpaid, billing.TroubleConfirm, billing.TroublePaying:
		t.Amount, t.InvoiceID, t.ConfirmHref = dollars(261000), "in_1", "/billing/invoices/in_1/stripe"
	}
	return t
}

func attempts(results ...string) []billingviews.AttemptRow {
	var rows []billingviews.AttemptRow
	for i, result := range results {
		rows = append(rows, billingviews.AttemptRow{At: days(-3 * i), Result: result})
	}
	return rows
}

// troubled is the billing tab of a plan whose payment needs somebody.
func troubled(name, title string, status billing.SubscriptionStatus, kind billing.TroubleKind, change func(*billingviews.PaymentTroubleProps)) Specimen {
	s, t := running(status), trouble(kind)
	if t.Amount.Currency != "" {
		failed(&s)
		s.AwaitsConfirmation = kind == billing.TroubleConfirm
	}
	if status != billing.StatusActive {
		s.NextInvoice = nil
	}
	if status == billing.StatusPaused || status == billing.StatusIncomplete || kind == billing.TroubleTrialCard {
		s.Card = nil
	}
	if change != nil {
		change(&t)
	}
	if s.Card != nil && t.Card != nil {
		s.Card = t.Card
	}
	p := billingPanel(&s)
	p.Trouble = &t
	return Specimen{Name: "billing-" + name, Title: title, Page: billingviews.Page(billingPage(p))}
}

func billingSpecimens() []Specimen {
	active := running(billing.StatusActive)
	const question = "/organization?tab=billing&session_id=cs_test_1&asked=3"
	return append([]Specimen{
		{Name: "billing-none", Title: "No subscription", Page: billingviews.Page(billingPage(billingPanel(nil)))},
		fullBilling(),
		readOnly("read-only", "Read-only", active),
		readOnly("read-only-past-due", "Read-only, payment failed", func() billingviews.SubscriptionProps { s := running(billing.StatusPastDue); failed(&s); return s }()),
		returned("settling", "Back from Checkout, not confirmed", billingviews.ReturnConfirming, nil, func(p *billingviews.PanelProps) { p.PollURL, p.PollEvery = question, pollInterval }),
		returned("waiting", "Back from Checkout, still not confirmed", billingviews.ReturnDelayed, nil, func(p *billingviews.PanelProps) { p.PollURL = question }),
		returned("settled", "Back from Checkout, confirmed", billingviews.ReturnConfirmed, &active, nil),
		returned("sold", "Back from Checkout, receipt and invitations", billingviews.ReturnConfirmed, &active, func(p *billingviews.PanelProps) {
			p.Ticket = &billingviews.TicketProps{
				Plan: "Pro", Interval: catalog.Yearly, People: 9, Paid: dollars(234900), Promoted: true, InvoiceHref: "/billing/invoices/in_1", NextAt: active.RenewsAt,
			}
			p.Invite = organizationviews.InvitePeople(organizationviews.InvitePeopleProps{
				OrganizationID: "org_4h2k9x", Planned: 12, Missing: 3, SeatPrice: "$290 / year", Addresses: make([]organizationviews.InviteAddress, 3),
			})
		}),
		returned("sold-alone", "Back from Checkout, nobody planned", billingviews.ReturnConfirmed, &active, func(p *billingviews.PanelProps) {
			p.Ticket = &billingviews.TicketProps{
				Plan: "Pro", Interval: catalog.Yearly, People: 9, Paid: dollars(261000), InvoiceHref: "/billing/invoices/in_1", NextAt: active.RenewsAt, InviteHref: "/organization/people",
			}
		}),
		returned("processing", "Back from Checkout, a delayed payment", billingviews.ReturnProcessing, &active, func(p *billingviews.PanelProps) {
			p.Ticket = &billingviews.TicketProps{Plan: "Pro", Interval: catalog.Yearly, People: 9, Processing: true, Total: dollars(261000), NextAt: active.RenewsAt}
		}),
		returned("trial-started", "Back from Checkout, a trial", billingviews.ReturnConfirmed, trialing(), func(p *billingviews.PanelProps) {
			p.Ticket = &billingviews.TicketProps{Plan: "Pro", Interval: catalog.Yearly, People: 9, TrialEndsAt: days(14)}
		}),
		returned("pack-bought", "Back from Checkout, a pack", billingviews.ReturnConfirmed, &active, func(p *billingviews.PanelProps) {
			p.Bought, p.Ticket = 500, &billingviews.TicketProps{Credits: 500, Paid: dollars(1000)}
		}),
		awaitingInvoice(),
		returned("left", "Checkout left", billingviews.ReturnCanceled, nil, nil),
	}, slices.Concat(statusSpecimens(), nextInvoiceSpecimens(), forecastSpecimens(), planChangeSpecimens(), invoiceSpecimens(), creditSpecimens())...)
}

func trialing() *billingviews.SubscriptionProps {
	s := running(billing.StatusTrialing)
	s.TrialEndsAt, s.RenewsAt, s.Card = days(14), days(14), nil
	return &s
}

func awaitingInvoice() Specimen {
	s := running(billing.StatusPastDue)
	s.NextInvoice = nil
	p := billingPanel(&s)
	p.AwaitsInvoice, p.PollURL, p.PollEvery = true, "/organization?poll=1&tab=billing", pollInterval
	p.Trouble = &billingviews.PaymentTroubleProps{OrganizationID: p.OrganizationID, CanManageBilling: true, Kind: billing.TroublePastDue, HasAccess: true}
	return Specimen{Name: "billing-awaits-invoice", Title: "Payment failed, the invoice not known yet", Page: billingviews.Page(billingPage(p))}
}

func statusSpecimens() []Specimen {
	return []Specimen{
		subscribed("active", "Active", billing.StatusActive, nil),
		subscribed("flat", "Active, flat price", billing.StatusActive, func(s *billingviews.SubscriptionProps) {
			s.PerSeat, s.Price, s.Card = false, catalog.Money{Minor: 1480000, Currency: "jpy"}, nil
			s.NextInvoice = &billingviews.NextInvoice{At: days(12), Amount: catalog.Money{Minor: 1480000, Currency: "jpy"}}
		}),
		subscribed("ends", "Ends at the period's end", billing.StatusActive, func(s *billingviews.SubscriptionProps) { s.EndsAt, s.NextInvoice = days(12), nil }),
		subscribed("deleting", "Ends with the organization", billing.StatusActive, func(s *billingviews.SubscriptionProps) {
			s.EndsAt, s.Deleting, s.NextInvoice = days(5), true, nil
		}),
		subscribed("trialing", "Trial", billing.StatusTrialing, func(s *billingviews.SubscriptionProps) { s.TrialEndsAt = days(12) }),
		troubled("past-due", "Payment failed", billing.StatusPastDue, billing.TroublePastDue, func(t *billingviews.PaymentTroubleProps) {
			t.NextTry, t.AccessUntil = days(3), days(5)
			t.Attempts = attempts("the card has insufficient funds", "the card was declined")
		}),
		troubled("past-due-first", "Payment failed, the attempt not known yet", billing.StatusPastDue, billing.TroublePastDue, func(t *billingviews.PaymentTroubleProps) {
			t.Tried, t.Reason, t.Step, t.AccessUntil = false, "", "", days(5)
		}),
		troubled("past-due-new-card", "Payment failed, another card is needed", billing.StatusPastDue, billing.TroublePastDue, func(t *billingviews.PaymentTroubleProps) {
			t.Reason, t.Step, t.CanPay, t.HasAccess, t.Attempts = "the card has expired", "Update the card to pay.", false, false, attempts("the card has expired")
		}),
		troubled("past-due-moved", "Payment failed, the amount moved", billing.StatusPastDue, billing.TroublePastDue, func(t *billingviews.PaymentTroubleProps) {
			t.Moved = dollars(290000)
		}),
		troubled("confirm", "Payment to be confirmed", billing.StatusPastDue, billing.TroubleConfirm, func(t *billingviews.PaymentTroubleProps) {
			t.AccessUntil, t.Attempts = days(5), attempts("the bank wants the payment confirmed")
		}),
		troubled("paying", "Payment on its way", billing.StatusPastDue, billing.TroublePaying, nil),
		troubled("paying-new-card", "Payment with a new card on its way", billing.StatusPastDue, billing.TroublePaying, func(t *billingviews.PaymentTroubleProps) { t.NewCard = true }),
		troubled("paying-received", "Payment received, the plan is not updated yet", billing.StatusPastDue, billing.TroublePaying, func(t *billingviews.PaymentTroubleProps) { t.Amount = catalog.Money{} }),
		troubled("past-due-ended", "Payment failed, access has ended", billing.StatusPastDue, billing.TroublePastDue, func(t *billingviews.PaymentTroubleProps) { t.HasAccess = false }),
		troubled("unpaid", "Unpaid", billing.StatusUnpaid, billing.TroubleUnpaid, func(t *billingviews.PaymentTroubleProps) {
			t.HasAccess, t.Attempts = false, attempts("the card was declined", "the card was declined")
		}),
		troubled("paused", "Paused", billing.StatusPaused, billing.TroublePaused, nil),
		troubled("paused-card", "Paused, with a card", billing.StatusPaused, billing.TroublePaused, func(t *billingviews.PaymentTroubleProps) { t.HasCard = true }),
		troubled("trial-card", "Trial without a card", billing.StatusTrialing, billing.TroubleTrialCard, func(t *billingviews.PaymentTroubleProps) { t.At = days(3) }),
		troubled("card-expiring", "Card expires before the next charge", billing.StatusActive, billing.TroubleCardExpiry, func(t *billingviews.PaymentTroubleProps) {
			t.At, t.NextCharge, t.Card = days(11), days(12), &billingviews.CardProps{Brand: "visa", Last4: "4242", Expires: "11/26"}
		}),
		troubled("incomplete", "First payment not finished", billing.StatusIncomplete, billing.TroubleIncomplete, func(t *billingviews.PaymentTroubleProps) { t.FinishHref = "/pricing" }),
		subscribed("incomplete-expired", "First payment expired", billing.StatusIncompleteExpired, nil),
		subscribed("canceled", "Ended", billing.StatusCanceled, func(s *billingviews.SubscriptionProps) { s.EndedAt = days(-4) }),
		endedOwing(),
		subscribed("unknown", "A status not known here", "on_hold", func(s *billingviews.SubscriptionProps) { s.NextInvoice = nil }),
	}
}

// endedOwing is a plan that ended while an invoice of it was open.
func endedOwing() Specimen {
	s := running(billing.StatusCanceled)
	s.EndedAt = days(-4)
	p := billingPanel(&s)
	open := invoiceRow(ui.BadgeProps{Tone: ui.Bad, Label: "Payment failed"})
	open.PayHref = invoiceHref + "/stripe"
	p.Invoices, p.InvoicesHref, p.History = []billingviews.InvoiceRow{open}, "/billing/invoices", invoiceHistory(failing(smallYear()))
	return Specimen{Name: "billing-canceled-owing", Title: "Ended, an invoice is open", Page: billingviews.Page(billingPage(p))}
}

func fullBilling() Specimen {
	s := running(billing.StatusActive)
	p := billingPanel(&s)
	p.Seats = unsettled(billingviews.SeatsDebouncing)
	p.Credits, p.CanBuyCredits = &billingviews.CreditsProps{
		Balance: 640, Granted: 1000, Next: 1000, ResetsAt: days(12), LastUntil: days(8), Href: "/billing/credits",
	}, true
	p.Invoices = []billingviews.InvoiceRow{
		{Number: "LYR-0004", Date: days(-16), Why: "Bo Lind and Cy added by Ana Petrović", Amount: dollars(4120), Status: ui.BadgeProps{Tone: ui.Good, Label: "Paid"}, Href: invoiceHref, PDFHref: invoiceHref + "/pdf"},
		{Number: "LYR-0003", Date: days(-353), Why: "Plan started", Amount: dollars(261000), Status: ui.BadgeProps{Tone: ui.Note, Label: "Partly refunded"}, Details: []string{"$58.00 refunded"}, Href: invoiceHref, PDFHref: invoiceHref + "/pdf"},
	}
	p.InvoicesHref, p.History = "/billing/invoices", invoiceHistory(smallYear())
	return Specimen{Name: "billing-full", Title: "Everything at once", Page: billingviews.Page(billingPage(p))}
}

func readOnly(name, title string, s billingviews.SubscriptionProps) Specimen {
	p := billingPanel(&s)
	p.CanManageBilling, p.Seats.CanManageBilling = false, false
	if s.Failure != nil {
		t := trouble(billing.TroublePastDue)
		t.CanManageBilling, t.NextTry = false, days(3)
		p.Trouble = &t
	}
	return Specimen{Name: "billing-" + name, Title: title, Page: billingviews.Page(billingPage(p))}
}

func planChangeSpecimens() []Specimen {
	const title = "Change of plan, "
	return []Specimen{
		subscribed("scheduled", title+"scheduled", billing.StatusActive, func(s *billingviews.SubscriptionProps) {
			s.Scheduled = &billingviews.ScheduledChange{Plan: "Starter", Interval: catalog.Monthly, PerSeat: true, Quantity: 9, At: days(12)}
			s.NextInvoice.Amount, s.NextInvoice.Lines = dollars(8100), []billingviews.ChangeLine{{Text: "9 people on Starter, 1 Dec 2026 to 1 Jan 2027", Amount: dollars(8100)}}
		}),
		subscribed("pending", title+"not paid", billing.StatusActive, func(s *billingviews.SubscriptionProps) {
			s.Pending = &billingviews.PendingChange{Plan: "House", Interval: catalog.Yearly, Until: now.Add(23 * time.Hour), PayHref: "/billing/invoices", Amount: dollars(729000)}
		}),
		subscribed("pending-bank", title+"to be confirmed with the bank", billing.StatusActive, func(s *billingviews.SubscriptionProps) {
			s.Pending = &billingviews.PendingChange{
				Plan: "House", Interval: catalog.Yearly, Until: now.Add(23 * time.Hour), PayHref: "/billing/invoices", Amount: dollars(729000), AwaitsConfirmation: true,
			}
		}),
		subscribed("sending", title+"being sent", billing.StatusActive, func(s *billingviews.SubscriptionProps) {
			s.Pending = &billingviews.PendingChange{Plan: "House", Interval: catalog.Yearly, Sending: true}
		}),
		subscribed("arranged", title+"scheduled by support", billing.StatusActive, func(s *billingviews.SubscriptionProps) {
			s.Scheduled = &billingviews.ScheduledChange{Plan: "House", Interval: catalog.Yearly, Quantity: 1, At: days(12), Arranged: true}
		}),
		subscribed("canceling", "Cancellation being sent", billing.StatusActive, func(s *billingviews.SubscriptionProps) { s.Canceling = true }),
		planChange("upgrade", title+"upgrade", func(*billingviews.PlanChangePageProps) {}),
		planChange("moved", title+"the amount moved", func(p *billingviews.PlanChangePageProps) { p.Moved = true }),
		planChange("downgrade", title+"downgrade", func(p *billingviews.PlanChangePageProps) {
			p.Timing, p.From, p.To = billingviews.ChangeAtPeriodEnd, p.To, p.From
			p.DueNow, p.Parts, p.NextAmount = dollars(0), nil, dollars(8100)
		}),
		planChange("trial", title+"in a trial", func(p *billingviews.PlanChangePageProps) {
			p.Timing, p.DueNow, p.Parts = billingviews.ChangeInTrial, dollars(0), nil
		}),
		planChange("credit", title+"credit", func(p *billingviews.PlanChangePageProps) {
			p.DueNow, p.Credit = dollars(0), dollars(1200)
			p.Parts[0].Amount, p.Parts[1].Amount = dollars(4200), dollars(-5400)
			p.Parts = append(p.Parts, billingviews.ChangePart{Kind: billing.PartBalance, Amount: dollars(1200)})
		}),
		planChange("parts", title+"every part", func(p *billingviews.PlanChangePageProps) {
			earlier := []billingviews.ChangeLine{
				{Text: "Unused time on 8 × Starter after 12 Nov 2026", Amount: dollars(-4800)}, {Text: "Remaining time on 9 × Starter after 12 Nov 2026", Amount: dollars(5400)},
			}
			p.DueNow = dollars(11150)
			p.Parts = append(p.Parts,
				billingviews.ChangePart{Kind: billing.PartEarlier, Amount: dollars(600), Lines: earlier},
				billingviews.ChangePart{Kind: billing.PartOther, Amount: dollars(500), Lines: []billingviews.ChangeLine{{Text: "Priority support", Amount: dollars(500)}}},
				billingviews.ChangePart{Kind: billing.PartDiscount, Amount: dollars(-2400)}, billingviews.ChangePart{Kind: billing.PartTax, Amount: dollars(950)},
				billingviews.ChangePart{Kind: billing.PartBalance, Amount: dollars(-500)},
			)
		}),
		cancelPage("", "Cancel a plan", func(*billingviews.CancelPageProps) {}),
		cancelPage("-moved", "Cancel a plan, renewed meanwhile", func(p *billingviews.CancelPageProps) { p.Moved = true }),
		cancelPage("-trial", "Cancel a trial", func(p *billingviews.CancelPageProps) {
			p.Trial, p.StillInvoiced, p.PlanCredits, p.OtherCredits, p.Scheduled = true, nil, 0, 0, nil
		}),
		cancelPage("-unknown", "Cancel a plan, Stripe does not answer", func(p *billingviews.CancelPageProps) {
			p.Unknown, p.StillInvoiced, p.Scheduled, p.Cheaper, p.OpenInvoice = true, nil, nil, nil, dollars(261000)
		}),
		cancelPage("-last", "Cancel a plan, Stripe answered before", func(p *billingviews.CancelPageProps) {
			p.Unknown, p.LastPending, p.LastPendingAt = true, p.StillInvoiced.Lines, now
			p.StillInvoiced = nil
		}),
		cancelPage("-last-none", "Cancel a plan, Stripe answered before that nothing is pending", func(p *billingviews.CancelPageProps) {
			p.Unknown, p.StillInvoiced, p.LastPendingAt = true, nil, now
		}),
		resumePage("", "Keep a canceled plan", func(*billingviews.ResumePageProps) {}),
		resumePage("-unknown", "Keep a canceled plan, Stripe does not answer", func(p *billingviews.ResumePageProps) { p.NextAt, p.Lines = time.Time{}, nil }),
	}
}

func cancelPage(name, title string, change func(*billingviews.CancelPageProps)) Specimen {
	starter := billingviews.PlanOption{PlanID: "starter", Name: "Starter", Interval: catalog.Yearly, Price: dollars(9000), PerSeat: true}
	p := billingviews.CancelPageProps{
		Layout: signedIn(layout.SectionOrganization), Organization: header(layout.TabBilling), OrganizationID: "org_4h2k9x",
		Plan: "Pro", Interval: catalog.Yearly, PerSeat: true, People: 9, EndsAt: days(12), PlanCredits: 640, OtherCredits: 200,
		StillInvoiced: &billingviews.StillInvoiced{Amount: dollars(4640), Lines: []billingviews.ChangeLine{
			{Text: "Unused time on 8 × Pro after 12 Nov 2026", Amount: dollars(-37120)}, {Text: "Remaining time on 9 × Pro after 12 Nov 2026", Amount: dollars(41760)},
		}},
		Scheduled: &billingviews.ScheduledChange{Plan: "Starter", Interval: catalog.Monthly, PerSeat: true, Quantity: 9, At: days(12)},
		Cheaper:   []billingviews.CheaperPlan{{PlanOption: starter, Total: dollars(81000)}},
	}
	if change(&p); p.Scheduled != nil {
		p.Cheaper = nil // a plan with a scheduled change can't be changed
	}
	return Specimen{Name: "cancel" + name, Title: title, Page: billingviews.CancelPage(p)}
}

func resumePage(name, title string, change func(*billingviews.ResumePageProps)) Specimen {
	p := billingviews.ResumePageProps{
		Layout: signedIn(layout.SectionOrganization), Organization: header(layout.TabBilling), OrganizationID: "org_4h2k9x",
		Plan: "Pro", Interval: catalog.Yearly, EndsAt: days(12), NextAt: days(12), NextAmount: dollars(261000),
		Lines: []billingviews.ChangeLine{{Text: "9 × Pro (at $290.00 / year)", Amount: dollars(261000)}},
	}
	change(&p)
	return Specimen{Name: "resume" + name, Title: title, Page: billingviews.ResumePage(p)}
}

func planChange(name, title string, change func(*billingviews.PlanChangePageProps)) Specimen {
	p := billingviews.PlanChangePageProps{
		Layout: signedIn(layout.SectionOrganization), Organization: header(layout.TabBilling), OrganizationID: "org_4h2k9x",
		From:   billingviews.PlanSide{Name: "Starter", Interval: catalog.Monthly, Price: dollars(900), PerSeat: true, Quantity: 9},
		To:     billingviews.PlanSide{Name: "Pro", Interval: catalog.Monthly, Price: dollars(2900), PerSeat: true, Quantity: 9},
		DueNow: dollars(12000), Parts: []billingviews.ChangePart{
			{Kind: billing.PartNewTime, Amount: dollars(17400), Lines: []billingviews.ChangeLine{{Text: "Remaining time on 9 × Pro after 19 Nov 2026", Amount: dollars(17400)}}},
			{Kind: billing.PartUnused, Amount: dollars(-5400), Lines: []billingviews.ChangeLine{{Text: "Unused time on 9 × Starter after 19 Nov 2026", Amount: dollars(-5400)}}},
		},
		NextAt: days(12), NextAmount: dollars(26100), Plan: "pro", Interval: catalog.Monthly, Confirm: "chg_4h2k9x",
	}
	change(&p)
	return Specimen{Name: "plan-change-" + name, Title: title, Page: billingviews.PlanChangePage(p)}
}
