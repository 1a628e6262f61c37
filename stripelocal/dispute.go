package stripelocal

import "maps"

// Dispute is a charge that its cardholder contests. Test cards bring it about,
// and words in the evidence end it (cards and words are inferred).
type Dispute struct {
	Base
	Amount        int64
	Charge        string
	Currency      string
	Deadline      int64
	Evidence      map[string]string
	Inquiry       bool // no money is taken yet
	Metadata      map[string]string
	PaymentIntent string
	Reason        string
	Status        string
	Submissions   int64
}

const (
	disputeDeadline = 7 * 24 * 60 * 60
	disputeFee      = 1500
	winningEvidence = "winning_evidence"
	losingEvidence  = "losing_evidence"
)

func disputeResource() resource {
	evidence := ""
	for _, name := range evidenceNames() {
		evidence += name + "? "
	}
	return resource{
		kind: "dispute",
		render: finder(func(s *state) *table[*Dispute] { return s.Disputes },
			func(a *act, d *Dispute) object { return a.renderDispute(d) }),
		arm: func(a *act) { a.armDisputes() },
		routes: []route{
			{"GET /v1/disputes", listParams + "charge payment_intent", (*act).listDisputes},
			{"GET /v1/disputes/{id}", "", (*act).getDispute},
			{"POST /v1/disputes/{id}", "evidence{" + evidence + "} metadata:map? submit:bool", (*act).updateDispute},
			{"POST /v1/disputes/{id}/close", "", (*act).closeDispute},
		},
	}
}

func evidenceNames() []string {
	return []string{
		"access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure",
		"cancellation_rebuttal", "customer_communication", "customer_email_address", "customer_name",
		"customer_purchase_ip", "customer_signature", "duplicate_charge_documentation", "duplicate_charge_explanation",
		"duplicate_charge_id", "product_description", "receipt", "refund_policy", "refund_policy_disclosure",
		"refund_refusal_explanation", "service_date", "service_documentation", "shipping_address", "shipping_carrier",
		"shipping_date", "shipping_documentation", "shipping_tracking_number", "uncategorized_file", "uncategorized_text",
	}
}

func (a *act) armDisputes() {
	for _, ch := range a.state.Charges.all {
		a.awaitDispute(ch)
	}
	for _, d := range a.state.Disputes.all {
		a.armDispute(d)
	}
}

// contest has a charge disputed where its card is one of those that do. The
// dispute comes right after everything that the payment brings about.
func (a *act) contest(ch *Charge) {
	if a.cardOf(ch).dispute != "" {
		ch.DisputeDue = true
		a.awaitDispute(ch)
	}
}

func (a *act) awaitDispute(ch *Charge) {
	if !ch.DisputeDue {
		return
	}
	a.schedule(accountClock, a.at, func(b *act) {
		if ch.DisputeDue {
			b.openDispute(ch)
		}
	})
}

func (a *act) openDispute(ch *Charge) {
	kind := a.cardOf(ch).dispute
	d := &Dispute{
		Base: Base{ID: a.ids.long("du_1"), Created: a.at}, Amount: ch.Amount - ch.AmountRefunded, Charge: ch.ID, Currency: ch.Currency,
		Deadline: a.at + disputeDeadline, Evidence: map[string]string{}, Metadata: map[string]string{},
		PaymentIntent: ch.PaymentIntent, Reason: kind, Status: "needs_response",
	}
	if kind == "inquiry" {
		d.Reason, d.Inquiry, d.Status = "fraudulent", true, "warning_needs_response"
	}
	a.state.Disputes.insert(d)
	before := a.renderCharge(ch)
	ch.DisputeDue, ch.Disputed, ch.Dispute = false, true, d.ID
	a.emit("charge.dispute.created", a.renderDispute(d))
	a.emitUpdate("charge.updated", before, a.renderCharge(ch))
	if !d.Inquiry {
		a.emit("charge.dispute.funds_withdrawn", a.renderDispute(d))
	}
	a.armDispute(d)
}

func (d *Dispute) waiting() bool {
	return d.Status == "needs_response" || d.Status == "warning_needs_response"
}

// armDispute ends a dispute that nobody answers in time.
func (a *act) armDispute(d *Dispute) {
	if !d.waiting() {
		return
	}
	a.schedule(accountClock, d.Deadline, func(b *act) {
		if d.waiting() {
			b.endDispute(d, d.verdict(losingEvidence))
		}
	})
}

// verdict is what a dispute comes to by what was written; empty is nothing yet.
func (d *Dispute) verdict(text string) string {
	switch {
	case text != winningEvidence && text != losingEvidence:
		return ""
	case d.Inquiry:
		return "warning_closed"
	case text == winningEvidence:
		return "won"
	}
	return "lost"
}

func (a *act) endDispute(d *Dispute, status string) {
	d.Status = status
	if ch, ok := a.state.Charges.get(d.Charge); ok && status != "lost" {
		ch.DisputeWon = true
	}
	a.emit("charge.dispute.closed", a.renderDispute(d))
	if status == "won" {
		a.emit("charge.dispute.funds_reinstated", a.renderDispute(d))
	}
}

func (a *act) disputeAt(in *input) (*Dispute, error) {
	d, ok := a.state.Disputes.get(in.path("id"))
	if !ok {
		return nil, notFound("dispute", in.path("id"), "dispute")
	}
	return d, nil
}

func (a *act) getDispute(in *input) (any, error) {
	d, err := a.disputeAt(in)
	if err != nil {
		return nil, err
	}
	return a.renderDispute(d), nil
}

func (a *act) listDisputes(in *input) (any, error) {
	return listing[*Dispute]{
		what: "dispute", table: a.state.Disputes, rows: a.state.Disputes.all,
		keep: func(d *Dispute) bool {
			return (!in.has("charge") || d.Charge == in.str("charge")) && (!in.has("payment_intent") || d.PaymentIntent == in.str("payment_intent"))
		},
		render: func(d *Dispute) object { return a.renderDispute(d) },
	}.page(in)
}

func (a *act) updateDispute(in *input) (any, error) {
	d, err := a.disputeAt(in)
	if err != nil {
		return nil, err
	}
	if !d.waiting() && (in.has("evidence") || in.has("submit")) {
		return nil, invalid("", "", "This dispute is already closed, or its evidence was submitted; evidence can no longer be added.")
	}
	before := a.renderDispute(d)
	in.setMetadata(&d.Metadata)
	d.takeEvidence(in.at("evidence"))
	verdict := ""
	if in.has("evidence") && in.flagOr("submit", true) {
		verdict = d.submit()
	}
	a.emitUpdate("charge.dispute.updated", before, a.renderDispute(d))
	if verdict != "" {
		a.endDispute(d, verdict)
	}
	return a.renderDispute(d), nil
}

// takeEvidence merges; the old map is never changed, since events show it.
func (d *Dispute) takeEvidence(p params) {
	merged := maps.Clone(d.Evidence)
	for _, name := range evidenceNames() {
		if p.has(name) {
			merged[name] = p.str(name)
		}
	}
	d.Evidence = merged
}

// submit hands the evidence in, which can be done once here.
func (d *Dispute) submit() string {
	d.Submissions++
	d.Status = "under_review"
	if d.Inquiry {
		d.Status = "warning_under_review"
	}
	return d.verdict(d.Evidence["uncategorized_text"])
}

// closeDispute accepts the loss.
func (a *act) closeDispute(in *input) (any, error) {
	d, err := a.disputeAt(in)
	if err != nil {
		return nil, err
	}
	if !d.waiting() {
		return nil, invalid("", "", "This dispute is already closed.")
	}
	a.endDispute(d, "lost")
	return a.renderDispute(d), nil
}

func (a *act) renderDispute(d *Dispute) object {
	o := object{
		"id": d.ID, "object": "dispute", "amount": d.Amount, "balance_transactions": d.renderTransactions(),
		"charge": ref{"charge", d.Charge}, "created": d.Created, "currency": d.Currency, "evidence": d.renderEvidence(),
		"evidence_details": object{
			"due_by": d.Deadline, "has_evidence": d.hasEvidence(), "past_due": d.waiting() && a.at > d.Deadline,
			"submission_count": d.Submissions,
		},
		"is_charge_refundable": d.Inquiry, "livemode": false, "metadata": d.Metadata,
		"network_reason_code": nil,
		"payment_intent":      ref{"payment_intent", d.PaymentIntent}, "reason": d.Reason, "status": d.Status,
	}
	kind := "chargeback"
	if d.Inquiry {
		kind = "inquiry"
	}
	brand := "visa"
	if ch, ok := a.state.Charges.get(d.Charge); ok {
		brand = a.cardOf(ch).brand
	}
	o["payment_method_details"] = object{"type": "card", "card": object{"brand": brand, "case_type": kind, "network_reason_code": nil}}
	return o
}

func (d *Dispute) hasEvidence() bool {
	for _, v := range d.Evidence {
		if v != "" {
			return true
		}
	}
	return false
}

func (d *Dispute) renderEvidence() object {
	o := object{}
	for _, name := range evidenceNames() {
		o[name] = orNull(d.Evidence[name])
	}
	return o
}

// renderTransactions are what the dispute did to the account's balance: the
// amount and a fee taken, and the amount given back where it was won.
func (d *Dispute) renderTransactions() []any {
	out := []any{}
	if !d.Inquiry {
		out = append(out, d.transaction("txn_1", "Chargeback withdrawal for "+d.Charge, -d.Amount, disputeFee))
	}
	if d.Status == "won" {
		out = append(out, d.transaction("txn_2", "Chargeback reversal for "+d.Charge, d.Amount, 0))
	}
	return out
}

func (d *Dispute) transaction(prefix, description string, amount, fee int64) object {
	fees := []any{}
	if fee != 0 {
		fees = append(fees, object{"amount": fee, "application": nil, "currency": d.Currency, "description": "Dispute fee", "type": "stripe_fee"})
	}
	return object{
		"id": prefix + d.ID[len("du_1"):], "object": "balance_transaction", "amount": amount, "available_on": d.Created,
		"created": d.Created, "currency": d.Currency, "description": description, "exchange_rate": nil, "fee": fee,
		"fee_details": fees, "net": amount - fee, "reporting_category": "dispute", "source": d.ID, "status": "available",
		"type": "adjustment",
	}
}
