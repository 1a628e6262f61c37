package stripelocal

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// acknowledgeWait is how long Checkout waits for webhooks of the completion to
// be answered before it redirects (second-hand: up to 10 seconds).
const acknowledgeWait = 10 * time.Second

// checkoutPage is the hosted Checkout form.
type checkoutPage struct {
	pageBase
	Action     string
	Alert      string
	Button     string
	Cancel     string
	Lines      []pageLine
	Quantities []pageField
	Code       *pageField // where promotion codes are taken
	Discount   string
	Subtotal   string
	Total      string
	Trial      string
	Contact    []pageField
	Card       []pageField
	Bank       []pageField // where a bank debit is offered
	PayByBank  bool
	More       []pageField
}

type pageLine struct {
	Name     string
	Quantity int64
	Per      string
	Amount   string
}

func (a *act) showCheckout(req *http.Request) reply {
	cs, ok := a.state.Sessions.get(req.PathValue("id"))
	switch {
	case !ok:
		return a.noSuchPage()
	case cs.Status != "open":
		return a.closedCheckout(cs)
	case a.challenged(cs):
		return seeOther("/c/authenticate/" + cs.ID)
	}
	return show("checkout", a.checkoutPage(cs, submission{}))
}

func (a *act) closedCheckout(cs *CheckoutSession) reply {
	return show("message", messagePage{
		pageBase: a.base("This checkout is over"), Message: "It was completed, or it has expired.", Link: cs.cancelURL(), LinkText: "Back",
	})
}

// takeCheckout changes quantities, applies a code or completes the session,
// whichever button was pressed.
func (a *act) takeCheckout(req *http.Request) reply {
	cs, ok := a.state.Sessions.get(req.PathValue("id"))
	if !ok || cs.Status != "open" || a.challenged(cs) {
		return a.showCheckout(req)
	}
	entered := enteredCheckout(req)
	problems := a.takeQuantities(cs, req)
	switch req.PostFormValue("action") {
	case "apply":
		if entered.Code == "" && cs.adjustable() {
			return a.againCheckout(cs, entered, problems)
		}
		if why := a.applyCode(cs, entered.Code); why != "" {
			problems["promotionCode"] = why
		}
		return a.againCheckout(cs, entered, problems)
	case "drop":
		if cs.AllowPromotionCodes && !cs.begun() {
			cs.Discount, entered.Code = nil, ""
		}
		return a.againCheckout(cs, entered, problems)
	}
	a.checkCheckout(cs, entered, problems)
	if len(problems) > 0 {
		return a.againCheckout(cs, entered, problems)
	}
	return a.completeCheckout(cs, entered)
}

func (a *act) completeCheckout(cs *CheckoutSession, entered submission) reply {
	switch result, _ := a.submitCheckout(cs, entered); result {
	case paid:
		return a.leaveCheckout(cs)
	case needsAction:
		return seeOther("/c/authenticate/" + cs.ID)
	}
	page := a.checkoutPage(cs, entered)
	page.Alert = a.lastProblem(cs)
	return mend("checkout", page)
}

// leaveCheckout goes to the application, once it has been told.
func (a *act) leaveCheckout(cs *CheckoutSession) reply {
	out := seeOther(cs.successURL())
	out.awaits = "checkout.session.completed"
	return out
}

func (a *act) againCheckout(cs *CheckoutSession, entered submission, problems map[string]string) reply {
	page := a.checkoutPage(cs, entered)
	if len(problems) == 0 {
		return show("checkout", page)
	}
	page.Alert = "Some fields need another look."
	for _, fields := range [][]pageField{page.Quantities, page.Contact, page.Card, page.Bank, page.More} {
		mark(fields, problems)
	}
	if page.Code != nil {
		page.Code.Error = problems[page.Code.Name]
	}
	return mend("checkout", page)
}

// takeQuantities changes the lines whose quantity may be adjusted.
func (a *act) takeQuantities(cs *CheckoutSession, req *http.Request) map[string]string {
	problems := map[string]string{}
	for i := range cs.Lines {
		line, name := &cs.Lines[i], quantityField(i)
		text := strings.TrimSpace(req.PostFormValue(name))
		if !line.Adjustable || text == "" || cs.begun() {
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
	return slices.ContainsFunc(cs.Lines, func(l CheckoutLine) bool { return l.Adjustable })
}

func quantityField(i int) string { return fmt.Sprintf("quantity%d", i) }

func (a *act) checkoutPage(cs *CheckoutSession, entered submission) checkoutPage {
	sums := a.sums(cs)
	p := checkoutPage{
		pageBase: a.base("Checkout"), Action: "/c/pay/" + cs.ID, Alert: a.lastProblem(cs), Cancel: cs.cancelURL(),
		Subtotal: formatAmount(sums.subtotal, cs.Currency), Total: formatAmount(sums.total(), cs.Currency),
	}
	for i, l := range cs.Lines {
		if price, ok := a.state.Prices.get(l.Price); ok {
			p.Lines = append(p.Lines, a.checkoutLine(price, l.Quantity))
			p.Quantities = append(p.Quantities, quantityFields(l, i, a.productName(price))...)
		}
	}
	if cs.Discount != nil {
		p.Discount = "-" + formatAmount(sums.discount, cs.Currency)
	}
	a.fillCheckout(&p, cs, entered)
	p.Button = a.checkoutButton(cs, p.Total)
	if cs.hasTrial() {
		p.Trial = "Nothing is due until the trial ends."
	}
	return p
}

func quantityFields(l CheckoutLine, i int, name string) []pageField {
	if !l.Adjustable {
		return nil
	}
	return []pageField{{
		Name: quantityField(i), Label: "Quantity of " + name, Type: "text", Inputmode: "numeric", Autocomplete: "off",
		Value: strconv.FormatInt(l.Quantity, 10), Hint: fmt.Sprintf("From %d to %d", l.Minimum, l.Maximum),
	}}
}

func (a *act) checkoutButton(cs *CheckoutSession, total string) string {
	switch {
	case cs.hasTrial():
		return "Start trial"
	case cs.Mode == "subscription":
		return "Subscribe"
	case a.sessionAmount(cs) == 0:
		return "Complete order"
	}
	return "Pay " + total
}

func (a *act) checkoutLine(p *Price, quantity int64) pageLine {
	line := pageLine{Name: a.productName(p), Quantity: quantity, Amount: formatAmount(p.amount(quantity), p.Currency)}
	if p.Interval != "" {
		line.Per = fmt.Sprintf("%s each, every %s", formatAmount(p.amount(1), p.Currency), every(p))
	}
	return line
}

func every(p *Price) string {
	if p.IntervalCount == 1 {
		return p.Interval
	}
	return fmt.Sprintf("%d %ss", p.IntervalCount, p.Interval)
}
