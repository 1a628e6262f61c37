package billing

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"usher/billing/catalog"
)

// ChangePartKind is what a part of the amount due is for.
type ChangePartKind string

// The parts of the amount due of a plan change, in the order in which they are shown.
const (
	PartNewTime  ChangePartKind = "new"      // time on the new price
	PartUnused   ChangePartKind = "unused"   // credit for time on the former price
	PartEarlier  ChangePartKind = "earlier"  // seat changes from before that were not invoiced yet
	PartOther    ChangePartKind = "other"    // other items, and lines that the preview left out
	PartDiscount ChangePartKind = "discount" // coupons
	PartTax      ChangePartKind = "tax"      // added to the lines
	PartBalance  ChangePartKind = "balance"  // paid from, or kept as, the customer's balance
)

// ChangePart is a part of the amount due of a plan change.
type ChangePart struct {
	Kind   ChangePartKind
	Amount catalog.Money
	Lines  []PreviewLine // none for a discount, tax or balance
}

// Parts splits the amount due of the invoice that the change creates. Their sum is the amount due:
// every amount is Stripe's or a difference of two of Stripe's. None: no invoice is created.
func (p PlanPreview) Parts() []ChangePart {
	if len(p.Lines) == 0 {
		return nil
	}
	i, rest := p.Invoice, p.Invoice.Subtotal.Minor
	byKind := map[ChangePartKind]*ChangePart{}
	for _, line := range i.Lines {
		rest -= line.Amount.Minor
		addPart(byKind, p.partOf(line), line.Amount, line)
	}
	if rest != 0 { // a preview has only the first lines
		addPart(byKind, PartOther, catalog.Money{Minor: rest, Currency: i.Subtotal.Currency})
	}
	amounts := map[ChangePartKind]int64{
		PartDiscount: -i.Discount.Minor, PartTax: i.Total.Minor - i.Subtotal.Minor + i.Discount.Minor, PartBalance: i.BalanceUsed.Minor,
	}
	for kind, minor := range amounts {
		if minor != 0 {
			addPart(byKind, kind, catalog.Money{Minor: minor, Currency: i.AmountDue.Currency})
		}
	}
	var parts []ChangePart
	for _, kind := range []ChangePartKind{PartNewTime, PartUnused, PartEarlier, PartOther, PartDiscount, PartTax, PartBalance} {
		if part := byKind[kind]; part != nil {
			parts = append(parts, *part)
		}
	}
	return parts
}

func addPart(parts map[ChangePartKind]*ChangePart, kind ChangePartKind, amount catalog.Money, lines ...PreviewLine) {
	part := parts[kind]
	if part == nil {
		part = &ChangePart{Kind: kind, Amount: catalog.Money{Currency: amount.Currency}}
		parts[kind] = part
	}
	part.Amount.Minor += amount.Minor
	part.Lines = append(part.Lines, lines...)
}

// partOf decides what a line is for. The prorations of the change are those that begin at its
// proration date (https://docs.stripe.com/api/invoices/create_preview); others were pending.
func (p PlanPreview) partOf(line PreviewLine) ChangePartKind {
	ofChange := line.Proration && p.Change.ProratedAt != nil && line.PeriodStart.Equal(*p.Change.ProratedAt)
	switch {
	case line.PriceID == p.Change.PriceID && (ofChange && line.Amount.Minor >= 0 || line.Subscription && !line.Proration):
		return PartNewTime
	case line.PriceID == p.Change.FromPriceID && ofChange:
		return PartUnused
	case line.Proration && (line.PriceID == p.Change.PriceID || line.PriceID == p.Change.FromPriceID):
		return PartEarlier
	}
	return PartOther
}

// digest returns what the preview shows as one text: the amounts of the invoice that is created at
// once, and what the new price costs in the next one. Other lines of the next invoice are left out,
// because usage-based items change them all the time. So is its date: a new interval begins at the
// second of the update, and the period is compared by itself.
func (p PlanPreview) digest() string {
	var b strings.Builder
	fmt.Fprintf(&b, "due %d total %d tax %d", p.DueNow.Minor, p.Invoice.Total.Minor, p.Invoice.Tax.Minor)
	for _, part := range p.Parts() {
		fmt.Fprintf(&b, " %s %d", part.Kind, part.Amount.Minor)
	}
	b.WriteString(" next")
	for _, line := range p.Next.Lines {
		if line.PriceID == p.Change.PriceID {
			fmt.Fprintf(&b, " %d", line.Net.Minor)
		}
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:16])
}
