package billing

import (
	"context"
	"fmt"
)

// missingPage is the number of paid invoices that one call of [Credits.missingFor] looks at.
const missingPage = 500

// missingFor lists paid invoices of one organization, or (empty) of all, whose credits are not
// recorded though a line pays for a plan with credits, or may: its price is not known, or the
// release before stored the invoice without lines. A refetch of the invoice records them. It looks
// at one page of invoices after the one with the given id, and returns the id to continue with;
// empty: that was the last page.
func (cs *Credits) missingFor(ctx context.Context, organizationID, after string) (missing []Invoice, next string, err error) {
	paid, err := cs.store.Invoices().PaidWithoutFact(ctx, cs.knownAccount(), organizationID, after, missingPage)
	if err != nil {
		return nil, "", fmt.Errorf("list paid invoices without credits: %w", err)
	}
	for _, invoice := range paid {
		may, err := cs.mayGrant(ctx, invoice)
		if err != nil {
			return nil, "", err
		}
		if may {
			missing = append(missing, invoice)
		}
	}
	if len(paid) == missingPage {
		next = paid[len(paid)-1].ID
	}
	return missing, next, nil
}

// mayGrant reports whether a stored paid invoice grants credits, as far as its stored lines tell.
func (cs *Credits) mayGrant(ctx context.Context, invoice Invoice) (bool, error) {
	invoice.Lines = invoice.CreditLines
	if invoice.CreditLines == nil || len(cs.unknown(invoice.prices())) > 0 {
		return true, nil
	}
	facts, err := cs.grantedHere(ctx, cs.store, invoice, cs.paidFacts(invoice))
	return len(facts) > 0, err
}
