package billing

import (
	"context"
	"fmt"
	"strconv"

	"usher/billing/account"
	"usher/billing/catalog"
)

// audit writes an audit entry in the transaction of the act; see [account.Record].
func (c *core) audit(ctx context.Context, tx Tx, e account.AuditEntry) error {
	return account.Record(ctx, tx, c.Now(), e)
}

// planChangeActs are the acts of a plan change that gets a status.
var planChangeActs = map[PlanChangeStatus]account.Act{
	PlanChangeOpen:      account.ActPlanChangeConfirmed,
	PlanChangeScheduled: account.ActPlanChangeScheduled,
	PlanChangeApplied:   account.ActPlanChanged,
	PlanChangeWithdrawn: account.ActPlanChangeWithdrawn,
	PlanChangeFailed:    account.ActPlanChangeFailed,
}

// recordStatus writes an audit entry if a plan change has another status than before.
func (pc *PlanChanges) recordStatus(ctx context.Context, tx Tx, before PlanChangeStatus, c PlanChange) error {
	act, audited := planChangeActs[c.Status]
	if before == c.Status || !audited {
		return nil
	}
	entry := account.AuditEntry{Act: act, OrganizationID: c.OrganizationID}.To(c.ID, "").
		Changed(pc.offerOf(c.FromPriceID).auditValues(), pc.offerOf(c.PriceID).auditValues())
	return pc.audit(ctx, tx, entry)
}

// auditValues names an offer; nil: it is not known any more.
func (o PlanOffer) auditValues() account.AuditValues {
	if o.Plan.ID == "" {
		return nil
	}
	return account.AuditValues{"plan": o.Plan.Name + ", " + intervalAdverb(o.Price.Interval).String()}
}

// recordCheckout writes an audit entry about a Checkout session that is about to be opened.
func (cs *Checkouts) recordCheckout(ctx context.Context, tx Tx, a account.Access, session CheckoutSession) error {
	values := account.AuditValues{"seats": strconv.Itoa(session.Quantity)}
	if plan, price, known := cs.Catalog().ByPrice(session.PriceID); known {
		values = PlanOffer{plan, price}.auditValues()
		values["seats"] = strconv.Itoa(session.Quantity)
	} else if pack, known := cs.Catalog().PackByPrice(session.PriceID); known {
		values = account.AuditValues{"pack": pack.Name}
	}
	return cs.audit(ctx, tx, a.Did(account.ActCheckoutStarted).To(session.ID, "").Changed(nil, values))
}

// refundValues names what was refunded; nil: nothing was paid.
func refundValues(refunded catalog.Money) account.AuditValues {
	if refunded.Minor == 0 {
		return nil
	}
	return account.AuditValues{"refunded": refunded.Format()}
}

// recordSeats writes an audit entry about a line of the seat ledger.
func (sc *SeatCounter) recordSeats(ctx context.Context, tx Tx, c SeatChange) error {
	entry := account.AuditEntry{Act: account.ActSeatsChanged, OrganizationID: c.OrganizationID}
	before, after := account.AuditValues{"seats": strconv.Itoa(c.From)}, account.AuditValues{"seats": strconv.Itoa(c.To)}
	if err := sc.audit(ctx, tx, entry.Changed(before, after)); err != nil {
		return fmt.Errorf("record seats: %w", err)
	}
	return nil
}
