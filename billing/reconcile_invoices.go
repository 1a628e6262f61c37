package billing

import (
	"context"
	"fmt"
	"strings"

	"usher/billing/apperr"
)

// Cursors of the comparisons that read lists of the whole account first.
const (
	listCursor     = "list:"     // a page of the account's list
	customerCursor = "customer:" // the last customer whose list was read
	openCursor     = "open:"     // the last open invoice that was read alone
)

// compareInvoices compares the invoices of the last weeks, and open ones of any age. The list of
// the account costs least if most of it is ours. If it is longer than our customers explain, the
// lists of our customers are read instead.
func (c *reconcileRun) compareInvoices(ctx context.Context, after string) (string, error) {
	if c.options.OrganizationID != "" {
		return "", c.compareOrganizationInvoices(ctx)
	}
	if last, ok := strings.CutPrefix(after, openCursor); ok {
		return c.compareOpenInvoices(ctx, last)
	}
	if last, ok := strings.CutPrefix(after, customerCursor); ok {
		return c.compareCustomerInvoices(ctx, last)
	}
	page, err := fetch(ctx, c, func() (Page[Invoice], error) {
		return c.gateway.AccountInvoices(ctx, c.Now().Add(-invoiceWindow), strings.TrimPrefix(after, listCursor))
	})
	if apperr.IsMissing(err) && after != "" { // a draft was deleted: begin anew
		return listCursor, nil
	}
	if err != nil {
		return "", err
	}
	if err := c.compareInvoiceList(ctx, page.Items); err != nil {
		return "", err
	}
	switch {
	case page.Next == "":
		return openCursor, nil
	case c.state.Progress.Units+1 >= c.pageLimit():
		return customerCursor, nil
	}
	return listCursor + page.Next, nil
}

// compareCustomerInvoices compares the invoices of one customer that has or had a subscription
// lately.
func (c *reconcileRun) compareCustomerInvoices(ctx context.Context, last string) (string, error) {
	since := c.Now().Add(-invoiceWindow)
	links, err := c.store.Customers().LinksSubscribedSince(ctx, c.account, since, last, 1)
	if err != nil {
		return "", err
	}
	if len(links) == 0 {
		return openCursor, nil
	}
	listed, err := fetch(ctx, c, func() ([]Invoice, error) { return c.gateway.Invoices(ctx, links[0].StripeCustomerID, since) })
	if err != nil && !apperr.IsMissing(err) {
		return "", err
	}
	return customerCursor + links[0].StripeCustomerID, c.compareInvoiceList(ctx, listed)
}

func (c *reconcileRun) compareOrganizationInvoices(ctx context.Context) error {
	links, err := c.organizationLinks(ctx)
	if err != nil {
		return err
	}
	for _, link := range links {
		listed, err := fetch(ctx, c, func() ([]Invoice, error) {
			return c.gateway.Invoices(ctx, link.StripeCustomerID, c.Now().Add(-organizationWindow))
		})
		if err != nil && !apperr.IsMissing(err) {
			return err
		}
		if err := c.compareInvoiceList(ctx, listed); err != nil {
			return err
		}
	}
	for after := openCursor; after != ""; {
		if after, err = c.compareOpenInvoices(ctx, strings.TrimPrefix(after, openCursor)); err != nil {
			return err
		}
	}
	return nil
}

func (c *reconcileRun) compareInvoiceList(ctx context.Context, listed []Invoice) error {
	links, err := c.linksOf(ctx, mapSlice(listed, func(i Invoice) string { return i.CustomerID }))
	if err != nil {
		return err
	}
	for _, remote := range listed {
		link, linked := links[remote.CustomerID]
		if !linked {
			continue // another application's
		}
		c.seen[remote.ID] = true
		if err := c.compareInvoice(ctx, link.OrganizationID, remote); err != nil {
			return err
		}
	}
	return nil
}

func (c *reconcileRun) compareInvoice(ctx context.Context, organizationID string, remote Invoice) error {
	c.report.Invoices++
	stored, _, err := apperr.Found(c.store.Invoices().Get(ctx, remote.ID))
	if err != nil {
		return err
	}
	difference := invoiceDrift(stored, remote)
	if difference == "" {
		return nil
	}
	return c.addDrift(ctx, Drift{Kind: DriftInvoice, ObjectID: remote.ID, OrganizationID: organizationID, Difference: difference},
		func(ctx context.Context) error { return c.invoices.refetch(ctx, remote.ID) })
}

// compareOpenInvoices compares one open invoice that is older than the list or on a test clock.
func (c *reconcileRun) compareOpenInvoices(ctx context.Context, last string) (string, error) {
	if c.open == nil {
		var err error
		if c.open, err = c.store.Invoices().Open(ctx, c.account, c.options.OrganizationID); err != nil {
			return "", err
		}
	}
	for _, local := range c.open {
		if local.ID > last && !c.seen[local.ID] {
			return openCursor + local.ID, c.compareUnlistedInvoice(ctx, local)
		}
	}
	return "", nil
}

// compareUnlistedInvoice compares an invoice with Stripe's. A draft may be deleted there.
func (c *reconcileRun) compareUnlistedInvoice(ctx context.Context, local Invoice) error {
	c.report.Invoices++
	remote, err := fetch(ctx, c, func() (Invoice, error) { return c.gateway.Invoice(ctx, local.ID) })
	if apperr.IsMissing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	difference := invoiceDrift(local, remote)
	if difference == "" {
		return nil
	}
	return c.addDrift(ctx, Drift{Kind: DriftInvoice, ObjectID: local.ID, OrganizationID: local.OrganizationID, Difference: difference},
		func(ctx context.Context) error { return c.invoices.refetch(ctx, local.ID) })
}

// comparePaidInvoices finds paid invoices of plans whose credits were not granted: their price was
// not known when they were paid. It does one page of the stored invoices.
func (c *reconcileRun) comparePaidInvoices(ctx context.Context, after string) (string, error) {
	missing, next, err := c.credits.missingFor(ctx, c.options.OrganizationID, after)
	if err != nil {
		return "", err
	}
	for _, invoice := range missing {
		drift := Drift{
			Kind: DriftCredits, ObjectID: invoice.ID, OrganizationID: invoice.OrganizationID,
			Difference: fmt.Sprintf("%s paid, no credits recorded", invoice.TotalMoney().Format()),
		}
		if err := c.addDrift(ctx, drift, func(ctx context.Context) error { return c.recordCredits(ctx, invoice.ID) }); err != nil {
			return "", err
		}
	}
	return next, nil
}

// recordCredits refetches an invoice, which records its credits if its prices are known.
func (c *reconcileRun) recordCredits(ctx context.Context, invoiceID string) error {
	if err := c.invoices.refetch(ctx, invoiceID); err != nil {
		return err
	}
	stored, err := c.store.Invoices().Get(ctx, invoiceID)
	if err != nil {
		return err
	}
	stored.Lines = stored.CreditLines
	if unknown := c.unknown(stored.prices()); len(unknown) > 0 {
		return fmt.Errorf("the prices %s are not known", strings.Join(unknown, ", "))
	}
	return nil
}
