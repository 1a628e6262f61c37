package stripelocal

import (
	"maps"
	"slices"

	"usher/stripelocal/wire"
)

// Dispute is a charge that the cardholder contests. Test cards open it, and keywords in the
// evidence close it (cards and keywords are inferred).
type Dispute struct {
	Base
	Amount          int64
	Charge          string
	Currency        string
	DueBy           int64
	Evidence        map[string]string
	IsInquiry       bool // no funds are withdrawn yet
	Metadata        map[string]string
	PaymentIntent   string
	Reason          string
	Status          string
	SubmissionCount int64
}

const (
	disputeResponsePeriod = 7 * 24 * 60 * 60
	disputeFee            = 1500
	winningEvidence       = "winning_evidence"
	losingEvidence        = "losing_evidence"
)

// disputes serves /v1/disputes.
type disputes struct{ *request }

func disputeResource() resource {
	evidence := ""
	for _, name := range evidenceNames() {
		evidence += name + "? "
	}
	return resource{
		objectType: "dispute",
		render: renderFrom(func(s *store) *table[*Dispute] { return s.Disputes },
			bind(disputes.render)),
		scheduleTimers: func(r *request) { r.disputes.scheduleAll() },
		routes: []route{
			on("GET /v1/disputes", listParams+"charge payment_intent", disputes.list),
			on("GET /v1/disputes/{id}", "", disputes.get),
			on("POST /v1/disputes/{id}", "evidence{"+evidence+"} metadata:map? submit:bool", disputes.update),
			on("POST /v1/disputes/{id}/close", "", disputes.close),
			on("GET /v1/charges/{charge}/dispute", "", disputes.get),
			on("POST /v1/charges/{charge}/dispute", "evidence{"+evidence+"} metadata:map? submit:bool", disputes.update),
			on("POST /v1/charges/{charge}/dispute/close", "", disputes.close),
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

func (h disputes) scheduleAll() {
	for _, ch := range h.store.Charges.all {
		h.scheduleOpening(ch)
	}
	for _, d := range h.store.Disputes.all {
		h.scheduleDeadline(d)
	}
}

// openForTestCard schedules a dispute if the charge's test card is one that disputes. It opens
// after all other effects of the payment.
func (h disputes) openForTestCard(ch *Charge) {
	if h.charges.testCard(ch).dispute != "" {
		ch.DisputePending = true
		h.scheduleOpening(ch)
	}
}

func (h disputes) scheduleOpening(ch *Charge) {
	if !ch.DisputePending {
		return
	}
	h.schedule(accountClock, h.now, func(r *request) {
		if ch.DisputePending {
			r.disputes.open(ch)
		}
	})
}

func (h disputes) open(ch *Charge) {
	kind := h.charges.testCard(ch).dispute
	d := &Dispute{
		Base: Base{ID: h.ids.longID("du_1"), Created: h.now}, Amount: ch.Amount - ch.AmountRefunded, Charge: ch.ID, Currency: ch.Currency,
		DueBy: h.now + disputeResponsePeriod, Evidence: map[string]string{}, Metadata: map[string]string{},
		PaymentIntent: ch.PaymentIntent, Reason: kind, Status: "needs_response",
	}
	if kind == "inquiry" {
		d.Reason, d.IsInquiry, d.Status = "fraudulent", true, "warning_needs_response"
	}
	h.store.Disputes.insert(d)
	before := h.charges.render(ch)
	ch.DisputePending, ch.Disputed, ch.Dispute = false, true, d.ID
	h.emit("charge.dispute.created", h.render(d))
	h.reviews.closeFor(ch.ID, "disputed")
	h.emitUpdate("charge.updated", before, h.charges.render(ch))
	if !d.IsInquiry {
		h.emit("charge.dispute.funds_withdrawn", h.render(d))
	}
	h.scheduleDeadline(d)
}

func (d *Dispute) needsResponse() bool {
	return d.Status == "needs_response" || d.Status == "warning_needs_response"
}

// scheduleDeadline closes a dispute that is not answered in time.
func (h disputes) scheduleDeadline(d *Dispute) {
	if !d.needsResponse() {
		return
	}
	h.schedule(accountClock, d.DueBy, func(r *request) {
		if d.needsResponse() {
			r.disputes.end(d, d.outcomeOf(losingEvidence))
		}
	})
}

// outcomeOf is the status that a keyword in the evidence leads to, or "" for none.
func (d *Dispute) outcomeOf(text string) string {
	switch {
	case text != winningEvidence && text != losingEvidence:
		return ""
	case d.IsInquiry:
		return "warning_closed"
	case text == winningEvidence:
		return "won"
	}
	return "lost"
}

func (h disputes) end(d *Dispute, status string) {
	d.Status = status
	if ch, ok := h.store.Charges.get(d.Charge); ok && status != "lost" {
		ch.DisputeWon = true
	}
	h.emit("charge.dispute.closed", h.render(d))
	if status == "won" {
		h.emit("charge.dispute.funds_reinstated", h.render(d))
	}
}

// find returns the dispute of the path, or that of the path's charge.
func (h disputes) find(in *input) (*Dispute, error) {
	if charge := in.pathValue("charge"); charge != "" {
		ch, ok := h.store.Charges.get(charge)
		if !ok {
			return nil, wire.NotFound("charge", charge, "charge")
		}
		d, ok := h.store.Disputes.get(ch.Dispute)
		if !ok {
			return nil, wire.NotFound("dispute", "", "charge")
		}
		return d, nil
	}
	d, ok := h.store.Disputes.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("dispute", in.pathValue("id"), "dispute")
	}
	return d, nil
}

func (h disputes) get(in *input) (any, error) {
	d, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return h.render(d), nil
}

func (h disputes) list(in *input) (any, error) {
	return listing[*Dispute]{
		resource: "dispute", table: h.store.Disputes, rows: h.store.Disputes.all,
		filter: func(d *Dispute) bool {
			return (!in.Has("charge") || d.Charge == in.String("charge")) && (!in.Has("payment_intent") || d.PaymentIntent == in.String("payment_intent"))
		},
		render: h.render,
	}.page(in)
}

func (h disputes) update(in *input) (any, error) {
	d, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if !d.needsResponse() && (in.Has("evidence") || in.Has("submit")) {
		return nil, wire.Invalid("", "", "This dispute is already closed, or its evidence was submitted; evidence can no longer be added.")
	}
	if err := h.checkFiles(in.At("evidence")); err != nil {
		return nil, err
	}
	before := h.render(d)
	in.SetMetadata(&d.Metadata)
	d.mergeEvidence(in.At("evidence"))
	verdict := ""
	if in.Has("evidence") && in.BoolOr("submit", true) {
		verdict = d.submit()
	}
	h.emitUpdate("charge.dispute.updated", before, h.render(d))
	if verdict != "" {
		h.end(d, verdict)
	}
	return h.render(d), nil
}

// fileEvidence are the fields of evidence that are ids of files.
var fileEvidence = []string{
	"cancellation_policy", "customer_communication", "customer_signature", "duplicate_charge_documentation", "receipt", "refund_policy",
	"service_documentation", "shipping_documentation", "uncategorized_file",
}

func (h disputes) checkFiles(evidence wire.Params) error {
	for _, name := range fileEvidence {
		if id := evidence.String(name); id != "" {
			if err := h.files.checkEvidence(id, evidence.Name(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// mergeEvidence builds a new map, because earlier events refer to the old one.
func (d *Dispute) mergeEvidence(p wire.Params) {
	merged := maps.Clone(d.Evidence)
	for _, name := range evidenceNames() {
		if p.Has(name) {
			merged[name] = p.String(name)
		}
	}
	d.Evidence = merged
}

// submit submits the evidence. The local Stripe accepts one submission.
func (d *Dispute) submit() string {
	d.SubmissionCount++
	d.Status = "under_review"
	if d.IsInquiry {
		d.Status = "warning_under_review"
	}
	return d.outcomeOf(d.Evidence["uncategorized_text"])
}

// close accepts the dispute as lost.
func (h disputes) close(in *input) (any, error) {
	d, err := h.find(in)
	if err != nil {
		return nil, err
	}
	if !d.needsResponse() {
		return nil, wire.Invalid("", "", "This dispute is already closed.")
	}
	h.end(d, "lost")
	return h.render(d), nil
}

func (h disputes) render(d *Dispute) wire.Object {
	o := wire.Object{
		"id": d.ID, "object": "dispute", "amount": d.Amount, "balance_transactions": h.renderTransactions(d),
		"charge": wire.Ref("charge", d.Charge), "created": d.Created, "currency": d.Currency, "evidence": d.renderEvidence(),
		"evidence_details": wire.Object{
			"due_by": d.DueBy, "has_evidence": d.hasEvidence(), "past_due": d.needsResponse() && h.now > d.DueBy,
			"submission_count": d.SubmissionCount,
		},
		"is_charge_refundable": d.IsInquiry, "livemode": false, "metadata": d.Metadata,
		"network_reason_code": nil,
		"payment_intent":      wire.Ref("payment_intent", d.PaymentIntent), "reason": d.Reason, "status": d.Status,
	}
	kind := "chargeback"
	if d.IsInquiry {
		kind = "inquiry"
	}
	brand := "visa"
	if ch, ok := h.store.Charges.get(d.Charge); ok {
		brand = h.charges.testCard(ch).brand
	}
	if brand == "" { // of a bank account: the hash has no type for it
		return o
	}
	o["payment_method_details"] = wire.Object{"type": "card", "card": wire.Object{"brand": brand, "case_type": kind, "network_reason_code": nil}}
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

func (d *Dispute) renderEvidence() wire.Object {
	o := wire.Object{}
	for _, name := range evidenceNames() {
		o[name] = wire.StringOrNull(d.Evidence[name])
		if slices.Contains(fileEvidence, name) {
			o[name] = wire.Ref("file", d.Evidence[name])
		}
	}
	return o
}

func (h disputes) renderTransactions(d *Dispute) []any {
	out := []any{}
	for _, o := range h.balanceTransactions.ofDispute(d) {
		out = append(out, o)
	}
	return out
}
