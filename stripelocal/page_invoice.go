package stripelocal

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"usher/stripelocal/wire"
)

// invoicePage is the hosted invoice.
type invoicePage struct {
	pageBase
	Action   string
	Alert    string
	Status   string
	Facts    []labeledValue
	Lines    []lineItemView
	Discount string
	Taxes    []labeledValue
	Sums     []labeledValue // from the total to the amount due
	Total    string
	Due      string
	PDF      string
	Cards    []pageOption // saved payment methods
	NewCard  bool         // the option to enter a card is selected
	Fields   []pageField
	Pay      string // label of the button; empty if nothing is due
	Continue string // path of the 3-D Secure page, if required
	Receipt  []labeledValue
}

// newCardOption is the value of the option to enter a card.
const newCardOption = "new"

// invoicePages serves the hosted invoice under /i/.
type invoicePages struct{ *request }

// find returns a finalized invoice. Drafts have no page.
func (h invoicePages) find(req *http.Request) (*Invoice, bool) {
	inv, ok := h.store.Invoices.get(req.PathValue("id"))
	return inv, ok && inv.FinalizedAt != 0
}

func (h invoicePages) show(req *http.Request) pageResponse {
	inv, ok := h.find(req)
	if !ok {
		return noSuchPage()
	}
	return showPage("invoice", h.page(inv, "", cardForm{}))
}

// pay pays with a saved payment method or with the entered card.
func (h invoicePages) pay(req *http.Request) pageResponse {
	inv, ok := h.find(req)
	if !ok {
		return noSuchPage()
	}
	chosen, entered := req.PostFormValue("card"), readCardForm(req)
	page := h.page(inv, chosen, entered)
	if page.Pay == "" {
		return redirectTo(req.URL.Path)
	}
	pm, kept := h.store.PaymentMethods.get(chosen)
	kept = kept && pm.Customer == inv.Customer
	if !kept && chosen != "" && chosen != newCardOption {
		page.Alert = "That card is not kept any more. Choose another."
		return showInvalidForm("invoice", page)
	}
	if !kept {
		if setFieldErrors(page.Fields, entered.validateWithName(h.now)) {
			page.Alert = "Some fields need another look."
			return showInvalidForm("invoice", page)
		}
		pm = h.paymentMethods.fromCardForm(entered, inv.CustomerEmail)
	}
	return h.payWith(inv, pm, chosen, entered)
}

func (h invoicePages) payWith(inv *Invoice, pm *PaymentMethod, chosen string, entered cardForm) pageResponse {
	_, err := h.callAPI("POST /v1/invoices/{id}/pay", inv.ID, url.Values{"payment_method": {pm.ID}, "off_session": {"false"}})
	var refusal *wire.Error
	switch {
	case err == nil:
		if pi, ok := h.store.PaymentIntents.get(inv.PaymentIntent); ok {
			h.paymentMethods.saveAfterPayment(pi)
		}
		return redirectTo("/i/" + inv.ID)
	case errors.As(err, &refusal) && refusal.Code == "invoice_payment_intent_requires_action":
		return redirectTo("/c/authenticate/" + inv.PaymentIntent)
	}
	page := h.page(inv, chosen, entered)
	page.Alert = err.Error()
	return showInvalidForm("invoice", page)
}

func (h invoicePages) page(inv *Invoice, chosen string, entered cardForm) invoicePage {
	p := invoicePage{
		pageBase: pageBase{"Invoice " + inv.Number}, Action: "/i/" + inv.ID, Status: inv.Status, PDF: "/i/" + inv.ID + "/pdf",
		Total: wire.FormatAmount(inv.total(), inv.Currency), Due: wire.FormatAmount(inv.remaining(), inv.Currency),
	}
	for _, l := range inv.Lines {
		p.Lines = append(p.Lines, lineItemView{Name: l.Description, Amount: wire.FormatAmount(l.Amount, inv.Currency)})
	}
	p.Facts = h.details(inv)
	if off := inv.discountAmount(); off != 0 {
		p.Discount = wire.FormatAmount(-off, inv.Currency)
	}
	for _, t := range inv.Taxes {
		p.Taxes = append(p.Taxes, labeledValue{t.Rate.label(), wire.FormatAmount(t.amount(), inv.Currency)})
	}
	p.Sums = inv.invoiceSums()
	if pi, ok := h.store.PaymentIntents.get(inv.PaymentIntent); ok && pi.Status == "requires_action" && !inv.isClosed() {
		p.Continue = "/c/authenticate/" + pi.ID
	}
	if inv.Status == "open" || inv.Status == "uncollectible" {
		h.addPaymentForm(&p, inv, chosen, entered)
	}
	p.Receipt = h.receipt(inv)
	return p
}

func (h invoicePages) details(inv *Invoice) []labeledValue {
	facts := []labeledValue{
		{"Status", inv.Status}, {"Date", formatDate(inv.EffectiveAt)}, {"From", h.store.Account.Name}, {"To", inv.CustomerName},
		{"E-mail", inv.CustomerEmail}, {"Address", inv.CustomerAddress.oneLine()},
	}
	if inv.DueDate != 0 {
		facts = append(facts, labeledValue{"Due", formatDate(inv.DueDate)})
	}
	var out []labeledValue
	for _, f := range facts {
		if f.Value != "" {
			out = append(out, f)
		}
	}
	return out
}

// invoiceSums are the amounts between the total and the amount due.
func (inv *Invoice) invoiceSums() []labeledValue {
	var out []labeledValue
	if balance := inv.StartingBalance - inv.EndingBalance; inv.BalanceApplied && balance != 0 {
		out = append(out, labeledValue{"Applied balance", wire.FormatAmount(balance, inv.Currency)})
	}
	if inv.AmountPaid != 0 {
		out = append(out, labeledValue{"Paid", wire.FormatAmount(inv.AmountPaid, inv.Currency)})
	}
	return out
}

func (h invoicePages) addPaymentForm(p *invoicePage, inv *Invoice, chosen string, entered cardForm) {
	p.Pay = "Pay " + p.Due
	c, ok := h.store.Customers.get(inv.Customer)
	for _, pm := range h.store.PaymentMethods.by("customer", inv.Customer) {
		if !pm.isCard() {
			continue
		}
		isDefault := ok && c.DefaultPaymentMethod == pm.ID
		p.Cards = append(p.Cards, pageOption{
			Value: pm.ID, Label: fmt.Sprintf("%s ending in %s", pm.Brand, pm.last4()), Selected: chosen == pm.ID || chosen == "" && isDefault,
		})
	}
	p.NewCard = chosen == newCardOption || len(p.Cards) == 0
	if none := !p.NewCard && !anySelected(p.Cards); none {
		p.Cards[0].Selected = true
	}
	p.Fields = cardFields(entered)
}

func anySelected(options []pageOption) bool {
	for _, o := range options {
		if o.Selected {
			return true
		}
	}
	return false
}

// receipt is the payment details of a paid invoice.
func (h invoicePages) receipt(inv *Invoice) []labeledValue {
	if inv.Status != "paid" {
		return nil
	}
	out := []labeledValue{{"Paid on", formatDate(inv.PaidAt)}}
	if inv.PaidOutOfBand {
		return append(out, labeledValue{"Paid by", "other means"})
	}
	if ch, ok := h.store.Charges.get(inv.Charge); ok {
		if pm, ok := h.store.PaymentMethods.get(ch.PaymentMethod); ok {
			out = append(out, labeledValue{"Paid by", fmt.Sprintf("%s ending in %s", pm.Brand, pm.last4())})
		}
		out = append(out, labeledValue{"Amount", wire.FormatAmount(ch.Amount, ch.Currency)}, labeledValue{"Payment", ch.ID})
		if ch.AmountRefunded != 0 {
			out = append(out, labeledValue{"Refunded", wire.FormatAmount(ch.AmountRefunded, ch.Currency)})
		}
	}
	return out
}
