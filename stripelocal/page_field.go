package stripelocal

// pageField is one labelled input of a form; Options make it a choice.
type pageField struct {
	Name, Label, Type, Value, Autocomplete, Inputmode, Hint, Error string
	Optional                                                       bool
	Options                                                        []pageOption
}

// pageOption is one choice of a field.
type pageOption struct {
	Value, Label string
	Chosen       bool
}

// cardFields ask for a card. Numbers and codes are never written back.
func cardFields(entered cardEntry) []pageField {
	return []pageField{
		{Name: "cardNumber", Label: "Card number", Type: "text", Autocomplete: "cc-number", Inputmode: "numeric", Hint: "4242 4242 4242 4242 pays; other test cards decline or ask for authentication."},
		{Name: "cardExpiry", Label: "Expiry", Type: "text", Value: entered.Expiry, Autocomplete: "cc-exp", Inputmode: "numeric", Hint: "Month and year: MM / YY"},
		{Name: "cardCvc", Label: "Security code (CVC)", Type: "text", Autocomplete: "cc-csc", Inputmode: "numeric"},
		{Name: "billingName", Label: "Name on card", Type: "text", Value: entered.Name, Autocomplete: "cc-name"},
	}
}

// mark puts each message beside its field and says whether there was any.
func mark(fields []pageField, problems map[string]string) bool {
	for i := range fields {
		fields[i].Error = problems[fields[i].Name]
	}
	return len(problems) > 0
}
