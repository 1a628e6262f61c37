package handlers

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/mail"
)

// scimAPI serves the organization's members as SCIM users, for identity providers (RFC 7643, RFC
// 7644). It is a mapping onto the members of the API.
type scimAPI struct {
	members      *account.Members
	memberSets   *billing.MemberSets
	provisioning *account.Provisioning
	baseURL      *url.URL
}

const (
	scimPath      = "/scim/v2"
	scimUsersPath = scimPath + "/Users"
	scimMediaType = "application/scim+json"
)

// URIs of schemas and messages.
const (
	scimUserSchema     = "urn:ietf:params:scim:schemas:core:2.0:User"
	scimConfigSchema   = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
	scimResourceSchema = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
	scimSchemaSchema   = "urn:ietf:params:scim:schemas:core:2.0:Schema"
	scimErrorSchema    = "urn:ietf:params:scim:api:messages:2.0:Error"
	scimListSchema     = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
	scimPatchSchema    = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
)

// maxSCIMResults is how many users one response has, unless count asks for fewer.
const maxSCIMResults = 200

// scimUser is a member as SCIM describes one.
type scimUser struct {
	Schemas     []string    `json:"schemas"`
	ID          string      `json:"id"`
	ExternalID  string      `json:"externalId,omitempty"`
	UserName    string      `json:"userName"`
	DisplayName string      `json:"displayName"`
	Name        scimName    `json:"name"`
	Emails      []scimEmail `json:"emails"`
	Active      bool        `json:"active"`
	Meta        scimMeta    `json:"meta"`
}

type scimName struct {
	Formatted  string `json:"formatted"`
	GivenName  string `json:"givenName,omitempty"`
	FamilyName string `json:"familyName,omitempty"`
}

type scimEmail struct {
	Value   string `json:"value"`
	Type    string `json:"type"`
	Primary bool   `json:"primary"`
}

type scimMeta struct {
	ResourceType string `json:"resourceType"`
	Location     string `json:"location"`
}

// scimList is a list of resources. The names of its fields are those of RFC 7644, section 3.4.2.
type scimList struct {
	Schemas      []string `json:"schemas"`
	TotalResults int      `json:"totalResults"`
	StartIndex   int      `json:"startIndex"`
	ItemsPerPage int      `json:"itemsPerPage"`
	Resources    []any    `json:"Resources"`
}

func newSCIMList(resources []any, start, total int) scimList {
	return scimList{Schemas: []string{scimListSchema}, TotalResults: total, StartIndex: start, ItemsPerPage: len(resources), Resources: resources}
}

func (a *scimAPI) user(m account.Member) scimUser {
	return scimUser{
		Schemas: []string{scimUserSchema}, ID: m.ID, ExternalID: m.ExternalID, UserName: m.Email, DisplayName: m.Name,
		Name: scimName{Formatted: m.Name, GivenName: m.GivenName, FamilyName: m.FamilyName}, Emails: []scimEmail{{m.Email, "work", true}},
		Active: m.Status == account.MemberActive, Meta: scimMeta{"User", a.location("Users/" + m.ID)},
	}
}

// location returns the address of a resource.
func (a *scimAPI) location(path string) string { return a.baseURL.JoinPath(scimPath, path).String() }

// listUsers responds with the members that match a filter, by id.
func (a *scimAPI) listUsers(w http.ResponseWriter, r *http.Request) error {
	filter, filterErr := parseSCIMFilter(r.URL.Query().Get("filter"))
	start, startErr := scimNumber(r, "startIndex", 1)
	count, countErr := scimNumber(r, "count", maxSCIMResults)
	if err := cmp.Or(filterErr, startErr, countErr); err != nil {
		return err
	}
	members, err := a.matching(r, filter)
	if err != nil {
		return err
	}
	slices.SortFunc(members, func(x, y account.Member) int { return strings.Compare(x.ID, y.ID) })
	start, count = max(start, 1), min(max(count, 0), maxSCIMResults)
	resources, err := a.resources(r, members[min(start-1, len(members)):], count)
	if err != nil {
		return err
	}
	return writeSCIM(w, http.StatusOK, newSCIMList(resources, start, len(members)))
}

// matching lists the members that a filter selects.
func (a *scimAPI) matching(r *http.Request, filter scimFilter) (members []account.Member, err error) {
	if filter.keys != nil {
		members, err = a.members.ByKeys(r.Context(), accessOf(r), *filter.keys)
	} else {
		members, err = a.members.List(r.Context(), accessOf(r))
	}
	return slices.DeleteFunc(members, func(m account.Member) bool { return !filter.matches(m) }), err
}

// resources returns the first members as users.
func (a *scimAPI) resources(r *http.Request, members []account.Member, count int) ([]any, error) {
	resources := make([]any, min(count, len(members)))
	for i := range resources {
		selected, err := selectAttributes(r, a.user(members[i]))
		if err != nil {
			return nil, err
		}
		resources[i] = selected
	}
	return resources, nil
}

// scimNumber returns a number of the query. Error: CodeInvalid.
func scimNumber(r *http.Request, name string, otherwise int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, scimInvalid("invalidValue", "%s has to be a whole number.", name)
	}
	return n, nil
}

// getUser responds with one member.
func (a *scimAPI) getUser(w http.ResponseWriter, r *http.Request) error {
	member, err := a.provisioning.Member(r.Context(), accessOf(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	return a.writeUser(w, r, http.StatusOK, member)
}

// createUser adds a member, who takes a seat unless they are not active.
func (a *scimAPI) createUser(w http.ResponseWriter, r *http.Request) error {
	c, err := decodeSCIMUser(r)
	if err != nil {
		return err
	}
	member, err := a.memberSets.Create(r.Context(), accessOf(r), c.spec())
	if err != nil {
		return scimRefusal(err)
	}
	w.Header().Set("Location", a.location("Users/"+member.ID))
	return a.writeUser(w, r, http.StatusCreated, member)
}

// replaceUser changes what the request has of a member. What it does not have stays (RFC 7644,
// section 3.5.1, leaves that open): identity providers leave out what they do not map.
func (a *scimAPI) replaceUser(w http.ResponseWriter, r *http.Request) error {
	c, err := decodeSCIMUser(r)
	if err != nil {
		return err
	}
	update := c.update()
	if named := textOf(c.givenName)+textOf(c.familyName) != ""; update.Name == nil && named {
		update.Name = new(string) // by its parts
	}
	return a.changeUser(w, r, update)
}

// patchUser changes a member by operations.
func (a *scimAPI) patchUser(w http.ResponseWriter, r *http.Request) error {
	c, err := decodeSCIMPatch(r)
	if err != nil {
		return err
	}
	return a.changeUser(w, r, c.update())
}

func (a *scimAPI) changeUser(w http.ResponseWriter, r *http.Request, update account.MemberUpdate) error {
	member, err := a.memberSets.Change(r.Context(), accessOf(r), r.PathValue("id"), update)
	if err != nil {
		return scimRefusal(err)
	}
	return a.writeUser(w, r, http.StatusOK, member)
}

// deleteUser removes a member.
func (a *scimAPI) deleteUser(w http.ResponseWriter, r *http.Request) error {
	if err := a.memberSets.Remove(r.Context(), accessOf(r), r.PathValue("id")); err != nil {
		return scimRefusal(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *scimAPI) writeUser(w http.ResponseWriter, r *http.Request, status int, m account.Member) error {
	selected, err := selectAttributes(r, a.user(m))
	if err != nil {
		return err
	}
	return writeSCIM(w, status, selected)
}

// writeSCIM writes a value like [writeJSON].
func writeSCIM(w http.ResponseWriter, status int, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write SCIM: %w", err)
	}
	w.Header().Set("Content-Type", scimMediaType)
	w.WriteHeader(status)
	_, err = w.Write(text)
	return err
}

// setSCIMHeader restores the header of an answer that is repeated.
func setSCIMHeader(w http.ResponseWriter, keyed account.KeyedRequest) {
	w.Header().Set("Content-Type", scimMediaType)
	var user scimUser
	if keyed.Status == http.StatusCreated && json.Unmarshal([]byte(keyed.Body), &user) == nil {
		w.Header().Set("Location", user.Meta.Location)
	}
}

// scimFailure is an error that SCIM has a word for (RFC 7644, section 3.12).
type scimFailure struct {
	kind string // scimType
	err  error
}

// Error returns the message, for the log.
func (e *scimFailure) Error() string { return e.err.Error() }

// Unwrap returns the error with the code.
func (e *scimFailure) Unwrap() error { return e.err }

func scimInvalid(kind, format string, args ...any) error {
	return &scimFailure{kind, apperr.Errorf(apperr.CodeInvalid, format, args...)}
}

// scimRefusal makes a conflict that is no duplicate a 403: identity providers take every 409 for a
// user who exists already.
func scimRefusal(err error) error {
	if apperr.CodeOf(err) != apperr.CodeConflict || errors.Is(err, account.ErrMemberTaken) {
		return err
	}
	return &apperr.Error{Code: apperr.CodeForbidden, Message: apperr.MessageOf(err), Err: err}
}

// scimProblem is the body of errors. The status is a text.
type scimProblem struct {
	Schemas []string `json:"schemas"`
	Status  string   `json:"status"`
	Type    string   `json:"scimType,omitempty"`
	Detail  string   `json:"detail"`
}

func writeSCIMProblem(w http.ResponseWriter, p problem, err error) {
	// The value always encodes, and a write error means that the client disconnected.
	_ = writeSCIM(w, p.status, scimProblem{[]string{scimErrorSchema}, strconv.Itoa(p.status), scimTypeOf(p, err), p.message})
}

// scimTypeOf returns the word for an error; empty: there is none.
func scimTypeOf(p problem, err error) string {
	var failure *scimFailure
	switch {
	case errors.As(err, &failure):
		return failure.kind
	case errors.Is(err, account.ErrMemberTaken):
		return "uniqueness"
	case errors.Is(err, account.ErrAddressFixed):
		return "mutability"
	case errors.Is(err, errBody):
		return "invalidSyntax"
	case p.status == http.StatusBadRequest:
		return "invalidValue"
	}
	return ""
}

var errSCIMType = &httpError{
	status: http.StatusUnsupportedMediaType, code: "unsupported_media_type",
	message: "The body has to be JSON, with the header Content-Type: application/scim+json.",
}

// decodeSCIM decodes one JSON object. The names of attributes are in lower case: SCIM does not
// distinguish (RFC 7643, section 2.1).
func decodeSCIM(r *http.Request, schema string) (map[string]any, error) {
	if kind := mediaType(r); kind != scimMediaType && kind != "application/json" {
		return nil, errSCIMType
	}
	var object map[string]any
	if err := json.Unmarshal(bodyOf(r), &object); err != nil || object == nil {
		return nil, scimInvalid("invalidSyntax", "The body has to be one JSON object.")
	}
	object, err := lowerNames(object)
	if err != nil {
		return nil, err
	}
	schemas, _ := object["schemas"].([]any)
	if !slices.ContainsFunc(schemas, func(s any) bool { text, _ := s.(string); return strings.EqualFold(text, schema) }) {
		return nil, scimInvalid("invalidSyntax", "schemas has to contain %s.", schema)
	}
	return object, nil
}

// decodeSCIMUser decodes a whole user.
func decodeSCIMUser(r *http.Request) (scimChange, error) {
	var c scimChange
	object, err := decodeSCIM(r, scimUserSchema)
	if err != nil {
		return c, err
	}
	if err := c.setAll("", object); err != nil {
		return c, err
	}
	if c.userName == nil {
		return c, scimInvalid("invalidValue", "userName is missing.")
	}
	return c, nil
}

// checkUserName requires an address: invitations are sent there.
func checkUserName(name string) error {
	if !mail.ValidAddress(strings.TrimSpace(name)) {
		return scimInvalid("invalidValue", "userName has to be an e-mail address such as ana@example.com. Map another attribute to it in the identity provider.")
	}
	return nil
}
