package stripelocal

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"usher/stripelocal/wire"
)

// webhookWait is how long Checkout waits for the responses to the webhooks of its completion before
// it redirects (second-hand: up to 10 seconds).
const webhookWait = 10 * time.Second

// checkoutPage is the hosted Checkout form.
type checkoutPage struct {
	pageBase
	Action     string
	Alert      string
	Button     string
	Cancel     string
	Lines      []lineItemView
	Quantities []pageField
	Code       *pageField // nil if promotion codes are not accepted
	Discount   string
	Taxes      []labeledValue
	Terms      *pageField // nil if consent is not collected
	SubmitText string     // of the session; may be empty
	Cards      []pageOption
	NewCard    bool // chosen
	Subtotal   string
	Total      string
	Trial      string
	Contact    []pageField
	Card       []pageField
	Bank       []pageField // empty if no bank debit is offered
	PayByBank  bool
	More       []pageField

	Shipping     []pageOption
	ShippingCost *labeledValue // nil without shipping options
}

type lineItemView struct {
	Name      string
	Quantity  int64
	UnitPrice string
	Amount    string
}

// checkoutPages serves the hosted Checkout page under /c/pay/.
type checkoutPages struct{ *request }

func (h checkoutPages) show(req *http.Request) pageResponse {
	cs, ok := h.store.CheckoutSessions.get(req.PathValue("id"))
	switch {
	case !ok:
		return noSuchPage()
	case cs.Status != "open":
		return closedCheckoutPage(cs)
	case h.checkoutPayments.requiresAction(cs):
		return redirectTo("/c/authenticate/" + cs.ID)
	}
	return showPage("checkout", h.page(cs, checkoutForm{}))
}

func closedCheckoutPage(cs *CheckoutSession) pageResponse {
	return showPage("message", messagePage{
		pageBase: pageBase{"This checkout is over"}, Message: "It was completed, or it has expired.", Link: cs.cancelURL(), LinkText: "Back",
	})
}

// submit changes quantities, applies or removes a code, or completes the session, depending on the
// button.
func (h checkoutPages) submit(req *http.Request) pageResponse {
	cs, ok := h.store.CheckoutSessions.get(req.PathValue("id"))
	if !ok || cs.Status != "open" || h.checkoutPayments.requiresAction(cs) {
		return h.show(req)
	}
	entered := readCheckoutForm(req)
	problems := setQuantities(cs, req)
	cs.chooseShipping(req)
	switch req.PostFormValue("action") {
	case "apply":
		h.updateAddress(cs, entered)
		if entered.Code == "" && (cs.adjustable() || cs.AutomaticTax || len(cs.ShippingOptions) > 0) {
			return h.showAgain(cs, entered, problems)
		}
		if reason := h.checkoutSessions.applyPromotionCode(cs, entered.Code); reason != "" {
			problems["promotionCode"] = reason
		}
		return h.showAgain(cs, entered, problems)
	case "drop":
		if cs.AllowPromotionCodes && !cs.paymentAttempted() {
			cs.Discount, entered.Code = nil, ""
		}
		return h.showAgain(cs, entered, problems)
	}
	h.validate(cs, entered, problems)
	if len(problems) > 0 {
		return h.showAgain(cs, entered, problems)
	}
	if h.updateAddress(cs, entered) {
		page := h.page(cs, entered)
		page.Alert = "The tax for your address is included now. Check the total."
		return showPage("checkout", page)
	}
	return h.complete(cs, entered)
}

// updateAddress takes the address and the tax ID before they are submitted, as far as automatic tax
// follows from them, and reports whether the total has changed. Stripe's page does that while they
// are typed.
func (h checkoutPages) updateAddress(cs *CheckoutSession, entered checkoutForm) bool {
	if !cs.AutomaticTax || entered.Address == nil || cs.paymentAttempted() {
		return false
	}
	before := h.checkoutSessions.totals(cs).total()
	cs.EnteredAddress, cs.EnteredTaxID = entered.Address, entered.TaxID
	return h.checkoutSessions.totals(cs).total() != before
}

func (h checkoutPages) complete(cs *CheckoutSession, entered checkoutForm) pageResponse {
	switch result, _ := h.checkoutPayments.submit(cs, entered); result {
	case outcomePaid:
		return redirectToSuccess(cs)
	case outcomeRequiresAction:
		return redirectTo("/c/authenticate/" + cs.ID)
	}
	page := h.page(cs, entered)
	page.Alert = h.checkoutPayments.lastError(cs)
	return showInvalidForm("checkout", page)
}

// redirectToSuccess redirects to success_url after the first delivery attempts of
// checkout.session.completed. The page around an embedded session leads on.
func redirectToSuccess(cs *CheckoutSession) pageResponse {
	out := redirectTo(cs.successURL())
	if cs.embedded() {
		out = message(http.StatusOK, "Thank you", "Your order is complete.")
	}
	out.awaitEvent = "checkout.session.completed"
	return out
}

func (h checkoutPages) showAgain(cs *CheckoutSession, entered checkoutForm, problems map[string]string) pageResponse {
	page := h.page(cs, entered)
	if len(problems) == 0 {
		return showPage("checkout", page)
	}
	page.Alert = "Some fields need another look."
	for _, fields := range [][]pageField{page.Quantities, page.Contact, page.Card, page.Bank, page.More} {
		setFieldErrors(fields, problems)
	}
	if page.Code != nil {
		page.Code.Error = problems[page.Code.Name]
	}
	if page.Terms != nil {
		page.Terms.Error = problems[page.Terms.Name]
	}
	return showInvalidForm("checkout", page)
}

// setQuantities changes adjustable quantities. It returns messages by field name.
func setQuantities(cs *CheckoutSession, req *http.Request) map[string]string {
	problems := map[string]string{}
	for i := range cs.LineItems {
		line, name := &cs.LineItems[i], quantityField(i)
		text := strings.TrimSpace(req.PostFormValue(name))
		if !line.Adjustable || text == "" || cs.paymentAttempted() {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < line.Minimum || n > line.Maximum {
			problems[name] = fmt.Sprintf("Enter a whole number from %d to %d.", line.Minimum, line.Maximum)
			continue
		}
		line.Quantity = n
	}
	return problems
}

func (cs *CheckoutSession) adjustable() bool {
	return slices.ContainsFunc(cs.LineItems, func(l CheckoutLineItem) bool { return l.Adjustable })
}

func quantityField(i int) string { return fmt.Sprintf("quantity%d", i) }

func (h checkoutPages) page(cs *CheckoutSession, entered checkoutForm) checkoutPage {
	sums := h.checkoutSessions.totals(cs)
	p := checkoutPage{
		pageBase: pageBase{"Checkout"}, Action: "/c/pay/" + cs.ID, Alert: h.checkoutPayments.lastError(cs), Cancel: cs.cancelURL(),
		Subtotal: wire.FormatAmount(sums.subtotal, cs.Currency), Total: wire.FormatAmount(sums.total(), cs.Currency),
	}
	for i, l := range cs.LineItems {
		if price, ok := h.prices.inCurrency(l.Price, cs.Currency); ok {
			p.Lines = append(p.Lines, h.line(price, l.Quantity))
			p.Quantities = append(p.Quantities, quantityFields(l, i, h.prices.productName(price))...)
		}
	}
	if len(h.checkoutSessions.discountsOf(cs)) > 0 {
		p.Discount = "-" + wire.FormatAmount(sums.discount, cs.Currency)
	}
	for _, t := range sums.taxes {
		p.Taxes = append(p.Taxes, labeledValue{t.Rate.label(), wire.FormatAmount(t.amount(), cs.Currency)})
	}
	h.addShipping(&p, cs)
	h.addFields(&p, cs, entered)
	p.Button = h.buttonLabel(cs, p.Total)
	if cs.hasTrial() {
		p.Trial = "Nothing is due until the trial ends."
	}
	return p
}

func quantityFields(l CheckoutLineItem, i int, name string) []pageField {
	if !l.Adjustable {
		return nil
	}
	return []pageField{{
		Name: quantityField(i), Label: "Quantity of " + name, Type: "text", Inputmode: "numeric", Autocomplete: "off",
		Value: strconv.FormatInt(l.Quantity, 10), Hint: fmt.Sprintf("From %d to %d", l.Minimum, l.Maximum),
	}}
}

func (h checkoutPages) buttonLabel(cs *CheckoutSession, total string) string {
	switch {
	case cs.hasTrial():
		return "Start trial"
	case cs.Mode == "subscription":
		return "Subscribe"
	case h.checkoutSessions.amountDue(cs) == 0:
		return "Complete order"
	}
	return "Pay " + total
}

func (h checkoutPages) line(p *Price, quantity int64) lineItemView {
	line := lineItemView{Name: h.prices.productName(p), Quantity: quantity, Amount: wire.FormatAmount(p.amount(quantity), p.Currency)}
	if p.Interval != "" {
		line.UnitPrice = fmt.Sprintf("%s each, every %s", wire.FormatAmount(p.amount(1), p.Currency), intervalText(p))
	}
	return line
}
