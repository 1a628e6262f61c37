package handlers

import (
	"net/http"
	"strings"

	"usher/billing/apperr"
)

// scimConfig says what is supported (RFC 7643, section 5).
type scimConfig struct {
	Schemas               []string             `json:"schemas"`
	Patch                 scimSupport          `json:"patch"`
	Bulk                  scimBulk             `json:"bulk"`
	Filter                scimFilterSupport    `json:"filter"`
	ChangePassword        scimSupport          `json:"changePassword"`
	Sort                  scimSupport          `json:"sort"`
	ETag                  scimSupport          `json:"etag"`
	AuthenticationSchemes []scimAuthentication `json:"authenticationSchemes"`
	Meta                  scimMeta             `json:"meta"`
}

type scimSupport struct {
	Supported bool `json:"supported"`
}

type scimBulk struct {
	Supported      bool `json:"supported"`
	MaxOperations  int  `json:"maxOperations"`
	MaxPayloadSize int  `json:"maxPayloadSize"` // bytes
}

type scimFilterSupport struct {
	Supported  bool `json:"supported"`
	MaxResults int  `json:"maxResults"`
}

type scimAuthentication struct {
	Type        string `json:"type"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Primary     bool   `json:"primary"`
}

// scimResourceType describes the one kind of resource (RFC 7643, section 6).
type scimResourceType struct {
	Schemas     []string `json:"schemas"`
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Endpoint    string   `json:"endpoint"`
	Description string   `json:"description"`
	Schema      string   `json:"schema"`
	Meta        scimMeta `json:"meta"`
}

// scimSchema describes the attributes that are kept, and no others (RFC 7643, section 7).
type scimSchema struct {
	Schemas     []string        `json:"schemas"`
	ID          string          `json:"id"`
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Attributes  []scimAttribute `json:"attributes"`
	Meta        scimMeta        `json:"meta"`
}

type scimAttribute struct {
	Name            string          `json:"name"`
	Type            string          `json:"type"`
	MultiValued     bool            `json:"multiValued"`
	Description     string          `json:"description"`
	Required        bool            `json:"required"`
	CaseExact       bool            `json:"caseExact"`
	Mutability      string          `json:"mutability"`
	Returned        string          `json:"returned"`
	Uniqueness      string          `json:"uniqueness"`
	CanonicalValues []string        `json:"canonicalValues,omitempty"`
	SubAttributes   []scimAttribute `json:"subAttributes,omitempty"`
}

func (a *scimAPI) showConfig(w http.ResponseWriter, _ *http.Request) error {
	return writeSCIM(w, http.StatusOK, scimConfig{
		Schemas: []string{scimConfigSchema}, Patch: scimSupport{true}, Filter: scimFilterSupport{true, maxSCIMResults},
		AuthenticationSchemes: []scimAuthentication{{"oauthbearertoken", "API key", "A key of the organization with the scopes members:read and members:write.", true}},
		Meta:                  scimMeta{"ServiceProviderConfig", a.location("ServiceProviderConfig")},
	})
}

func (a *scimAPI) userType() scimResourceType {
	return scimResourceType{
		Schemas: []string{scimResourceSchema}, ID: "User", Name: "User", Endpoint: "/Users", Description: "A member of the organization.",
		Schema: scimUserSchema, Meta: scimMeta{"ResourceType", a.location("ResourceTypes/User")},
	}
}

func (a *scimAPI) listResourceTypes(w http.ResponseWriter, _ *http.Request) error {
	return writeSCIM(w, http.StatusOK, newSCIMList([]any{a.userType()}, 1, 1))
}

func (a *scimAPI) showResourceType(w http.ResponseWriter, r *http.Request) error {
	if r.PathValue("id") != "User" {
		return apperr.ErrNotFound
	}
	return writeSCIM(w, http.StatusOK, a.userType())
}

func (a *scimAPI) userSchema() scimSchema {
	return scimSchema{
		Schemas: []string{scimSchemaSchema}, ID: scimUserSchema, Name: "User", Description: "A member of the organization.",
		Attributes: scimUserAttributes, Meta: scimMeta{"Schema", a.location("Schemas/" + scimUserSchema)},
	}
}

func (a *scimAPI) listSchemas(w http.ResponseWriter, _ *http.Request) error {
	return writeSCIM(w, http.StatusOK, newSCIMList([]any{a.userSchema()}, 1, 1))
}

func (a *scimAPI) showSchema(w http.ResponseWriter, r *http.Request) error {
	if !strings.EqualFold(r.PathValue("id"), scimUserSchema) {
		return apperr.ErrNotFound
	}
	return writeSCIM(w, http.StatusOK, a.userSchema())
}

var scimUserAttributes = []scimAttribute{
	{
		Name: "userName", Type: "string", Required: true, Mutability: "readWrite", Returned: "default", Uniqueness: "server",
		Description: "The e-mail address. It can't be changed after the person has joined.",
	},
	{
		Name: "displayName", Type: "string", Mutability: "readWrite", Returned: "default", Uniqueness: "none",
		Description: "The name that is shown. If it is not sent: name.formatted, given and family name, or userName.",
	},
	{
		Name: "name", Type: "complex", Mutability: "readWrite", Returned: "default", Uniqueness: "none", Description: "The parts of the name.",
		SubAttributes: []scimAttribute{
			scimString("formatted", "readWrite", "The same as displayName, which comes first if both are sent."),
			scimString("givenName", "readWrite", "The given name, as it was sent."),
			scimString("familyName", "readWrite", "The family name, as it was sent."),
		},
	},
	{
		Name: "emails", Type: "complex", MultiValued: true, Mutability: "readOnly", Returned: "default", Uniqueness: "none",
		Description: "The userName as an address. What is sent is ignored.",
		SubAttributes: []scimAttribute{
			scimString("value", "readOnly", "The userName."),
			{Name: "type", Type: "string", Mutability: "readOnly", Returned: "default", Uniqueness: "none", Description: "Always work.", CanonicalValues: []string{"work"}},
			{Name: "primary", Type: "boolean", Mutability: "readOnly", Returned: "default", Uniqueness: "none", Description: "Always true."},
		},
	},
	{
		Name: "active", Type: "boolean", Mutability: "readWrite", Returned: "default", Uniqueness: "none",
		Description: "Whether the member has access and a billed seat. A suspension by an admin is not lifted.",
	},
}

func scimString(name, mutability, description string) scimAttribute {
	return scimAttribute{Name: name, Type: "string", Mutability: mutability, Returned: "default", Uniqueness: "none", Description: description}
}
