package stripelocal

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// cardForm is the submitted card fields of a hosted page.
type cardForm struct{ Number, Expiry, CVC, Name string }

// validate returns the message for each invalid field, by field name.
func (c cardForm) validate(now int64) map[string]string {
	problems := map[string]string{}
	if message := checkCardNumber(digitsOf(c.Number)); message != "" {
		problems["cardNumber"] = message
	}
	if message := checkCardExpiry(c.Expiry, now); message != "" {
		problems["cardExpiry"] = message
	}
	if n := len(c.CVC); n < 3 || n > 4 || digitsOf(c.CVC) != c.CVC {
		problems["cardCvc"] = "Your card's security code is incomplete."
	}
	return problems
}

// validateWithName is validate for pages that also require the name.
func (c cardForm) validateWithName(now int64) map[string]string {
	problems := c.validate(now)
	if c.Name == "" {
		problems["billingName"] = "Enter the name on the card."
	}
	return problems
}

func checkCardNumber(number string) string {
	switch {
	case len(number) < 12:
		return "Your card number is incomplete."
	case !luhn(number):
		return "Your card number is invalid."
	}
	if _, known := testCardByNumber(number); !known {
		return "Only Stripe's test cards work here, such as 4242 4242 4242 4242."
	}
	return ""
}

func checkCardExpiry(text string, now int64) string {
	month, year, ok := parseExpiry(text)
	if !ok {
		return "Your card's expiration date is incomplete."
	}
	today := time.Unix(now, 0).UTC()
	if year < today.Year() || year == today.Year() && month < int(today.Month()) {
		return "Your card's expiration year is in the past."
	}
	return ""
}

// parseExpiry parses MM / YY, MM/YYYY and MMYY.
func parseExpiry(text string) (month, year int, ok bool) {
	m, y, found := strings.Cut(text, "/")
	if digits := digitsOf(text); !found && len(digits) == 4 {
		m, y = digits[:2], digits[2:]
	}
	month, errMonth := strconv.Atoi(strings.TrimSpace(m))
	year, errYear := strconv.Atoi(strings.TrimSpace(y))
	if year < 100 {
		year += 2000
	}
	return month, year, errMonth == nil && errYear == nil && month >= 1 && month <= 12 && year < 2100
}

func readCardForm(req *http.Request) cardForm {
	return cardForm{
		Number: req.PostFormValue("cardNumber"), Expiry: req.PostFormValue("cardExpiry"),
		CVC: strings.TrimSpace(req.PostFormValue("cardCvc")), Name: strings.TrimSpace(req.PostFormValue("billingName")),
	}
}

// cardFields are the fields of a card form. Numbers and security codes are never rendered back.
func cardFields(entered cardForm) []pageField {
	return []pageField{
		{Name: "cardNumber", Label: "Card number", Type: "text", Autocomplete: "cc-number", Inputmode: "numeric", Hint: "4242 4242 4242 4242 pays; other test cards decline or ask for authentication."},
		{Name: "cardExpiry", Label: "Expiry", Type: "text", Value: entered.Expiry, Autocomplete: "cc-exp", Inputmode: "numeric", Hint: "Month and year: MM / YY"},
		{Name: "cardCvc", Label: "Security code (CVC)", Type: "text", Autocomplete: "cc-csc", Inputmode: "numeric"},
		{Name: "billingName", Label: "Name on card", Type: "text", Value: entered.Name, Autocomplete: "cc-name"},
	}
}
