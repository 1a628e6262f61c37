package gallery

import (
	"usher/billing"
	billingviews "usher/views/billing"
	"usher/views/layout"
)

func seatSpecimens() []Specimen {
	retrying, broken, payment := unsettled(billingviews.SeatsRetrying), unsettled(billingviews.SeatsFailed), unsettled(billingviews.SeatsPaymentNeeded)
	retrying.Attempt, retrying.Reason, retrying.RequestID = 2, "Stripe did not answer in time.", "req_8fQ2mZ"
	broken.Attempt, broken.Reason, broken.RequestID, broken.PollEvery = 8, "The card was declined, so Stripe did not take the new number.", "req_8fQ2mZ", 0
	payment.Reason, payment.InvoiceURL, payment.PollEvery = "The bank asks for a confirmation by the card's holder.", "/billing/invoices", 0
	payment.AtStripe = quantity(11)
	drift := unsettled(billingviews.SeatsDrift)
	drift.Billable, drift.Desired, drift.AtStripe = 9, 9, quantity(40)
	paid := panel(billingviews.SeatsInSync)
	paid.Billable, paid.PaidUntil = paid.Desired-2, days(11)
	nothing := panel(billingviews.SeatsNothingToSync)
	nothing.AtStripe = nil
	stopped := nothing
	stopped.Status = billing.StatusUnpaid
	crowded := panel(billingviews.SeatsSyncing)
	crowded.Billable, crowded.Desired, crowded.AtStripe, crowded.PollEvery = 1960, 1960, quantity(1948), pollInterval
	imported := panel(billingviews.SeatsUnconfirmed)
	imported.Billable, imported.Desired, imported.AtStripe = 3, 8, quantity(8)
	watched := broken
	watched.CanManageBilling = false
	return []Specimen{
		seatSpecimen("nothing", "No plan", nothing),
		seatSpecimen("stopped", "The plan has stopped", stopped),
		seatSpecimen("in-sync", "In sync", panel(billingviews.SeatsInSync)),
		seatSpecimen("paid", "In sync, paid until the renewal", paid),
		seatSpecimen("gathering", "Saving shortly", unsettled(billingviews.SeatsDebouncing)),
		seatSpecimen("queued", "Queued", unsettled(billingviews.SeatsQueued)),
		seatSpecimen("syncing", "Syncing, 1,960 seats", crowded),
		seatSpecimen("retrying", "Retrying", retrying),
		seatSpecimen("failed", "Failed", broken),
		seatSpecimen("failed-read-only", "Failed, read-only", watched),
		seatSpecimen("payment", "Payment needed", payment),
		seatSpecimen("drift", "Drift", drift),
		seatSpecimen("unconfirmed", "Imported, not confirmed", imported),
	}
}

func seatSpecimen(name, title string, p billingviews.SeatPanelProps) Specimen {
	return Specimen{Name: "seats-" + name, Title: title, Page: billingviews.SeatsPage(billingviews.SeatsPageProps{
		Layout: signedIn(layout.SectionOrganization), Organization: header(""), Panel: p, Chart: seatSteps(),
	})}
}
