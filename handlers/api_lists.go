package handlers

import (
	"cmp"
	"net/http"

	"usher/billing"
	"usher/billing/account"
)

// memberList is the response of GET /api/v1/members.
type memberList struct {
	Members []billing.MemberObject `json:"members"` // by name
}

// listMembers responds with the organization's members.
func (a *jsonAPI) listMembers(w http.ResponseWriter, r *http.Request) error {
	members, err := a.members.List(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	return writeTagged(w, r, memberList{memberObjects(members)})
}

func memberObjects(members []account.Member) []billing.MemberObject {
	objects := make([]billing.MemberObject, len(members))
	for i, m := range members {
		objects[i] = billing.NewMemberObject(m)
	}
	return objects
}

// getSeats responds with the seats that are needed and those at Stripe.
func (a *jsonAPI) getSeats(w http.ResponseWriter, r *http.Request) error {
	o, err := a.overviews.Get(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	return writeTagged(w, r, o.SeatsObject())
}

// invoiceList is the response of GET /api/v1/invoices.
type invoiceList struct {
	Invoices []billing.InvoiceObject `json:"invoices"` // newest first
	Total    int                     `json:"total"`    // of all that match
}

const defaultInvoices = 100 // in one response

// listInvoices responds with the invoices and the causes of their lines.
func (a *jsonAPI) listInvoices(w http.ResponseWriter, r *http.Request) error {
	year, yearErr := queryNumber(r, "year", 0, 1000, 9999)
	offset, offsetErr := queryNumber(r, "offset", 0, 0, maxPage)
	limit, limitErr := queryNumber(r, "limit", defaultInvoices, 1, billing.InvoiceLimit)
	if err := cmp.Or(yearErr, offsetErr, limitErr); err != nil {
		return err
	}
	search := billing.InvoiceSearch{Year: year, Offset: offset, Limit: limit}
	invoices, total, err := a.invoices.Search(r.Context(), accessOf(r), search)
	if err != nil {
		return err
	}
	response := invoiceList{Invoices: make([]billing.InvoiceObject, 0, len(invoices)), Total: total}
	for _, i := range invoices {
		response.Invoices = append(response.Invoices, i.Object())
	}
	return writeTagged(w, r, response)
}
