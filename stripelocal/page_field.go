package stripelocal

// pageField is a labelled input of a form, or a select if it has Options.
type pageField struct {
	Name, Label, Type, Value, Autocomplete, Inputmode, Hint, Error string
	Optional                                                       bool
	Options                                                        []pageOption
}

// pageOption is one option of a field.
type pageOption struct {
	Value, Label string
	Selected     bool
}

// setFieldErrors sets each field's error message and reports whether there are any.
func setFieldErrors(fields []pageField, problems map[string]string) bool {
	for i := range fields {
		fields[i].Error = problems[fields[i].Name]
	}
	return len(problems) > 0
}

func addressFields(x Address) []pageField {
	return []pageField{
		{Name: "line1", Label: "Address", Type: "text", Value: x.Line1, Autocomplete: "address-line1", Optional: true},
		{Name: "line2", Label: "Address, second line", Type: "text", Value: x.Line2, Autocomplete: "address-line2", Optional: true},
		{Name: "postal_code", Label: "Postal code", Type: "text", Value: x.PostalCode, Autocomplete: "postal-code", Optional: true},
		{Name: "city", Label: "City", Type: "text", Value: x.City, Autocomplete: "address-level2", Optional: true},
		{Name: "state", Label: "State or region", Type: "text", Value: x.State, Autocomplete: "address-level1", Optional: true},
		{Name: "country", Label: "Country", Type: "text", Value: x.Country, Autocomplete: "country", Optional: true, Hint: "Two letters, such as DE or US"},
	}
}
