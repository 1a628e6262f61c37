package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"usher/billing"
)

func runLinkCustomer(ctx context.Context, inv *invocation) error {
	customer := inv.flags.String("customer", "", "the customer at Stripe (cus_…)")
	organization := inv.flags.String("org", "", "the organization it pays for (org_…)")
	dryRun := inv.flags.Bool("dry-run", false, "check and print what would be linked, change nothing")
	inv.jsonFlag()
	if err := inv.parseFlags(); err != nil {
		return err
	}
	if !strings.HasPrefix(*customer, "cus_") || !strings.HasPrefix(*organization, "org_") {
		return usageError("needs --customer cus_… and --org org_…")
	}
	return withService(ctx, inv, func(service *billing.Service) error {
		linking, err := service.Reconciler.LinkCustomer(ctx, *customer, *organization, *dryRun)
		if linking.Report.ID == "" && err != nil {
			return err
		}
		return errors.Join(err, inv.print(newLinkingView(linking), formatLinking(linking)))
	})
}

// linkingView is what --json prints.
type linkingView struct {
	CustomerID     string                   `json:"customerId"`
	OrganizationID string                   `json:"organizationId"`
	DryRun         bool                     `json:"dryRun"`
	AlreadyLinked  bool                     `json:"alreadyLinked"`
	BilledMembers  int                      `json:"billedMembers"`
	Subscriptions  []linkedSubscriptionView `json:"subscriptions"`
	Report         *billing.DriftReport     `json:"report,omitempty"` // absent after a dry run
}

type linkedSubscriptionView struct {
	ID       string                     `json:"id"`
	Status   billing.SubscriptionStatus `json:"status"`
	PriceID  string                     `json:"priceId"`
	Quantity int                        `json:"quantity"`
}

func newLinkingView(a billing.CustomerLinking) linkingView {
	view := linkingView{
		CustomerID: a.Customer.ID, OrganizationID: a.Organization.ID, DryRun: a.DryRun, AlreadyLinked: a.AlreadyLinked,
		BilledMembers: a.Billed, Subscriptions: []linkedSubscriptionView{},
	}
	for _, s := range a.Subscriptions {
		view.Subscriptions = append(view.Subscriptions, linkedSubscriptionView{s.ID, s.Status, s.PriceID, s.Quantity})
	}
	if !a.DryRun {
		view.Report = &a.Report
	}
	return view
}

func formatLinking(a billing.CustomerLinking) string {
	var text strings.Builder
	verb := "is linked"
	switch {
	case a.AlreadyLinked:
		verb = "was linked already"
	case a.DryRun:
		verb = "would be linked"
	}
	fmt.Fprintf(&text, "Customer %s (%s) %s to the organization %s (%s).\n", a.Customer.ID, a.Customer.Email, verb, a.Organization.ID, a.Organization.Name)
	for _, s := range a.Subscriptions {
		fmt.Fprintf(&text, "Subscription %s: %s, %d seats at Stripe, %d billed members here.\n", s.ID, s.Status, s.Quantity, a.Billed)
		if s.Quantity > max(1, a.Billed) {
			text.WriteString("  Usher sets the seats to the members: add the missing members first, or the organization pays for fewer.\n")
		}
	}
	if !a.DryRun {
		text.WriteString(formatReport(a.Report))
	}
	return text.String()
}
