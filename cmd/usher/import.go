package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"usher/billing"
)

func runImport(ctx context.Context, inv *invocation) error {
	dryRun := inv.flags.Bool("dry-run", false, "print what would be imported, change nothing")
	perSecond := inv.flags.Int("calls-per-second", 20, "calls to Stripe in a second, at most; a live account allows 100")
	maxCalls := inv.flags.Int("max-calls", 0, "begin no other organization after this many calls; the next run continues (default no limit)")
	again := inv.flags.Bool("invite-again", false, "send expired invitations of owners again")
	inv.jsonFlag()
	args, err := inv.parse()
	if err != nil {
		return err
	}
	switch {
	case len(args) != 1 || args[0] != "stripe":
		return usageError("takes one argument, stripe")
	case *perSecond < 1 || *perSecond > 1000:
		return usageError("--calls-per-second is from 1 to 1000")
	case *maxCalls < 0:
		return usageError("--max-calls is not negative")
	}
	return withService(ctx, inv, func(service *billing.Service) error {
		report, err := service.Importer.Import(ctx, billing.ImportOptions{
			DryRun: *dryRun, CallsPerSecond: *perSecond, MaxCalls: *maxCalls, InviteAgain: *again,
		})
		if printed := inv.print(report, formatImport(report)); printed != nil {
			return printed
		}
		if err == nil && len(report.Failed) > 0 {
			err = fmt.Errorf("%d customers failed; run it again", len(report.Failed))
		}
		return err
	})
}

// leftReasons say why customers are left alone, in the order of the output.
var leftReasons = []struct {
	reason billing.ImportReason
	text   string
}{
	{billing.LeftLinked, "belong to an organization already"},
	{billing.LeftForeign, "have no subscription to a plan of the catalog"},
	{billing.LeftEnded, "had a plan that has ended"},
	{billing.LeftIncomplete, "have not made the first payment"},
	{billing.LeftSeveral, "pay for several plans"},
	{billing.LeftOtherOrganization, "name another organization"},
	{billing.LeftNoEmail, "have no e-mail address"},
	{billing.LeftInvalidEmail, "have an invalid e-mail address"},
	{billing.LeftCurrency, "pay in a currency in which no plan is sold"},
	{billing.LeftDeleted, "are deleted at Stripe"},
}

func formatImport(r billing.ImportReport) string {
	var text strings.Builder
	verb := "Imported"
	if r.DryRun {
		verb = "Would import"
	}
	for _, i := range r.Imported {
		fmt.Fprintf(&text, "%s  %-22s %-24s %s × %d, %s, %s\n", i.CustomerID, cmp.Or(i.OrganizationID, "-"), i.Name, i.Plan, i.Quantity, i.Status, i.Email)
	}
	byReason := map[billing.ImportReason][]billing.LeftAlone{}
	for _, left := range r.LeftAlone {
		byReason[left.Reason] = append(byReason[left.Reason], left)
	}
	fmt.Fprintf(&text, "%s %d of %d customers with a subscription.\n", verb, len(r.Imported), r.Customers)
	for _, group := range leftReasons {
		writeLeftAlone(&text, group.text, byReason[group.reason], group.reason == billing.LeftLinked)
	}
	for _, failed := range r.Failed {
		fmt.Fprintf(&text, "Failed: %s: %s\n", failed.CustomerID, failed.Error)
	}
	if r.Relinked > 0 {
		fmt.Fprintf(&text, "Named the organization at %d customers that an earlier run had imported.\n", r.Relinked)
	}
	if r.InvitedAgain > 0 {
		fmt.Fprintf(&text, "Sent %d expired invitations again.\n", r.InvitedAgain)
	}
	if r.Stopped {
		text.WriteString("Stopped before the end: run it again to continue.\n")
	}
	return text.String()
}

// writeLeftAlone writes a reason and the customers that it is about; only their number if brief.
func writeLeftAlone(text *strings.Builder, reason string, left []billing.LeftAlone, brief bool) {
	if len(left) == 0 {
		return
	}
	fmt.Fprintf(text, "Left alone: %d that %s.\n", len(left), reason)
	if brief {
		return
	}
	for _, l := range left {
		fmt.Fprintf(text, "  %s\n", strings.TrimRight(strings.Join([]string{l.CustomerID, l.Email, l.Detail}, "  "), " "))
	}
}
