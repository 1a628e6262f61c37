package handlers

import (
	"cmp"
	"net/http"
	"time"

	"usher/billing"
	"usher/billing/account"
)

// memberList is the response of GET /api/v1/members.
type memberList struct {
	Members []memberObject `json:"members"` // by name
}

type memberObject struct {
	ID       string               `json:"id"`
	External *string              `json:"externalId"`
	Email    string               `json:"email"`
	Name     string               `json:"name"`
	Role     string               `json:"role"` // the id; of a custom role role_…
	Status   account.MemberStatus `json:"status"`
	Billable bool                 `json:"billable"`
	Joined   bool                 `json:"joined"`   // false: the person has not accepted yet
	JoinedAt int64                `json:"joinedAt"` // or since when a program named them
}

// listMembers responds with the organization's members.
func (a *jsonAPI) listMembers(w http.ResponseWriter, r *http.Request) error {
	members, err := a.members.List(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	return writeTagged(w, r, memberList{memberObjects(members)})
}

func memberObjects(members []account.Member) []memberObject {
	objects := make([]memberObject, len(members))
	for i, m := range members {
		objects[i] = memberObjectOf(m)
	}
	return objects
}

func memberObjectOf(m account.Member) memberObject {
	return memberObject{
		ID: m.ID, External: textOrNull(m.ExternalID), Email: m.Email, Name: m.Name, Role: m.Role.ID, Status: m.Status, Billable: m.Billable,
		Joined: !m.Provisional, JoinedAt: m.JoinedAt.Unix(),
	}
}

// seatsObject is the response of GET /api/v1/seats.
type seatsObject struct {
	OrganizationID string `json:"organizationId"`
	summarySeats
	// Quantity is what the subscription has at Stripe; null: there is none.
	Quantity *int        `json:"quantity"`
	Sync     summarySync `json:"sync"`
}

// getSeats responds with the seats that are needed and those at Stripe.
func (a *jsonAPI) getSeats(w http.ResponseWriter, r *http.Request) error {
	o, err := a.overviews.Get(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	all := summaryOf(o)
	response := seatsObject{OrganizationID: all.OrganizationID, summarySeats: all.Seats, Sync: all.Sync}
	if o.Subscription != nil {
		response.Quantity = &o.Seats.Quantity
	}
	return writeTagged(w, r, response)
}

// invoiceList is the response of GET /api/v1/invoices.
type invoiceList struct {
	Invoices []invoiceObject `json:"invoices"` // newest first
	Total    int             `json:"total"`    // of all that match
}

// invoiceObject is an invoice. Amounts are in the currency's minor unit.
type invoiceObject struct {
	ID         string              `json:"id"`
	Number     *string             `json:"number"` // null until it is finalized
	Status     string              `json:"status"` // Stripe's
	Currency   string              `json:"currency"`
	Total      int64               `json:"total"`
	AmountPaid int64               `json:"amountPaid"`
	AmountDue  int64               `json:"amountDue"`
	Refunded   int64               `json:"refunded"` // to the card
	Credited   int64               `json:"credited"` // by credit notes
	CreatedAt  int64               `json:"createdAt"`
	PaidAt     *int64              `json:"paidAt"`
	Lines      []invoiceLineObject `json:"lines"`
}

// invoiceLineObject is what an invoice charges, with its cause.
type invoiceLineObject struct {
	Reason    billing.LineReason `json:"reason"`
	Text      string             `json:"text"` // in English
	Amount    int64              `json:"amount"`
	Explained bool               `json:"explained"` // the cause is known
	Start     *int64             `json:"start"`     // of the time that is charged
	End       *int64             `json:"end"`
	People    []string           `json:"people"` // whose seats it charges or gives back
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
	response := invoiceList{Invoices: make([]invoiceObject, 0, len(invoices)), Total: total}
	for _, i := range invoices {
		response.Invoices = append(response.Invoices, invoiceObjectOf(i))
	}
	return writeTagged(w, r, response)
}

func invoiceObjectOf(i billing.ExplainedInvoice) invoiceObject {
	object := invoiceObject{
		ID: i.ID, Status: i.Status, Currency: i.Currency, Total: i.Total, AmountPaid: i.AmountPaid, AmountDue: i.AmountDue,
		Refunded: i.Refunded, Credited: i.Credited, CreatedAt: i.CreatedAt.Unix(), Lines: []invoiceLineObject{},
	}
	if i.Number != "" {
		object.Number = &i.Number
	}
	if i.PaidAt != nil {
		object.PaidAt = secondsOrNull(*i.PaidAt)
	}
	for _, line := range i.Explanation.Lines {
		people := []string{}
		for _, person := range line.People {
			people = append(people, person.Name)
		}
		object.Lines = append(object.Lines, invoiceLineObject{
			Reason: line.Reason, Text: line.Text.String(), Amount: line.Amount.Minor, Explained: line.Explained,
			Start: secondsOrNull(line.Start), End: secondsOrNull(line.End), People: people,
		})
	}
	return object
}

func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func secondsOrNull(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	seconds := t.Unix()
	return &seconds
}
