package billing

import (
	"time"

	"usher/billing/account"
)

// The objects of the JSON API. Responses and outgoing webhooks carry the same. Times are Unix
// seconds, amounts are in the minor unit of the currency.

// SummaryObject is the billing state of an organization.
type SummaryObject struct {
	OrganizationID string                     `json:"organizationId"`
	Customer       *SummaryCustomerObject     `json:"customer"`
	Subscription   *SummarySubscriptionObject `json:"subscription"`
	Seats          SummarySeatsObject         `json:"seats"`
	Sync           SummarySyncObject          `json:"sync"`
}

// SummaryCustomerObject is the customer at Stripe.
type SummaryCustomerObject struct {
	StripeCustomerID string `json:"stripeCustomerId"`
}

// SummarySubscriptionObject is the current subscription.
type SummarySubscriptionObject struct {
	StripeSubscriptionID string             `json:"stripeSubscriptionId"`
	StripePriceID        string             `json:"stripePriceId"`
	Status               SubscriptionStatus `json:"status"`
	CurrentPeriodEnd     int64              `json:"currentPeriodEnd"`
	CancelAtPeriodEnd    bool               `json:"cancelAtPeriodEnd"`
}

// SummarySeatsObject compares the billable members with the seats.
type SummarySeatsObject struct {
	BillableMembers  int  `json:"billableMembers"`
	DesiredSeats     int  `json:"desiredSeats"`
	LastAppliedSeats *int `json:"lastAppliedSeats"`
}

// SummarySyncObject says whether Stripe has the desired seats.
type SummarySyncObject struct {
	Status     SyncStatus `json:"status"`
	LastSyncAt *int64     `json:"lastSyncAt"`
	Error      *string    `json:"error"`
	// AwaitsConfirmation: the subscription was imported and keeps its quantity until somebody
	// confirms the number of people.
	AwaitsConfirmation bool `json:"awaitsConfirmation,omitempty"`
}

// Summary returns the overview as the API shows it.
func (o Overview) Summary() SummaryObject {
	object := SummaryObject{
		OrganizationID: o.Organization.ID,
		Seats:          SummarySeatsObject{o.Seats.Billable, o.Seats.Desired, o.Seats.LastApplied},
		Sync:           SummarySyncObject{Status: o.Seats.Status, AwaitsConfirmation: o.Seats.Unconfirmed},
	}
	if o.CustomerID != "" {
		object.Customer = &SummaryCustomerObject{o.CustomerID}
	}
	if s := o.Subscription; s != nil {
		object.Subscription = &SummarySubscriptionObject{s.ID, s.PriceID, s.Status, s.CurrentPeriodEnd.Unix(), s.CancelAtPeriodEnd}
	}
	if o.Seats.LastSyncAt != nil {
		object.Sync.LastSyncAt = secondsOrNull(*o.Seats.LastSyncAt)
	}
	if o.Seats.Error != "" {
		object.Sync.Error = &o.Seats.Error
	}
	return object
}

// SeatsObject is the seats that are needed and those at Stripe.
type SeatsObject struct {
	OrganizationID string `json:"organizationId"`
	SummarySeatsObject
	// Quantity is what the subscription has at Stripe; null: there is none.
	Quantity *int              `json:"quantity"`
	Sync     SummarySyncObject `json:"sync"`
}

// SeatsObject returns the seats as the API shows them.
func (o Overview) SeatsObject() SeatsObject {
	all := o.Summary()
	object := SeatsObject{OrganizationID: all.OrganizationID, SummarySeatsObject: all.Seats, Sync: all.Sync}
	if o.Subscription != nil {
		object.Quantity = &o.Seats.Quantity
	}
	return object
}

// EntitlementsObject is what an organization may use.
type EntitlementsObject struct {
	OrganizationID string                   `json:"organizationId"`
	Plan           *string                  `json:"plan"`
	Status         *string                  `json:"status"`
	Access         bool                     `json:"access"`
	Seats          EntitlementSeatsObject   `json:"seats"`
	Credits        EntitlementCreditsObject `json:"credits"`
	Entitlements   []string                 `json:"entitlements"`
}

// EntitlementSeatsObject is the billed members and the seats at Stripe.
type EntitlementSeatsObject struct {
	Billed int `json:"billed"`
	Paid   int `json:"paid"`
}

// EntitlementCreditsObject is the credits.
type EntitlementCreditsObject struct {
	Balance  int    `json:"balance"`
	Granted  int    `json:"granted"`
	ResetsAt *int64 `json:"resetsAt"`
}

// EntitlementsObject returns the entitlements as the API shows them.
func (o Overview) EntitlementsObject() EntitlementsObject {
	object := EntitlementsObject{
		OrganizationID: o.Organization.ID, Access: o.HasAccess, Seats: EntitlementSeatsObject{Billed: o.Seats.Billable, Paid: o.Seats.Quantity},
		Credits: EntitlementCreditsObject{Balance: o.Credits.Balance, Granted: o.Credits.Granted}, Entitlements: []string{},
	}
	if o.Subscription != nil {
		status := string(o.Subscription.Status)
		object.Status = &status
	}
	if o.Plan != nil {
		object.Plan = &o.Plan.ID
		if o.HasAccess {
			object.Entitlements = append(object.Entitlements, o.Plan.Entitlements...)
		}
	}
	if o.Credits.ResetsAt != nil {
		object.Credits.ResetsAt = secondsOrNull(*o.Credits.ResetsAt)
	}
	return object
}

// MemberObject is a member of an organization.
type MemberObject struct {
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

// NewMemberObject returns a member as the API shows it.
func NewMemberObject(m account.Member) MemberObject {
	return MemberObject{
		ID: m.ID, External: textOrNull(m.ExternalID), Email: m.Email, Name: m.Name, Role: m.Role.ID, Status: m.Status, Billable: m.Billable,
		Joined: !m.Provisional, JoinedAt: m.JoinedAt.Unix(),
	}
}

// OrganizationObject is an organization as an installation key sees it.
type OrganizationObject struct {
	ID         string  `json:"id"`
	ExternalID *string `json:"externalId"`
	Name       string  `json:"name"`
	CreatedAt  int64   `json:"createdAt"`
	DeletesAt  *int64  `json:"deletesAt"` // when a requested deletion takes effect
	DeletedAt  *int64  `json:"deletedAt"`
}

// NewOrganizationObject returns an organization as the API shows it.
func NewOrganizationObject(o account.Organization) OrganizationObject {
	object := OrganizationObject{ID: o.ID, ExternalID: textOrNull(o.ExternalID), Name: o.Name, CreatedAt: o.CreatedAt.Unix()}
	if o.DeletesAt != nil {
		object.DeletesAt = secondsOrNull(*o.DeletesAt)
	}
	if o.DeletedAt != nil {
		object.DeletedAt = secondsOrNull(*o.DeletedAt)
	}
	return object
}

// InvoiceObject is an invoice.
type InvoiceObject struct {
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
	Lines      []InvoiceLineObject `json:"lines"`
}

// InvoiceLineObject is what an invoice charges, with its cause.
type InvoiceLineObject struct {
	Reason    LineReason `json:"reason"`
	Text      string     `json:"text"` // in English
	Amount    int64      `json:"amount"`
	Explained bool       `json:"explained"` // the cause is known
	Start     *int64     `json:"start"`     // of the time that is charged
	End       *int64     `json:"end"`
	People    []string   `json:"people"` // whose seats it charges or gives back
}

// Object returns the invoice as the API shows it.
func (i ExplainedInvoice) Object() InvoiceObject {
	object := InvoiceObject{
		ID: i.ID, Number: textOrNull(i.Number), Status: i.Status, Currency: i.Currency, Total: i.Total, AmountPaid: i.AmountPaid, AmountDue: i.AmountDue,
		Refunded: i.Refunded, Credited: i.Credited, CreatedAt: i.CreatedAt.Unix(), Lines: []InvoiceLineObject{},
	}
	if i.PaidAt != nil {
		object.PaidAt = secondsOrNull(*i.PaidAt)
	}
	for _, line := range i.Explanation.Lines {
		people := []string{}
		for _, person := range line.People {
			people = append(people, person.Name)
		}
		object.Lines = append(object.Lines, InvoiceLineObject{
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
