package account

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"usher/billing/apperr"
	"usher/billing/mail"
)

// OrganizationSpec is an organization that a program creates with a key of the installation.
type OrganizationSpec struct {
	Name       string
	ExternalID string // the program's id; empty: none
	AdminEmail string
	AdminName  string
}

// digest identifies the request, so that a repeated one gets the same organization.
func (s OrganizationSpec) digest() string {
	s.AdminEmail = mail.AddressKey(s.AdminEmail)
	text, err := json.Marshal(s)
	if err != nil {
		panic("account: encode organization: " + err.Error()) // it has only texts
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// CreateOrganization creates an organization whose admin is invited by e-mail, and takes a seat
// until then. A repeated request with the same externalId returns the same organization, and
// created is false. Errors: CodeInvalid; CodeConflict if the organization with the externalId was
// created by another request.
func (pv *Provisioning) CreateOrganization(ctx context.Context, key APIKey, spec OrganizationSpec) (o Organization, created bool, err error) {
	spec.Name, spec.AdminName, spec.AdminEmail = CleanName(spec.Name), CleanName(spec.AdminName), strings.TrimSpace(spec.AdminEmail)
	if err := spec.check(); err != nil {
		return Organization{}, false, err
	}
	for range 2 { // the second time if another request creates it at the same moment
		if o, created, err = pv.findOrCreate(ctx, key, spec); apperr.CodeOf(err) != apperr.CodeConflict || errors.Is(err, errOtherRequest) {
			break
		}
	}
	if err != nil {
		return Organization{}, false, fmt.Errorf("create organization: %w", err)
	}
	return o, created, nil
}

func (s OrganizationSpec) check() error {
	switch {
	case checkOrganizationName(s.Name) != nil:
		return apperr.Errorf(apperr.CodeInvalid, "name has to have between 1 and %d characters.", maxNameLength)
	case checkName(s.AdminName) != nil:
		return apperr.Errorf(apperr.CodeInvalid, "admin.name has to have between 1 and %d characters.", maxNameLength)
	case !mail.ValidAddress(s.AdminEmail):
		return apperr.Errorf(apperr.CodeInvalid, "admin.email has to be an e-mail address such as ana@example.com.")
	}
	return checkExternalID(s.ExternalID)
}

var errOtherRequest = errors.New("the organization was created by another request")

func (pv *Provisioning) findOrCreate(ctx context.Context, key APIKey, spec OrganizationSpec) (o Organization, created bool, err error) {
	err = pv.store.InTx(ctx, func(tx Tx) error {
		known := false
		if spec.ExternalID != "" {
			if o, known, err = apperr.Found(tx.Organizations().ByExternalID(ctx, spec.ExternalID)); err != nil {
				return err
			}
		}
		if created = !known; created {
			o, err = pv.insertOrganization(ctx, tx, key, spec)
			return err
		}
		if o.RequestDigest != spec.digest() {
			return &apperr.Error{Code: apperr.CodeConflict, Message: "An organization with this externalId was created with another name or admin.", Err: errOtherRequest}
		}
		return nil
	})
	return o, created, err
}

func (pv *Provisioning) insertOrganization(ctx context.Context, tx Tx, key APIKey, spec OrganizationSpec) (Organization, error) {
	o := Organization{ID: pv.NewID("org"), Name: spec.Name, ExternalID: spec.ExternalID, RequestDigest: spec.digest(), CreatedAt: pv.Now()}
	if err := tx.Organizations().Insert(ctx, o); err != nil {
		return o, err
	}
	actor := Access{Organization: o, Key: &key}
	if err := pv.record(ctx, tx, actor.Did(ActOrganizationCreated).To(o.ID, o.Name)); err != nil {
		return o, err
	}
	roles, err := tx.Roles().List(ctx, o.ID)
	if err != nil {
		return o, err
	}
	admin, err := MemberSpec{Email: spec.AdminEmail, Name: spec.AdminName, Role: RoleAdmin, Billable: true}.check(roles)
	if err != nil {
		return o, err
	}
	changes, err := pv.write(ctx, tx, actor, memberSet{added: []describedMember{admin}})
	if err != nil {
		return o, err
	}
	return o, pv.invite(ctx, tx, actor, changes.Added[0])
}

// FindOrganization returns the organization with the id of a program, unless it is deleted. Error:
// [apperr.ErrNotFound].
func (pv *Provisioning) FindOrganization(ctx context.Context, externalID string) (Organization, error) {
	return pv.store.Organizations().ByExternalID(ctx, externalID)
}

// Organization returns an organization, a deleted one too. Error: [apperr.ErrNotFound].
func (pv *Provisioning) Organization(ctx context.Context, id string) (Organization, error) {
	return pv.store.Organizations().Get(ctx, id)
}

// InviteTx invites a member who has not joined, in the caller's transaction. It does nothing if
// there is a pending invitation. The key of an organization needs an admin with a verified address,
// so that nobody sends e-mails under an address that is not theirs. Error: CodeConflict without
// one.
func (pv *Provisioning) InviteTx(ctx context.Context, tx Tx, actor Access, m Member) error {
	if !m.Provisional {
		return nil
	}
	pending, err := tx.Invitations().Pending(ctx, m.OrganizationID)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(pending, func(i Invitation) bool { return mail.SameAddress(i.Email, m.Email) }) {
		return nil
	}
	if err := pv.requireVerified(ctx, tx, actor); err != nil {
		return err
	}
	return pv.invite(ctx, tx, actor, m)
}

func (pv *Provisioning) requireVerified(ctx context.Context, tx Tx, actor Access) error {
	switch {
	case actor.Key == nil && pv.invitations.MustVerify(actor.User):
		return apperr.Errorf(apperr.CodeConflict, MessageVerifyFirst)
	case actor.Key == nil || actor.Key.OrganizationID == "":
		return nil
	}
	managers, err := tx.Members().BillingManagers(ctx, actor.Organization.ID)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(managers, func(u User) bool { return !pv.invitations.MustVerify(u) }) {
		return apperr.Errorf(apperr.CodeConflict, "An admin of the organization has to confirm their e-mail address before invitations are sent.")
	}
	return nil
}

func (pv *Provisioning) invite(ctx context.Context, tx Tx, actor Access, m Member) error {
	iv := pv.invitations
	invitation := Invitation{ID: pv.NewID("inv"), OrganizationID: m.OrganizationID, Email: m.Email, Role: m.Role, CreatedAt: pv.Now()}
	token := iv.renewToken(&invitation, actor)
	if err := tx.Invitations().Insert(ctx, invitation); err != nil {
		return err
	}
	sent := actor.Did(ActInvitationSent).To(invitation.ID, invitation.Email).Changed(nil, AuditValues{"role": m.Role.Name, "seat": yesOrNo(m.Billable)})
	if err := pv.record(ctx, tx, sent); err != nil {
		return err
	}
	return iv.send(ctx, tx, actor, invitation, token)
}
