package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"

	"usher/billing"
)

func reconcileCommand() command {
	return command{
		name: "reconcile", summary: "compare with Stripe and repair what differs", usage: "[--dry-run] [--org ID] [--json]",
		prepare: func(set *flag.FlagSet) func(context.Context, program, []string) error {
			var o billing.ReconcileOptions
			set.BoolVar(&o.DryRun, "dry-run", false, "find what differs and repair nothing")
			set.StringVar(&o.OrganizationID, "org", "", "compare this organization only (org_…)")
			asJSON := set.Bool("json", false, "print the report as JSON")
			return func(ctx context.Context, p program, args []string) error {
				if err := noArguments(args); err != nil {
					return err
				}
				return reconcile(ctx, p, o, *asJSON)
			}
		},
	}
}

func reconcile(ctx context.Context, p program, o billing.ReconcileOptions, asJSON bool) (err error) {
	started := &parts{}
	defer func() { err = errors.Join(err, started.stop()) }()
	service, err := openTools(ctx, p, started)
	if err != nil {
		return err
	}
	report, err := service.Reconcile(ctx, o)
	if asJSON && report.ID != "" {
		return errors.Join(err, json.NewEncoder(p.stdout).Encode(report))
	}
	if report.ID != "" {
		printReport(p, report)
	}
	return err
}

func printReport(p program, r billing.DriftReport) {
	for _, d := range r.Drifts {
		state := "found"
		switch {
		case d.Repaired:
			state = "repaired"
		case d.Error != "":
			state = "not repaired: " + d.Error
		}
		fmt.Fprintf(p.stdout, "%-12s %-32s %s (%s)\n", d.Kind, d.ObjectID, d.Difference, state)
	}
	fmt.Fprintf(p.stdout, "%d events read; %d subscriptions, %d invoices, %d customers, %d open sessions of Checkout compared; %d differences.\n",
		r.Events, r.Subscriptions, r.Invoices, r.Customers, r.Checkouts, len(r.Drifts))
}
