package stripelocal

import (
	"net/http"
	"net/url"
	"strings"
)

// portalDetailsPage is the form for customer details.
type portalDetailsPage struct {
	portalFrame
	Fields []pageField
}

// details are the customer details on the overview.
func (h portalPages) details(x *PortalSession) []labeledValue {
	c, ok := h.store.Customers.get(x.Customer)
	if !ok {
		return nil
	}
	rows := []labeledValue{{"Name", c.Name}, {"E-mail", c.Email}, {"Phone", c.Phone}, {"Address", c.Address.oneLine()}}
	for _, id := range h.store.TaxIDs.by("customer", c.ID) {
		rows = append(rows, labeledValue{"Tax ID", id.Value})
	}
	var out []labeledValue
	for _, row := range rows {
		if row.Value != "" {
			out = append(out, row)
		}
	}
	return out
}

func (h portalPages) showDetails(x *PortalSession, config *PortalConfiguration, _ *http.Request) pageResponse {
	c, ok := h.store.Customers.get(x.Customer)
	if !ok || !config.Features.CustomerUpdate {
		return portalNotAllowed()
	}
	return showPage("portal-details", h.detailsPage(x, config, c))
}

func (h portalPages) detailsPage(x *PortalSession, config *PortalConfiguration, c *Customer) portalDetailsPage {
	address := c.Address
	if address == nil {
		address = &Address{}
	}
	taxID := ""
	for _, id := range h.store.TaxIDs.by("customer", c.ID) {
		taxID = id.Value
	}
	page := portalDetailsPage{portalFrame: newPortalFrame(x, "Your details", x.path()+"/details")}
	for _, offered := range []struct {
		update string
		fields []pageField
	}{
		{"email", []pageField{{Name: "email", Label: "E-mail", Type: "email", Value: c.Email, Autocomplete: "email"}}},
		{"name", []pageField{{Name: "name", Label: "Name", Type: "text", Value: c.Name, Autocomplete: "name", Optional: true}}},
		{"phone", []pageField{{Name: "phone", Label: "Phone", Type: "tel", Value: c.Phone, Autocomplete: "tel", Optional: true}}},
		{"address", addressFields(*address)},
		{"tax_id", []pageField{{Name: "taxId", Label: "Tax ID", Type: "text", Value: taxID, Autocomplete: "off", Optional: true, Hint: "A European VAT number such as DE123456789, or an American EIN such as 12-3456789."}}},
	} {
		if setOf(config.Features.CustomerAllowedUpdates)[offered.update] {
			page.Fields = append(page.Fields, offered.fields...)
		}
	}
	return page
}

// submitDetails saves the details that the configuration allows to change.
func (h portalPages) submitDetails(x *PortalSession, config *PortalConfiguration, req *http.Request) pageResponse {
	c, ok := h.store.Customers.get(x.Customer)
	if !ok || !config.Features.CustomerUpdate {
		return portalNotAllowed()
	}
	page := h.detailsPage(x, config, c)
	entered := map[string]string{}
	for i, f := range page.Fields {
		entered[f.Name] = strings.TrimSpace(req.PostFormValue(f.Name))
		page.Fields[i].Value = entered[f.Name]
	}
	if setFieldErrors(page.Fields, checkDetails(entered)) {
		page.Alert = "Some fields need another look."
		return showInvalidForm("portal-details", page)
	}
	if _, err := h.callAPI("POST /v1/customers/{id}", c.ID, detailsForm(entered)); err != nil {
		page.Alert = err.Error()
		return showInvalidForm("portal-details", page)
	}
	if taxID, present := entered["taxId"]; present {
		h.taxIDs.setOnly(c, taxID)
	}
	return finishPortalStep(x, "details")
}

// checkDetails returns the message for each invalid field.
func checkDetails(entered map[string]string) map[string]string {
	problems := map[string]string{}
	if email, present := entered["email"]; present && !looksLikeEmail(email) {
		problems["email"] = "Enter an e-mail address such as name@example.com."
	}
	if country := entered["country"]; country != "" && len(country) != 2 {
		problems["country"] = "Enter the two letters of the country."
	}
	if id := entered["taxId"]; id != "" && taxIDType(id) == "" {
		problems["taxId"] = "This is not a tax ID that is known here."
	}
	return problems
}

// detailsForm is the form of the API call that saves the details.
func detailsForm(entered map[string]string) url.Values {
	form := url.Values{}
	for name, value := range entered {
		switch name {
		case "email", "name", "phone":
			form.Set(name, value)
		case "country":
			form.Set("address[country]", strings.ToUpper(value))
		case "taxId":
		default:
			form.Set("address["+name+"]", value)
		}
	}
	return form
}
