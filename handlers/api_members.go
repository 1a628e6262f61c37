package handlers

import (
	"encoding/json"
	"fmt"
	"net/http"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
)

// memberRequest is a member in the body of PUT and POST /api/v1/members.
type memberRequest struct {
	ExternalID string `json:"externalId"`
	Email      string `json:"email"`
	Name       string `json:"name"`
	Role       string `json:"role"`     // id or name; default: member
	Billable   *bool  `json:"billable"` // default: true
}

func (m memberRequest) spec() account.MemberSpec {
	return account.MemberSpec{ExternalID: m.ExternalID, Email: m.Email, Name: m.Name, Role: m.Role, Billable: m.Billable == nil || *m.Billable}
}

// membersRequest is the body of PUT /api/v1/members: all members.
type membersRequest struct {
	Members []json.RawMessage `json:"members"`
}

// memberChanges is the response of PUT /api/v1/members.
type memberChanges struct {
	DryRun  bool                   `json:"dryRun"`
	Members []billing.MemberObject `json:"members"` // all of them, by name
	// Added, changed and removed ones; the others were as described already.
	Added   []billing.MemberObject `json:"added"`
	Changed []billing.MemberObject `json:"changed"`
	Removed []billing.MemberObject `json:"removed"`
	Seats   seatChange             `json:"seats"`
	// Preview is what it would cost; null: it was done, or there is no plan.
	Preview *memberPreview `json:"preview"`
}

type seatChange struct {
	Before seatNumbers `json:"before"`
	After  seatNumbers `json:"after"`
}

type seatNumbers struct {
	BillableMembers int `json:"billableMembers"`
	DesiredSeats    int `json:"desiredSeats"`
}

// memberPreview is Stripe's calculation, in the currency's minor unit; null: Stripe did not answer
// in time.
type memberPreview struct {
	Currency string `json:"currency"`
	Quantity int    `json:"quantity"` // of the subscription afterwards
	DueNow   *int64 `json:"dueNow"`   // charged at once
	Prorated *int64 `json:"prorated"` // for the rest of the period, on today's or the next invoice
	Renewal  *int64 `json:"renewal"`  // by how much each further invoice changes
}

// putMembers makes the members of the organization those of the request.
func (a *jsonAPI) putMembers(w http.ResponseWriter, r *http.Request) error {
	dryRun, err := queryFlag(r, "dry_run")
	if err != nil {
		return err
	}
	specs, err := decodeMembers(r)
	if err != nil {
		return err
	}
	do := a.memberSets.Put
	if dryRun {
		do = a.memberSets.Try
	}
	result, err := do(r.Context(), accessOf(r), specs)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, memberChangesOf(result, dryRun))
}

func decodeMembers(r *http.Request) ([]account.MemberSpec, error) {
	var body membersRequest
	if err := decodeJSON(r, &body); err != nil {
		return nil, err
	}
	if body.Members == nil {
		return nil, apperr.Errorf(apperr.CodeInvalid, "members is missing: the list of all members.")
	}
	specs := make([]account.MemberSpec, len(body.Members))
	for i, raw := range body.Members {
		var m memberRequest
		if err := decodeObject(raw, &m); err != nil {
			return nil, &apperr.Error{Code: apperr.CodeInvalid, Message: fmt.Sprintf("members[%d]: %s", i, problemOf(err).message), Err: err}
		}
		specs[i] = m.spec()
	}
	return specs, nil
}

// queryFlag returns a parameter of the query that is true, false or missing. Error: CodeInvalid.
func queryFlag(r *http.Request, name string) (bool, error) {
	switch value := r.URL.Query().Get(name); value {
	case "true":
		return true, nil
	case "", "false":
		return false, nil
	}
	return false, apperr.Errorf(apperr.CodeInvalid, "%s must be true or false.", name)
}

func memberChangesOf(result billing.MemberSetResult, dryRun bool) memberChanges {
	response := memberChanges{
		DryRun: dryRun, Members: memberObjects(result.Members), Added: memberObjects(result.Added), Changed: memberObjects(result.Changed),
		Removed: memberObjects(result.Removed),
		Seats: seatChange{
			seatNumbers{result.Before.Billable, result.Before.Desired}, seatNumbers{result.After.Billable, result.After.Desired},
		},
	}
	if p := result.Preview; p != nil {
		response.Preview = &memberPreview{Currency: p.Currency, Quantity: p.ToQuantity}
		if p.Known {
			response.Preview.DueNow, response.Preview.Prorated, response.Preview.Renewal = &p.AmountDue, &p.ProrationSum, &p.PeriodChange
		}
	}
	return response
}

// newMemberRequest is the body of POST /api/v1/members.
type newMemberRequest struct {
	ExternalID string `json:"externalId"`
	Email      string `json:"email"`
	Name       string `json:"name"`
	Role       string `json:"role"`
	Billable   *bool  `json:"billable"`
	Invite     bool   `json:"invite"` // by e-mail, to join
}

func (m newMemberRequest) spec() account.MemberSpec {
	return memberRequest{m.ExternalID, m.Email, m.Name, m.Role, m.Billable}.spec()
}

// addMember adds one member.
func (a *jsonAPI) addMember(w http.ResponseWriter, r *http.Request) error {
	var body newMemberRequest
	if err := decodeJSON(r, &body); err != nil {
		return err
	}
	if body.Invite {
		if err := a.allowInvitation(r); err != nil {
			return err
		}
	}
	member, added, err := a.memberSets.Add(r.Context(), accessOf(r), body.spec(), body.Invite)
	if err != nil {
		return err
	}
	return writeJSON(w, createdOrOK(added), billing.NewMemberObject(member))
}

// createdOrOK is the status of a POST that may find what it would create.
func createdOrOK(created bool) int {
	if created {
		return http.StatusCreated
	}
	return http.StatusOK
}

// removeMember removes one member.
func (a *jsonAPI) removeMember(w http.ResponseWriter, r *http.Request) error {
	if err := a.memberSets.Remove(r.Context(), accessOf(r), r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
