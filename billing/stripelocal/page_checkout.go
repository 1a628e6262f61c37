package stripelocal

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// acknowledgeWait is how long Checkout waits for webhooks of the completion to
// be answered before it redirects (second-hand: up to 10 seconds).
const acknowledgeWait = 10 * time.Second

// checkoutPage is the hosted Checkout form.
type checkoutPage struct {
	pageBase
	Action string
	Alert  string
	Button string
	Cancel string
	Fields []pageField
	Lines  []pageLine
	Total  string
	Trial  string
}

type pageField struct {
	Name, Label, Type, Value, Autocomplete, Inputmode, Hint, Error string
}

type pageLine struct {
	Name     string
	Quantity int64
	Per      string
	Amount   string
}

type challengePage struct {
	pageBase
	Action string
	Amount string
}

// checkoutView is what a page needs to know of a session, read in one act.
type checkoutView struct {
	found, open, challenged bool
	success, cancel         string
	page                    checkoutPage
}

func (s *Server) viewCheckout(id string, entered submission) checkoutView {
	var v checkoutView
	_ = s.perform(cause{}, func(a *act) error {
		cs, ok := a.state.Sessions.get(id)
		if !ok {
			return nil
		}
		v = checkoutView{
			found: true, open: cs.Status == "open", challenged: a.challenged(cs), success: cs.successURL(),
			cancel: cs.cancelURL(), page: a.checkoutPage(cs, entered),
		}
		return nil
	})
	return v
}

func (s *Server) showCheckout(w http.ResponseWriter, req *http.Request) {
	v := s.viewCheckout(req.PathValue("id"), submission{})
	switch {
	case !v.found:
		s.notFoundPage(w)
	case !v.open:
		s.closedCheckout(w, v)
	case v.challenged:
		http.Redirect(w, req, "/c/authenticate/"+req.PathValue("id"), http.StatusSeeOther)
	default:
		s.render(w, http.StatusOK, "checkout", v.page)
	}
}

func (s *Server) closedCheckout(w http.ResponseWriter, v checkoutView) {
	s.render(w, http.StatusOK, "message", messagePage{
		pageBase: s.base("This checkout is over"), Message: "It was completed, or it has expired.",
		Link: v.cancel, LinkText: "Back",
	})
}

func (s *Server) payCheckout(w http.ResponseWriter, req *http.Request) {
	id, entered := req.PathValue("id"), enteredCheckout(req)
	v := s.viewCheckout(id, entered)
	if !v.found || !v.open {
		s.showCheckout(w, req)
		return
	}
	if problems := entered.check(s.Now().Unix()); len(problems) > 0 {
		v.page.mark(problems)
		s.render(w, http.StatusUnprocessableEntity, "checkout", v.page)
		return
	}
	s.finishCheckoutStep(w, req, id, entered, func(a *act, cs *CheckoutSession) outcome {
		result, _ := a.submitCheckout(cs, entered)
		return result
	})
}

func enteredCheckout(req *http.Request) submission {
	return submission{
		Email: strings.TrimSpace(req.PostFormValue("email")),
		Card: cardEntry{
			Number: req.PostFormValue("cardNumber"), Expiry: req.PostFormValue("cardExpiry"),
			CVC: strings.TrimSpace(req.PostFormValue("cardCvc")), Name: strings.TrimSpace(req.PostFormValue("billingName")),
		},
	}
}

func (s submission) check(now int64) map[string]string {
	problems := s.Card.check(now)
	if !looksLikeEmail(s.Email) {
		problems["email"] = "Enter an e-mail address such as name@example.com."
	}
	if s.Card.Name == "" {
		problems["billingName"] = "Enter the name on the card."
	}
	return problems
}

// finishCheckoutStep performs one step of an open session and shows where it
// led: away, to 3-D Secure, or back to the form.
func (s *Server) finishCheckoutStep(w http.ResponseWriter, req *http.Request, id string, entered submission, step func(*act, *CheckoutSession) outcome) {
	result, owed := s.stepCheckout(id, step)
	switch result {
	case paid:
		ctx, cancel := context.WithTimeout(req.Context(), acknowledgeWait)
		defer cancel()
		awaitFirst(ctx, owed)
		http.Redirect(w, req, s.viewCheckout(id, entered).success, http.StatusSeeOther)
	case needsAction:
		http.Redirect(w, req, "/c/authenticate/"+id, http.StatusSeeOther)
	default:
		s.render(w, http.StatusUnprocessableEntity, "checkout", s.viewCheckout(id, entered).page)
	}
}

// stepCheckout gives the outcome and the deliveries that tell of a completion.
func (s *Server) stepCheckout(id string, step func(*act, *CheckoutSession) outcome) (outcome, []*Delivery) {
	result, from := refused, int64(0)
	_ = s.perform(s.pageCause(), func(a *act) error {
		cs, ok := a.state.Sessions.get(id)
		if ok && cs.Status == "open" {
			a.changed = true
			from = a.state.Deliveries.last
			result = step(a, cs)
		}
		return nil
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	var owed []*Delivery
	for _, d := range s.state.Deliveries.all[place(s.state.Deliveries.all, from+1):] {
		if e, ok := s.state.Events.get(d.Event); ok && e.Type == "checkout.session.completed" {
			owed = append(owed, d)
		}
	}
	return result, owed
}

// pageCause gives a hosted page's act a request id of its own, as Stripe's
// pages call its API too.
func (s *Server) pageCause() cause {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cause{RequestID: s.ids.short("req_")}
}

func (s *Server) showChallenge(w http.ResponseWriter, req *http.Request) {
	id := req.PathValue("id")
	v := s.viewCheckout(s.challengedSession(id), submission{})
	switch {
	case !v.found:
		s.notFoundPage(w)
	case !v.challenged:
		s.say(w, http.StatusOK, "Nothing to authenticate", "This payment does not wait for you.")
	default:
		s.render(w, http.StatusOK, "challenge", challengePage{
			pageBase: s.base("3-D Secure"), Action: req.URL.Path, Amount: v.page.Total,
		})
	}
}

// challengedSession finds the session of a payment or setup intent; a
// session's own id stays.
func (s *Server) challengedSession(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pi, ok := s.state.PaymentIntents.get(id); ok {
		return pi.Session
	}
	if si, ok := s.state.SetupIntents.get(id); ok {
		return si.Session
	}
	return id
}

func (s *Server) answerChallengePage(w http.ResponseWriter, req *http.Request) {
	id, passed := s.challengedSession(req.PathValue("id")), req.PostFormValue("complete") != ""
	if v := s.viewCheckout(id, submission{}); !v.challenged {
		s.showChallenge(w, req)
		return
	}
	result, owed := s.stepCheckout(id, func(a *act, cs *CheckoutSession) outcome {
		result, _ := a.answerChallenge(cs, passed)
		return result
	})
	if result != paid {
		http.Redirect(w, req, "/c/pay/"+id, http.StatusSeeOther)
		return
	}
	ctx, cancel := context.WithTimeout(req.Context(), acknowledgeWait)
	defer cancel()
	awaitFirst(ctx, owed)
	http.Redirect(w, req, s.viewCheckout(id, submission{}).success, http.StatusSeeOther)
}

func (a *act) checkoutPage(cs *CheckoutSession, entered submission) checkoutPage {
	p := checkoutPage{
		pageBase: a.base("Checkout"), Action: "/c/pay/" + cs.ID, Alert: a.lastProblem(cs), Cancel: cs.cancelURL(),
		Total: formatAmount(a.sessionAmount(cs), cs.Currency), Fields: a.checkoutFields(cs, entered),
	}
	for _, l := range cs.Lines {
		if price, ok := a.state.Prices.get(l.Price); ok {
			p.Lines = append(p.Lines, a.checkoutLine(price, l.Quantity))
		}
	}
	p.Button = "Pay " + p.Total
	if cs.Mode == "subscription" {
		p.Button = "Subscribe"
	}
	if cs.hasTrial() {
		p.Button, p.Trial = "Start trial", "Nothing is due until the trial ends."
	}
	return p
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

func (a *act) checkoutFields(cs *CheckoutSession, entered submission) []pageField {
	email := entered.Email
	if c, ok := a.state.Customers.get(cs.Customer); ok && email == "" {
		email = c.Email
	}
	if email == "" {
		email = cs.CustomerEmail
	}
	return []pageField{
		{Name: "email", Label: "E-mail", Type: "email", Value: email, Autocomplete: "email"},
		{Name: "cardNumber", Label: "Card number", Type: "text", Autocomplete: "cc-number", Inputmode: "numeric", Hint: "4242 4242 4242 4242 pays; other test cards decline or ask for authentication."},
		{Name: "cardExpiry", Label: "Expiry", Type: "text", Value: entered.Card.Expiry, Autocomplete: "cc-exp", Inputmode: "numeric", Hint: "Month and year: MM / YY"},
		{Name: "cardCvc", Label: "Security code (CVC)", Type: "text", Autocomplete: "cc-csc", Inputmode: "numeric"},
		{Name: "billingName", Label: "Name on card", Type: "text", Value: entered.Card.Name, Autocomplete: "cc-name"},
	}
}

// mark puts the messages beside their fields.
func (p *checkoutPage) mark(problems map[string]string) {
	p.Alert = "Some fields need another look."
	for i := range p.Fields {
		p.Fields[i].Error = problems[p.Fields[i].Name]
	}
}
