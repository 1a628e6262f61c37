package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"usher/billing"
)

func runReconcile(ctx context.Context, inv *invocation) error {
	var options billing.ReconcileOptions
	inv.flags.BoolVar(&options.DryRun, "dry-run", false, "report differences without repairing them")
	inv.flags.StringVar(&options.OrganizationID, "org", "", "compare this organization only (org_…)")
	inv.jsonFlag()
	if err := inv.parseFlags(); err != nil {
		return err
	}
	return withService(ctx, inv, func(service *billing.Service) error {
		report, err := service.Reconciler.Reconcile(ctx, options)
		if report.ID == "" {
			return err
		}
		return errors.Join(err, inv.print(report, formatReport(report)))
	})
}

func formatReport(r billing.DriftReport) string {
	var text strings.Builder
	for _, d := range r.Drifts {
		state := "found"
		switch {
		case d.Repaired:
			state = "repaired"
		case d.Error != "":
			state = "not repaired: " + d.Error
		case !r.DryRun:
			state = "not repaired"
		}
		fmt.Fprintf(&text, "%-20s %-32s %s (%s)\n", d.Kind, d.ObjectID, d.Difference, state)
		if d.Remediation != "" {
			fmt.Fprintf(&text, "%-20s %s\n", "", d.Remediation)
		}
	}
	fmt.Fprintf(&text, "%d events read; %d subscriptions, %d invoices, %d refunds and disputes, %d customers, "+
		"%d open Checkout sessions compared; %d differences. %d calls to Stripe.\n",
		r.Events, r.Subscriptions, r.Invoices, r.Charges, r.Customers, r.Checkouts, len(r.Drifts), r.Calls)
	return text.String()
}
