package handlers

import (
	"encoding/json"
	"net/http"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
)

// organizationRequest is the body of POST /api/v1/organizations.
type organizationRequest struct {
	Name       string          `json:"name"`
	ExternalID string          `json:"externalId"`
	Admin      json.RawMessage `json:"admin"`
}

type adminRequest struct {
	Email string `json:"email"`
	Name  string `json:"name"`
}

// organizationList is the response of GET /api/v1/organizations.
type organizationList struct {
	Organizations []billing.OrganizationObject `json:"organizations"` // at most one
}

// createOrganization creates an organization and invites its admin.
func (a *jsonAPI) createOrganization(w http.ResponseWriter, r *http.Request) error {
	var body organizationRequest
	if err := decodeJSON(r, &body); err != nil {
		return err
	}
	if body.Admin == nil {
		return apperr.Errorf(apperr.CodeInvalid, "admin is missing: an object with email and name.")
	}
	var admin adminRequest
	if err := decodeObject(body.Admin, &admin); err != nil {
		return &apperr.Error{Code: apperr.CodeInvalid, Message: "admin: " + problemOf(err).message, Err: err}
	}
	organization, created, err := a.provisioning.CreateOrganization(r.Context(), *identityOf(r).key, account.OrganizationSpec{
		Name: body.Name, ExternalID: body.ExternalID, AdminEmail: admin.Email, AdminName: admin.Name,
	})
	if err != nil {
		return err
	}
	return writeJSON(w, createdOrOK(created), billing.NewOrganizationObject(organization))
}

// findOrganization responds with the organization that has an externalId, if there is one.
func (a *jsonAPI) findOrganization(w http.ResponseWriter, r *http.Request) error {
	externalID := r.URL.Query().Get("externalId")
	if externalID == "" {
		return apperr.Errorf(apperr.CodeInvalid, "externalId is missing.")
	}
	response := organizationList{Organizations: []billing.OrganizationObject{}}
	organization, found, err := apperr.Found(a.provisioning.FindOrganization(r.Context(), externalID))
	if err != nil {
		return err
	}
	if found {
		response.Organizations = append(response.Organizations, billing.NewOrganizationObject(organization))
	}
	return writeTagged(w, r, response)
}

func (a *jsonAPI) getOrganization(w http.ResponseWriter, r *http.Request) error {
	organization, err := a.provisioning.Organization(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeTagged(w, r, billing.NewOrganizationObject(organization))
}
