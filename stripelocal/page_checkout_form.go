package stripelocal

import (
	"cmp"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// checkoutForm is the submitted form of the hosted Checkout page.
type checkoutForm struct {
	Email    string
	Phone    string
	Card     cardForm
	Bank     bool
	Account  string // bank account number
	Address  *Address
	Business string
	TaxID    string
	Code     string
	Terms    bool
	// SavedCard is the id of a saved card, or [newCardOption].
	SavedCard string
}

func readCheckoutForm(req *http.Request) checkoutForm {
	field := func(name string) string { return strings.TrimSpace(req.PostFormValue(name)) }
	s := checkoutForm{
		Email: field("email"), Phone: field("phone"), Card: readCardForm(req), Bank: field("payBy") == "bank",
		Account: field("bankAccount"), Business: field("businessName"), TaxID: field("taxId"), Code: field("promotionCode"),
		Terms: field("termsOfService") != "", SavedCard: field("savedCard"),
	}
	entered := Address{
		Line1: field("line1"), Line2: field("line2"), PostalCode: field("postal_code"), City: field("city"),
		State: field("state"), Country: strings.ToUpper(field("country")),
	}
	if entered != (Address{}) {
		s.Address = &entered
	}
	return s
}

// addFields adds the fields that the session requires.
func (h checkoutPages) addFields(p *checkoutPage, cs *CheckoutSession, entered checkoutForm) {
	p.Contact = []pageField{{Name: "email", Label: "E-mail", Type: "email", Value: h.email(cs, entered), Autocomplete: "email"}}
	if cs.PhoneNumberCollection {
		p.Contact = append(p.Contact, pageField{Name: "phone", Label: "Phone", Type: "tel", Value: entered.Phone, Autocomplete: "tel"})
	}
	if cs.AllowPromotionCodes && !cs.paymentAttempted() {
		p.Code = &pageField{Name: "promotionCode", Label: "Promotion code", Type: "text", Value: entered.Code, Autocomplete: "off", Optional: true}
	}
	if !h.checkoutSessions.isFree(cs) {
		p.Card = cardFields(entered.Card)
		h.addSavedCards(p, cs, entered)
	}
	p.SubmitText = plainText(cs.SubmitText)
	if cs.ConsentTerms == "required" {
		p.Terms = &pageField{Name: "termsOfService", Label: plainText(cmp.Or(cs.TermsText, "I agree to the terms of service."))}
		if entered.Terms {
			p.Terms.Value = "1" // checked
		}
	}
	if p.Card != nil && cs.bankDebit() != "" && h.checkoutSessions.amountDue(cs) > 0 {
		p.PayByBank = entered.Bank
		p.Bank = []pageField{bankField(cs.bankDebit(), entered.Account)}
	}
	p.More = cs.moreFields(entered)
}

// bankField asks for the account of a bank debit.
func bankField(kind, entered string) pageField {
	if kind == "sepa_debit" {
		accounts := sepaTestAccounts["DE"]
		return pageField{
			Name: "bankAccount", Label: "IBAN", Type: "text", Value: entered, Autocomplete: "off",
			Hint: accounts[0] + " settles, " + accounts[2] + " fails; both after four days.",
		}
	}
	return pageField{
		Name: "bankAccount", Label: "Account number", Type: "text", Value: entered, Inputmode: "numeric", Autocomplete: "off",
		Hint: bankAccountSucceeds + " settles, " + bankAccountFails + " fails; both after four days.",
	}
}

// bankProblem is the message for an invalid account, or "".
func bankProblem(kind, entered string) string {
	n := len(digitsOf(entered))
	switch {
	case kind == "sepa_debit" && !validIBAN(normalizeIBAN(entered)):
		return "Enter a valid IBAN."
	case kind == "us_bank_account" && (n < 4 || n > 17):
		return "Enter an account number of 4 to 17 digits."
	}
	return ""
}

// markdownLink is a link in the texts of a session. The local page shows its label alone.
var markdownLink = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)

func plainText(text string) string { return markdownLink.ReplaceAllString(text, "$1") }

// addSavedCards offers the saved cards. The first one is chosen before anything is submitted.
func (h checkoutPages) addSavedCards(p *checkoutPage, cs *CheckoutSession, entered checkoutForm) {
	for i, pm := range h.checkoutSessions.savedCards(cs) {
		chosen := entered.SavedCard == pm.ID || entered.SavedCard == "" && entered.Email == "" && i == 0
		p.Cards = append(p.Cards, pageOption{Value: pm.ID, Label: fmt.Sprintf("%s ending in %s", pm.Brand, pm.last4()), Selected: chosen})
		p.NewCard = p.NewCard || chosen
	}
	p.NewCard = !p.NewCard
}

func (h checkoutPages) email(cs *CheckoutSession, entered checkoutForm) string {
	email := entered.Email
	if c, ok := h.store.Customers.get(cs.Customer); ok && email == "" {
		email = c.Email
	}
	if email == "" {
		email = cs.CustomerEmail
	}
	return email
}

func (cs *CheckoutSession) moreFields(entered checkoutForm) []pageField {
	var out []pageField
	if cs.collectsAddress() {
		address := entered.Address
		if address == nil {
			address = &Address{}
		}
		out = addressFields(*address)
		for i := range out {
			out[i].Optional = out[i].Name == "line2" || out[i].Name == "state"
		}
	}
	if cs.TaxIDCollection {
		out = append(out,
			pageField{Name: "businessName", Label: "Business name", Type: "text", Value: entered.Business, Autocomplete: "organization", Optional: true},
			pageField{Name: "taxId", Label: "Tax ID", Type: "text", Value: entered.TaxID, Autocomplete: "off", Optional: true, Hint: "For businesses: a European VAT number such as DE123456789, or an American EIN such as 12-3456789."})
	}
	return out
}

// collectsAddress reports whether an address is required, by billing_address_collection or
// automatic_tax.
func (cs *CheckoutSession) collectsAddress() bool {
	return cs.BillingAddressCollection == "required" || cs.AutomaticTax
}

// validate adds the message for each invalid field.
func (h checkoutPages) validate(cs *CheckoutSession, s checkoutForm, problems map[string]string) {
	if !looksLikeEmail(s.Email) {
		problems["email"] = "Enter an e-mail address such as name@example.com."
	}
	if cs.PhoneNumberCollection && len(digitsOf(s.Phone)) < 5 {
		problems["phone"] = "Enter a phone number."
	}
	_, saved := h.checkoutSessions.savedCard(cs, s.SavedCard)
	switch {
	case h.checkoutSessions.isFree(cs), saved:
	case s.Bank && cs.bankDebit() != "":
		if problem := bankProblem(cs.bankDebit(), s.Account); problem != "" {
			problems["bankAccount"] = problem
		}
		if s.Card.Name == "" {
			problems["billingName"] = "Enter the name of the account's holder."
		}
	default:
		for name, message := range s.Card.validateWithName(h.now) {
			problems[name] = message
		}
	}
	if cs.ConsentTerms == "required" && !s.Terms {
		problems["termsOfService"] = "Agree to the terms of service to continue."
	}
	cs.validateMore(s, problems)
}

func (cs *CheckoutSession) validateMore(s checkoutForm, problems map[string]string) {
	if cs.collectsAddress() {
		address := s.Address
		if address == nil {
			address = &Address{}
		}
		for name, value := range map[string]string{"line1": address.Line1, "postal_code": address.PostalCode, "city": address.City} {
			if value == "" {
				problems[name] = "Fill in this field."
			}
		}
		if len(address.Country) != 2 {
			problems["country"] = "Enter the two letters of the country."
		}
	}
	if cs.TaxIDCollection && s.TaxID != "" {
		if taxIDType(s.TaxID) == "" {
			problems["taxId"] = "This is not a tax ID that is known here."
		}
		if s.Business == "" {
			problems["businessName"] = "Enter the business that the tax ID belongs to."
		}
	}
}
