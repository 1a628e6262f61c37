package stripelocal

import (
	"strings"

	"usher/stripelocal/wire"
)

func payoutTransactionID(payout string) string { return "txn_p" + strings.TrimPrefix(payout, "po_") }

func topupTransactionID(topup string) string { return "txn_t" + strings.TrimPrefix(topup, "tu_") }

// ofPayout are the transactions of a payout: the amount, and its return if it was canceled.
func (h balanceTransactions) ofPayout(p *Payout) []wire.Object {
	tx := balanceTransaction{
		id: payoutTransactionID(p.ID), amount: -p.Amount, currency: p.Currency, at: p.Created, description: "STRIPE PAYOUT", source: wire.Ref("payout", p.ID),
		category: "payout", kind: "payout",
	}
	if p.OriginalPayout != "" {
		tx.category = "payout_reversal"
	}
	out := []wire.Object{h.render(tx)}
	if p.CanceledAt != 0 {
		tx.id, tx.amount, tx.at, tx.description = "txn_q"+strings.TrimPrefix(p.ID, "po_"), p.Amount, p.CanceledAt, "STRIPE PAYOUT CANCELED"
		tx.category, tx.kind = "payout_reversal", "payout_cancel"
		out = append(out, h.render(tx))
	}
	return out
}

func (h balanceTransactions) ofTopup(t *Topup) wire.Object {
	return h.render(balanceTransaction{
		id: topupTransactionID(t.ID), amount: t.Amount, currency: t.Currency, at: t.SucceededAt, description: t.Description, source: wire.Ref("topup", t.ID),
		category: "topup", kind: "topup",
	})
}

// ofMovements are the transactions of all payouts and top-ups.
func (h balanceTransactions) ofMovements() []wire.Object {
	var out []wire.Object
	for _, p := range h.store.Payouts.all {
		out = append(out, h.ofPayout(p)...)
	}
	for _, t := range h.store.Topups.all {
		if t.SucceededAt != 0 {
			out = append(out, h.ofTopup(t))
		}
	}
	return out
}

// available is the balance of a currency that can be paid out.
func (h balanceTransactions) available(currency string) int64 {
	var sum int64
	for _, o := range h.all() {
		if o["status"] == "available" && o["currency"] == currency {
			sum += o["net"].(int64)
		}
	}
	return sum
}
