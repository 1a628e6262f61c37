package handlers

import (
	"net/http"
	"slices"

	"usher/billing"
	"usher/views"
)

// invoicesOnTab is how many invoices the billing tab shows before it leads to all of them.
const invoicesOnTab = 5

// showInvoices lists all invoices.
func (s *server) showInvoices(w http.ResponseWriter, r *http.Request) error {
	rows, err := s.invoiceRows(r)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.InvoicesPage(views.InvoicesPageProps{
		Layout: s.layout(r, views.SectionOrganization), Organization: header(r, views.TabBilling), Invoices: rows,
	}))
}

func (s *server) invoiceRows(r *http.Request) ([]views.InvoiceRow, error) {
	invoices, err := s.billing.Invoices(r.Context(), accessOf(r))
	if err != nil {
		return nil, err
	}
	rows := make([]views.InvoiceRow, 0, len(invoices))
	for _, invoice := range invoices {
		rows = append(rows, invoiceRow(invoice))
	}
	return rows, nil
}

func invoiceRow(i billing.Invoice) views.InvoiceRow {
	row := views.InvoiceRow{
		Number: i.Number, Date: i.CreatedAt, Why: invoiceReasons[i.Reason], Amount: i.TotalMoney(), Status: invoiceBadge(i.Status),
	}
	if i.FinalizedAt != nil {
		row.Date = *i.FinalizedAt
	}
	if row.Why == "" {
		row.Why = "Other"
	}
	if i.Number != "" {
		row.Href = "/billing/invoices/" + i.ID
	}
	return row
}

// invoiceReasons words Stripe's billing_reason (https://docs.stripe.com/api/invoices/object#invoice_object-billing_reason).
var invoiceReasons = map[string]string{
	"subscription_create":                    "Plan begins",
	"subscription_cycle":                     "Renewal",
	"subscription_update":                    "Seats or plan changed",
	"manual":                                 "By hand",
	"automatic_pending_invoice_item_invoice": "Seats or plan changed",
}

func invoiceBadge(status string) views.BadgeProps {
	switch status {
	case billing.InvoicePaid:
		return views.BadgeProps{Tone: views.Good, Label: "Paid"}
	case billing.InvoiceOpen:
		return views.BadgeProps{Tone: views.Wait, Label: "To be paid"}
	case billing.InvoiceVoid:
		return views.BadgeProps{Tone: views.Note, Label: "Void"}
	}
	return views.BadgeProps{Tone: views.Bad, Label: "Not paid"}
}

// openInvoice leads to an invoice's page at Stripe.
func (s *server) openInvoice(w http.ResponseWriter, r *http.Request) error {
	to, err := s.billing.InvoiceURL(r.Context(), accessOf(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	s.redirect(w, r, to)
	return nil
}

// showCredits is the statement of credits.
func (s *server) showCredits(w http.ResponseWriter, r *http.Request) error {
	overview, err := s.billing.Overview(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	entries, err := s.billing.CreditEntries(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	props := views.CreditsPageProps{Layout: s.layout(r, views.SectionOrganization), Organization: header(r, views.TabBilling)}
	if card := creditsCard(overview); card != nil {
		props.Credits = *card
		props.Credits.Href = ""
	}
	for _, entry := range entries {
		props.Entries = append(props.Entries, creditRow(s.billing.Catalogue(), entry))
	}
	return render(w, r, http.StatusOK, views.CreditsPage(props))
}

// creditsCard is what there is to say of credits; nil where neither the plan nor the ledger has any.
func creditsCard(o billing.Overview) *views.CreditsProps {
	if o.Credits.Balance == 0 && o.Credits.Granted == 0 {
		return nil
	}
	card := &views.CreditsProps{Balance: int64(o.Credits.Balance), Granted: int64(o.Credits.Granted), Href: "/billing/credits"}
	card.ResetsAt = moment(o.Credits.ResetsAt)
	return card
}

func creditRow(catalogue billing.Catalogue, e billing.CreditEntry) views.CreditRow {
	plan := e.PlanID
	if i := slices.IndexFunc(catalogue.Plans, func(p billing.Plan) bool { return p.ID == e.PlanID }); i >= 0 {
		plan = catalogue.Plans[i].Name
	}
	row := views.CreditRow{At: e.At, Amount: int64(e.Amount), Balance: int64(e.Balance)}
	switch e.Kind {
	case billing.CreditGrant:
		row.What = plan + " was paid"
	case billing.CreditUpgrade:
		row.What = "Changed to " + plan
	case billing.CreditExpire:
		row.What = "The rest of the month before"
	case billing.CreditConsume:
		row.What = e.Reason
	}
	if row.What == "" {
		row.What = "Used"
	}
	return row
}

// entitlements is the answer of /api/v1/entitlements.
type entitlements struct {
	OrganizationID string          `json:"organizationId"`
	Plan           *string         `json:"plan"`
	Status         *string         `json:"status"`
	Access         bool            `json:"access"`
	Seats          entitledSeats   `json:"seats"`
	Credits        entitledCredits `json:"credits"`
	Entitlements   []string        `json:"entitlements"`
}

type entitledSeats struct {
	Billed int `json:"billed"`
	Paid   int `json:"paid"`
}

type entitledCredits struct {
	Balance  int    `json:"balance"`
	Granted  int    `json:"granted"`
	ResetsAt *int64 `json:"resetsAt"` // Unix seconds
}

// getEntitlements tells what the organization may use.
func (s *server) getEntitlements(w http.ResponseWriter, r *http.Request) error {
	o, err := s.billing.Overview(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, entitlementsOf(o))
}

func entitlementsOf(o billing.Overview) entitlements {
	answer := entitlements{
		OrganizationID: o.Organization.ID, Access: o.HasAccess, Seats: entitledSeats{Billed: o.Seats.Billable, Paid: o.Seats.AtStripe},
		Credits: entitledCredits{Balance: o.Credits.Balance, Granted: o.Credits.Granted}, Entitlements: []string{},
	}
	if o.Subscription != nil {
		status := string(o.Subscription.Status)
		answer.Status = &status
	}
	if o.Plan != nil {
		answer.Plan = &o.Plan.ID
		if o.HasAccess {
			answer.Entitlements = append(answer.Entitlements, o.Plan.Entitlements...)
		}
	}
	if o.Credits.ResetsAt != nil {
		seconds := o.Credits.ResetsAt.Unix()
		answer.Credits.ResetsAt = &seconds
	}
	return answer
}

// consumeBody is what /api/v1/credits/consume takes.
type consumeBody struct {
	OrganizationID string `json:"organizationId"` // may be left out: the session's
	Amount         int    `json:"amount"`
	Reason         string `json:"reason"`
	IdempotencyKey string `json:"idempotencyKey"`
}

type consumeAnswer struct {
	Balance int `json:"balance"`
}

// consumeCredits takes credits.
func (s *server) consumeCredits(w http.ResponseWriter, r *http.Request) error {
	var body consumeBody
	if err := decodeJSON(r, &body); err != nil {
		return err
	}
	if body.OrganizationID != "" {
		if err := s.requireOwn(r.Context(), visitOf(r), body.OrganizationID); err != nil {
			return err
		}
	}
	balance, err := s.billing.ConsumeCredits(r.Context(), accessOf(r), billing.Consumption{
		Amount: body.Amount, Reason: body.Reason, IdempotencyKey: body.IdempotencyKey,
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, consumeAnswer{Balance: balance})
}
