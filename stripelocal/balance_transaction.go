package stripelocal

import (
	"cmp"
	"math/big"
	"slices"
	"strings"

	"usher/stripelocal/wire"
)

// balanceDelay is the number of days until the money of a payment is available, at midnight UTC
// (recorded by pay-rails/pay).
const balanceDelay = 7

// balanceTransactions serves /v1/balance_transactions and /v1/balance. Nothing is stored: the
// transactions follow from charges, refunds and disputes, and their ids from those of their
// sources.
type balanceTransactions struct{ *request }

func balanceTransactionResource() resource {
	return resource{
		objectType: "balance_transaction",
		render:     func(r *request, id string) (wire.Object, bool) { return r.balanceTransactions.byID(id) },
		routes: []route{
			on("GET /v1/balance_transactions", listParams+"currency:currency source type", balanceTransactions.list),
			on("GET /v1/balance_transactions/{id}", "", balanceTransactions.get),
			on("GET /v1/balance/history", listParams+"currency:currency source type", balanceTransactions.list),
			on("GET /v1/balance/history/{id}", "", balanceTransactions.get),
			on("GET /v1/balance", "", balanceTransactions.balance),
		},
	}
}

func chargeTransactionID(charge string) string { return "txn_" + charge[len("ch_"):] }

// refundTransactionID differs from that of a charge whose id a seed chose alike.
func refundTransactionID(refund string) string { return "txn_r" + strings.TrimPrefix(refund, "re_") }

func (h balanceTransactions) get(in *input) (any, error) {
	o, ok := h.byID(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("balance_transaction", in.pathValue("id"), "id")
	}
	return o, nil
}

func (h balanceTransactions) byID(id string) (wire.Object, bool) {
	rest, _ := strings.CutPrefix(id, "txn_")
	for _, prefix := range []string{"ch_", "py_"} {
		if ch, ok := h.store.Charges.get(prefix + rest); ok && ch.moved() {
			return h.ofCharge(ch), true
		}
	}
	if refund, ok := strings.CutPrefix(rest, "r"); ok {
		if re, ok := h.store.Refunds.get("re_" + refund); ok {
			return h.ofRefund(re), true
		}
	}
	for _, o := range h.ofMovements() {
		if o["id"] == id {
			return o, true
		}
	}
	if len(rest) < 2 {
		return nil, false
	}
	d, ok := h.store.Disputes.get("du_1" + rest[1:])
	if !ok {
		return nil, false
	}
	for _, o := range h.ofDispute(d) {
		if o["id"] == id {
			return o, true
		}
	}
	return nil, false
}

// moved reports whether a charge moved money.
func (c *Charge) moved() bool { return c.Failure == nil && !c.Uncaptured && !c.Pending }

// all are the account's transactions, oldest first.
func (h balanceTransactions) all() []wire.Object {
	var out []wire.Object
	for _, ch := range h.store.Charges.all {
		if ch.moved() {
			out = append(out, h.ofCharge(ch))
		}
	}
	for _, re := range h.store.Refunds.all {
		out = append(out, h.ofRefund(re))
	}
	for _, d := range h.store.Disputes.all {
		out = append(out, h.ofDispute(d)...)
	}
	out = append(out, h.ofMovements()...)
	slices.SortStableFunc(out, func(x, y wire.Object) int { return int(x["created"].(int64) - y["created"].(int64)) })
	return out
}

func (h balanceTransactions) list(in *input) (any, error) {
	data := []any{}
	for _, o := range slices.Backward(h.all()) {
		if matchesTransaction(o, in) {
			data = append(data, o)
		}
	}
	return pageOf(wire.List("/v1/balance_transactions", data, false), in)
}

func matchesTransaction(o wire.Object, in *input) bool {
	source, _ := o["source"].(wire.Reference)
	created, _ := o["created"].(int64)
	return in.InRange("created", created) && (!in.Has("source") || source.ID == in.String("source")) &&
		(!in.Has("type") || o["type"] == in.String("type")) && (!in.Has("currency") || o["currency"] == in.String("currency"))
}

// balance adds up what is available and what is still pending, by currency.
func (h balanceTransactions) balance(*input) (any, error) { return h.renderAll(), nil }

func (h balanceTransactions) renderAll() wire.Object {
	sums := map[string]map[string]int64{"available": {"usd": 0}, "pending": {"usd": 0}}
	for _, o := range h.all() {
		status, currency := o["status"].(string), o["currency"].(string)
		sums[status][currency] += o["net"].(int64)
	}
	return wire.Object{"object": "balance", "livemode": false, "available": renderBalance(sums["available"]), "pending": renderBalance(sums["pending"])}
}

// announce emits balance.available for a payment whose money is available at once. That of other
// payments becomes available without the event.
func (h balanceTransactions) announce(ch *Charge) {
	if h.availableAtOnce(ch) {
		h.emit("balance.available", h.renderAll())
	}
}

// availableAtOnce reports whether the money of a payment is not pending for days: that of some test
// cards (docs: testing, available balance) and of bank debits (docs: ACH Direct Debit, test
// settlement behavior; for others inferred).
func (h balanceTransactions) availableAtOnce(ch *Charge) bool {
	return strings.HasPrefix(ch.ID, "py_") || h.charges.testCard(ch).availableAtOnce
}

func renderBalance(sums map[string]int64) []any {
	currencies := make([]string, 0, len(sums))
	for currency := range sums {
		currencies = append(currencies, currency)
	}
	slices.Sort(currencies)
	out := []any{}
	for _, currency := range currencies {
		out = append(out, wire.Object{"amount": sums[currency], "currency": currency, "source_types": wire.Object{"card": sums[currency]}})
	}
	return out
}

// ofCharge is the transaction of a payment. The fee is 2.9 % and 30 minor units (recorded by
// pay-rails/pay in USD; in other currencies inferred).
func (h balanceTransactions) ofCharge(ch *Charge) wire.Object {
	amount := ch.Amount - ch.ReleasedAmount
	fee := wire.Round(new(big.Rat).SetFrac64(amount*29, 1000)) + 30
	kind := "charge"
	if strings.HasPrefix(ch.ID, "py_") {
		kind = "payment" // API reference: balance transaction types
	}
	return h.render(balanceTransaction{
		id: chargeTransactionID(ch.ID), amount: amount, fee: fee, feeText: "Stripe processing fees", currency: ch.Currency, at: cmp.Or(ch.SettledAt, ch.Created),
		description: ch.Description, source: wire.Ref("charge", ch.ID), category: "charge", kind: kind, atOnce: h.availableAtOnce(ch),
	})
}

// ofRefund is the transaction of a refund, which returns no fee (docs: refunds).
func (h balanceTransactions) ofRefund(re *Refund) wire.Object {
	description := "REFUND FOR CHARGE"
	if ch, ok := h.store.Charges.get(re.Charge); ok && ch.Description != "" {
		description += " (" + ch.Description + ")"
	}
	return h.render(balanceTransaction{
		id: refundTransactionID(re.ID), amount: -re.Amount, currency: re.Currency, at: re.Created, description: description,
		source: wire.Ref("refund", re.ID), category: "refund", kind: "refund",
	})
}

// ofDispute are the transactions of a dispute: the amount and the fee withdrawn, and the amount
// reinstated if it was won.
func (h balanceTransactions) ofDispute(d *Dispute) []wire.Object {
	var out []wire.Object
	tx := balanceTransaction{amount: -d.Amount, currency: d.Currency, at: d.Created, source: wire.Ref("dispute", d.ID), category: "dispute", kind: "adjustment"}
	if !d.IsInquiry {
		tx.id, tx.description, tx.fee, tx.feeText = "txn_1"+d.ID[len("du_1"):], "Chargeback withdrawal for "+d.Charge, disputeFee, "Dispute fee"
		out = append(out, h.render(tx))
	}
	if d.Status == "won" {
		tx.id, tx.description, tx.amount, tx.fee = "txn_2"+d.ID[len("du_1"):], "Chargeback reversal for "+d.Charge, d.Amount, 0
		out = append(out, h.render(tx))
	}
	return out
}

// balanceTransaction is one transaction. Amounts are minor units.
type balanceTransaction struct {
	id, currency, description string
	amount, fee, at           int64
	feeText                   string
	source                    wire.Reference
	category, kind            string
	atOnce                    bool // available without days of waiting
}

func (h balanceTransactions) render(tx balanceTransaction) wire.Object {
	fees := []any{}
	if tx.fee != 0 {
		fees = append(fees, wire.Object{"amount": tx.fee, "application": nil, "currency": tx.currency, "description": tx.feeText, "type": "stripe_fee"})
	}
	const day = 24 * 60 * 60
	available := (tx.at/day + balanceDelay) * day
	status := "pending"
	if tx.atOnce || tx.kind != "charge" && tx.kind != "refund" {
		available = tx.at
	}
	if h.now >= available {
		status = "available"
	}
	return wire.Object{
		"id": tx.id, "object": "balance_transaction", "amount": tx.amount, "available_on": available, "created": tx.at,
		"currency": tx.currency, "description": wire.StringOrNull(tx.description), "exchange_rate": nil, "fee": tx.fee, "fee_details": fees,
		"net": tx.amount - tx.fee, "reporting_category": tx.category, "source": tx.source, "status": status, "type": tx.kind,
	}
}
