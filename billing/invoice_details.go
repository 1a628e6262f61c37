package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usher/billing/account"
	"usher/billing/apperr"
)

// InvoiceDetails are the lines and amounts of an invoice, as far as its explanation needs them.
type InvoiceDetails struct {
	InvoiceID      string `db:"invoice_id"`
	OrganizationID string `db:"organization_id"`
	Account        string `db:"account"`
	Livemode       bool   `db:"livemode"`
	InvoiceTotals
	Lines       []InvoiceLine `db:"lines,json"`
	FailureCode string        `db:"failure_code"` // see [Invoice.FailureCode]
	AsOf        time.Time     `db:"as_of"`
}

func (i Invoice) details() InvoiceDetails {
	details := InvoiceDetails{
		InvoiceID: i.ID, OrganizationID: i.OrganizationID, Account: i.Account, Livemode: i.Livemode,
		InvoiceTotals: i.Totals, Lines: i.Lines, FailureCode: i.FailureCode, AsOf: i.AsOf,
	}
	if details.Lines == nil {
		details.Lines = []InvoiceLine{}
	}
	return details
}

// ExplainedInvoice is an invoice with the causes of its lines.
type ExplainedInvoice struct {
	Invoice
	Explanation Explanation
	// Known is false if its lines are not stored and Stripe did not answer.
	Known bool
	// Stale means that Stripe was asked for the present state and did not answer.
	Stale bool
}

// Explained reads an invoice of the organization and explains it. Lines that are not stored, and
// an invoice that is not paid yet, are fetched from Stripe first, for at most 3 seconds; if Stripe
// does not answer, the stored state is returned as Stale. Errors: CodeForbidden;
// [apperr.ErrNotFound].
func (iv *Invoices) Explained(ctx context.Context, a account.Access, id string) (ExplainedInvoice, error) {
	if err := a.RequireBilling(); err != nil {
		return ExplainedInvoice{}, err
	}
	if err := iv.requireOwn(ctx, a, id); err != nil {
		return ExplainedInvoice{}, err
	}
	stale, err := iv.refetchIncomplete(ctx, a, id)
	if err != nil {
		return ExplainedInvoice{}, err
	}
	invoice, err := iv.store.Invoices().Read(ctx, a.Organization.ID, iv.knownAccount(), id)
	if err != nil {
		return ExplainedInvoice{}, fmt.Errorf("read invoice: %w", err)
	}
	explained, err := iv.explainAll(ctx, a, []Invoice{invoice}, false)
	if err != nil {
		return ExplainedInvoice{}, err
	}
	explained[0].Stale = stale
	return explained[0], nil
}

// refetchIncomplete fetches an invoice whose details are not stored, or that is still to be paid.
// stale means that Stripe did not answer.
func (iv *Invoices) refetchIncomplete(ctx context.Context, a account.Access, id string) (stale bool, err error) {
	stored, known, err := apperr.Found(iv.store.Invoices().Get(ctx, id))
	if err != nil {
		return false, fmt.Errorf("read invoice: %w", err)
	}
	if known && stored.Status != InvoiceOpen {
		details, err := iv.store.InvoiceDetails().List(ctx, a.Organization.ID, []string{id})
		if err != nil {
			return false, fmt.Errorf("read invoice details: %w", err)
		}
		if len(details) > 0 && details[0].current(stored) {
			return false, nil
		}
	}
	fetchCtx, cancel := iv.limitStripe(ctx)
	defer cancel()
	err = iv.refetch(fetchCtx, id)
	var unknown *unknownPriceError
	switch {
	case err == nil, errors.As(err, &unknown):
		return false, nil
	case ctx.Err() != nil:
		return false, ctx.Err()
	case !known || errors.Is(err, apperr.ErrNotFound):
		return false, apperr.ErrNotFound
	}
	iv.Log.WarnContext(ctx, "invoice not refreshed", "organization_id", a.Organization.ID, "invoice_id", id, "err", err)
	return true, nil
}

// detailsMargin is how much older than an invoice's finalization its details may seem: Stripe gives
// whole seconds, and a snapshot is dated at the start of its request.
const detailsMargin = time.Minute

// current reports whether the details are of the invoice's present state. A draft gets lines until
// it is finalized, and a program that runs beside this one may not have stored them.
func (d InvoiceDetails) current(invoice Invoice) bool {
	return d.Total == invoice.Total && (invoice.FinalizedAt == nil || !d.AsOf.Before(invoice.FinalizedAt.Add(-detailsMargin)))
}

// explainAll explains stored invoices of the organization, in brief or with everybody who was
// billed.
func (iv *Invoices) explainAll(ctx context.Context, a account.Access, invoices []Invoice, brief bool) ([]ExplainedInvoice, error) {
	ids := make([]string, 0, len(invoices))
	for _, invoice := range invoices {
		ids = append(ids, invoice.ID)
	}
	stored, err := iv.store.InvoiceDetails().List(ctx, a.Organization.ID, ids)
	if err != nil {
		return nil, fmt.Errorf("list invoice details: %w", err)
	}
	details := make(map[string]InvoiceDetails, len(stored))
	var lines [][]InvoiceLine
	for _, d := range stored {
		details[d.InvoiceID], lines = d, append(lines, d.Lines)
	}
	var sources LineSources
	if brief {
		sources, err = iv.briefSources(ctx, a.Organization.ID, lines...)
	} else {
		sources, err = iv.lineSources(ctx, a.Organization.ID)
	}
	if err != nil {
		return nil, err
	}
	explained := make([]ExplainedInvoice, 0, len(invoices))
	for _, invoice := range invoices {
		d, known := details[invoice.ID]
		known = known && d.current(invoice)
		if !known {
			d = InvoiceDetails{InvoiceTotals: InvoiceTotals{Total: invoice.Total, AmountDue: invoice.AmountDue + invoice.AmountPaid}}
		}
		invoice.Lines, invoice.Totals, invoice.FailureCode = d.Lines, d.InvoiceTotals, d.FailureCode
		sources.Currency = invoice.Currency
		explained = append(explained, ExplainedInvoice{Invoice: invoice, Known: known, Explanation: explainInvoice(d.Lines, d.InvoiceTotals, sources)})
	}
	return explained, nil
}

// InvoiceSearch filters and pages an organization's invoices.
type InvoiceSearch struct {
	Year   int // in UTC; 0: all
	Offset int
	Limit  int  // at most [InvoiceLimit]
	Brief  bool // without the people of whole periods; see [Explanation.Causes]
}

// InvoiceLimit is the maximum number of invoices of one search.
const InvoiceLimit = 1000

// Search lists the matching invoices explained, newest first, and the number of all matches. It
// reads nothing from Stripe: an invoice whose lines are not stored is not Known. Error:
// CodeForbidden.
func (iv *Invoices) Search(ctx context.Context, a account.Access, search InvoiceSearch) (invoices []ExplainedInvoice, total int, err error) {
	if err := a.RequireBillingRead(); err != nil {
		return nil, 0, err
	}
	search.Limit = min(search.Limit, InvoiceLimit)
	found, total, err := iv.store.Invoices().Search(ctx, a.Organization.ID, iv.knownAccount(), search)
	if err != nil {
		return nil, 0, fmt.Errorf("search invoices: %w", err)
	}
	invoices, err = iv.explainAll(ctx, a, found, search.Brief)
	return invoices, total, err
}

// Years lists the years of the organization's invoices, newest first. Error: CodeForbidden.
func (iv *Invoices) Years(ctx context.Context, a account.Access) ([]int, error) {
	if err := a.RequireBilling(); err != nil {
		return nil, err
	}
	return iv.store.Invoices().Years(ctx, a.Organization.ID, iv.knownAccount())
}

// InvoiceCause is one of the reasons why an invoice was made.
type InvoiceCause struct {
	Kind   LineReason
	Name   string   // of a pack or another item; empty: not known
	People []string // whose seats changed; nil with [LineSeatsAdded]: not known
	By     string   // who changed them, if it was one other person
}

// Causes says why an invoice was made: the plan and further items in the order of the lines, then
// people who got a seat, people who lost theirs, and changes of seats without people. Each is named
// once. Nil: the lines do not say it.
func (e Explanation) Causes() []InvoiceCause {
	var causes []InvoiceCause
	var added, removed []LinePerson
	unnamed := false // a line about seats without people
	for _, line := range e.Lines {
		switch line.Reason {
		case LinePlanBegan, LineRenewal, LinePlanChanged, LinePlanEnded:
			causes = append(causes, InvoiceCause{Kind: line.Reason})
		case LinePack, LineOther, LineUsage:
			causes = append(causes, InvoiceCause{Kind: line.Reason, Name: line.Item})
		case LineSeatsAdded, LineSeatsRemoved:
			unnamed = unnamed || len(line.People) == 0
			for _, person := range line.People {
				if person.Left {
					removed = append(removed, person)
				} else {
					added = append(added, person)
				}
			}
		}
	}
	if len(added) > 0 {
		causes = append(causes, peopleCause(LineSeatsAdded, added))
	}
	if len(removed) > 0 {
		causes = append(causes, peopleCause(LineSeatsRemoved, removed))
	}
	if unnamed {
		causes = append(causes, InvoiceCause{Kind: LineSeatsAdded})
	}
	return causes
}

// peopleCause names people whose seats changed, and who changed them if it was one person.
func peopleCause(kind LineReason, people []LinePerson) InvoiceCause {
	cause := InvoiceCause{Kind: kind, By: people[0].By}
	for _, person := range people {
		cause.People = append(cause.People, person.Name)
		if person.By != cause.By {
			cause.By = ""
		}
	}
	if len(people) == 1 && cause.By == people[0].Name {
		cause.By = ""
	}
	return cause
}
