package gallery

import (
	"time"

	"usher/billing"
	"usher/billing/account"
	adminviews "usher/views/admin"
	"usher/views/layout"
)

// operationsSpecimens are the operators' pages: with nothing to do, and with every problem.
func operationsSpecimens() []Specimen {
	ill := wellRunning()
	ill.Backlog = billing.Backlog{
		PendingEvents: 12, OldestPending: ago(2 * time.Hour), FailedEvents: 2, FailedSince: ago(26 * time.Hour), FailingSeats: 1, PendingSeats: 4,
		SecondSubscriptions: 1, FailedDuplicates: 1, MischargedChanges: 1, MissedEvents: 6, PricesNotOffered: 1, QueuedMails: 3, FailedMails: 1,
		Drifts: map[billing.DriftKind]int{billing.DriftInvoice: 2}, ComparedAt: ago(40 * time.Minute), Jobs: map[string]int{"available": 3, "completed": 1204},
	}
	ill.Problems = ill.Backlog.Problems(now)
	ill.Hours[20].Failed = 2
	quiet := adminviews.HealthProps{Hours: emptyHours()}
	return []Specimen{
		{Name: "operations", Title: "Events, all good", Page: adminviews.EventsPage(eventsProps(wellRunning(), storedEvents()))},
		{Name: "operations-problems", Title: "Events, with every problem", Page: adminviews.EventsPage(eventsProps(ill, failedEvents()))},
		{Name: "operations-first", Title: "Events, before the first", Page: adminviews.EventsPage(eventsProps(quiet, nil))},
		{Name: "operations-jobs", Title: "Jobs", Page: adminviews.JobsPage(adminviews.JobsPageProps{Layout: signedIn(layout.SectionOperations), Health: ill})},
		{Name: "operations-organization", Title: "An organization", Page: adminviews.OrganizationPage(organizationFile())},
		{Name: "operations-drift", Title: "Drift", Page: adminviews.DriftPage(adminviews.DriftPageProps{Layout: signedIn(layout.SectionOperations), Reports: driftReports()})},
	}
}

func ago(d time.Duration) *time.Time {
	t := now.Add(-d)
	return &t
}

func eventsProps(health adminviews.HealthProps, events []billing.StoredEvent) adminviews.EventsPageProps {
	return adminviews.EventsPageProps{Layout: signedIn(layout.SectionOperations), Health: health, Filter: adminviews.EventFilter("", ""), Events: events}
}

func wellRunning() adminviews.HealthProps {
	hours := emptyHours()
	for i, n := range []int{3, 0, 0, 0, 1, 0, 0, 4, 12, 30, 41, 38, 22, 35, 44, 96, 51, 33, 20, 14, 9, 6, 5, 2} {
		hours[i].Events = n
	}
	return adminviews.HealthProps{Backlog: billing.Backlog{ComparedAt: ago(12 * time.Minute)}, Hours: hours}
}

func emptyHours() []billing.EventHour {
	hours := make([]billing.EventHour, 24)
	for i := range hours {
		hours[i].Hour = now.Truncate(time.Hour).Add(time.Duration(i-23) * time.Hour)
	}
	return hours
}

func storedEvents() []billing.StoredEvent {
	var events []billing.StoredEvent
	for i, kind := range []string{
		"invoice.paid", "customer.subscription.updated", "customer.subscription.updated", "customer.subscription.updated", "checkout.session.completed",
	} {
		events = append(events, billing.StoredEvent{
			Event: billing.Event{ID: "evt_1PqLkT2eZvKYlo2C" + string(rune('a'+i)), Type: kind}, OrganizationID: "org_4h2k9x", Outcome: billing.OutcomeApplied,
			ReceivedAt: now.Add(-time.Duration(i*7) * time.Second),
		})
	}
	return events
}

func failedEvents() []billing.StoredEvent {
	events := storedEvents()
	events[0].Outcome, events[0].Error, events[0].OrganizationID = billing.OutcomeFailed, "price price_1PqLkT is not in the catalog", ""
	events[4].Outcome = billing.OutcomePending
	return events
}

func organizationFile() adminviews.OrganizationPageProps {
	report := driftReports()[3]
	file := billing.OrganizationDetails{
		Overview: billing.Overview{
			Organization: account.Organization{ID: "org_4h2k9x", Name: "Lyric Street Theatre"}, CustomerID: "cus_PqLkT2eZvKYlo2", HasAccess: true,
			Seats: billing.SeatsOverview{Billable: 9, Desired: 9, Quantity: 9},
		},
		Subscriptions: []billing.Subscription{{ID: "sub_1PqLkT2eZvKYlo2C", Status: billing.StatusActive, PriceID: "price_pro", Quantity: 9, IsCurrent: true, AsOf: now}},
		Foreign: []billing.Subscription{{
			ID: "sub_1PqSup2eZvKYlo2C", Status: billing.StatusActive, AsOf: now, Items: []billing.SubscriptionItem{{PriceID: "price_support", Name: "Priority support", Quantity: 1}},
		}},
		Events: storedEvents(), Compared: &report,
	}
	return adminviews.OrganizationPageProps{Layout: signedIn(layout.SectionOperations), File: file}
}

func driftReports() []billing.DriftReport {
	report := billing.DriftReport{StartedAt: now, FinishedAt: now.Add(84 * time.Millisecond), Calls: 6, Subscriptions: 4, Invoices: 12, Customers: 3}
	found := report
	found.Drifts = []billing.Drift{
		{Kind: billing.DriftStatus, ObjectID: "sub_1PqLkT2eZvKYlo2C", Difference: "status active here, past_due at Stripe", Repaired: true},
		{Kind: billing.DriftDuplicate, ObjectID: "sub_1PqMnB2eZvKYlo2C", Difference: "a second subscription of org_4h2k9x", Remediation: "Cancel one of them at Stripe."},
	}
	stopped := report
	stopped.Error = "list invoices: Stripe did not answer"
	return []billing.DriftReport{report, report, report, found, stopped}
}
