package account

import (
	"context"
	"strings"
	"unicode/utf8"

	"usher/billing/apperr"
	"usher/billing/mail"
)

// ImportedOrganization describes an organization that existed before Usher did.
type ImportedOrganization struct {
	Name       string // cut to the length that names may have; empty: the owner's address
	OwnerEmail string
}

// Import creates an organization without members and invites its owner by e-mail, in the caller's
// transaction. The invitation has no sender but the installation. Error: CodeUnprocessable
// for an invalid address.
func (iv *Invitations) Import(ctx context.Context, tx Tx, imported ImportedOrganization) (Organization, error) {
	email := strings.TrimSpace(imported.OwnerEmail)
	if !mail.ValidAddress(email) {
		return Organization{}, apperr.FieldError("email", MessageInvitationAddress)
	}
	organization := Organization{ID: iv.NewID("org"), Name: importedName(imported.Name, email), CreatedAt: iv.Now()}
	if err := tx.Organizations().Insert(ctx, organization); err != nil {
		return Organization{}, err
	}
	created := AuditEntry{Act: ActOrganizationCreated, OrganizationID: organization.ID}.To(organization.ID, organization.Name)
	if err := iv.record(ctx, tx, created); err != nil {
		return Organization{}, err
	}
	role, err := tx.Roles().Get(ctx, organization.ID, RoleAdmin)
	if err != nil {
		return Organization{}, err
	}
	installation := Access{Organization: organization}
	invitation := Invitation{
		ID: iv.NewID("inv"), OrganizationID: organization.ID, Email: email, Role: role, Billable: true, CreatedAt: iv.Now(),
	}
	token := iv.renewToken(&invitation, installation)
	if err := tx.Invitations().Insert(ctx, invitation); err != nil {
		return Organization{}, err
	}
	sent := AuditEntry{Act: ActInvitationSent, OrganizationID: organization.ID}.To(invitation.ID, email)
	if err := iv.record(ctx, tx, sent.Changed(nil, AuditValues{"role": role.Name, "seat": yesOrNo(true)})); err != nil {
		return Organization{}, err
	}
	return organization, iv.send(ctx, tx, installation, invitation, token)
}

// importedName returns a name that an organization may have.
func importedName(name, email string) string {
	name = CleanName(name)
	if name == "" {
		name = email
	}
	if utf8.RuneCountInString(name) > maxNameLength {
		name = strings.TrimSpace(string([]rune(name)[:maxNameLength]))
	}
	return name
}

// InviteOwnerAgain sends the open invitations of the installation to an organization's owner again,
// if they have expired, and returns how many there were.
func (iv *Invitations) InviteOwnerAgain(ctx context.Context, organizationID string) (sent int, err error) {
	err = iv.store.InTx(ctx, func(tx Tx) error {
		sent = 0
		organization, err := tx.Organizations().Lock(ctx, organizationID)
		if err != nil {
			return err
		}
		pending, err := tx.Invitations().Pending(ctx, organizationID)
		if err != nil || organization.RequireNotDeleting() != nil {
			return err
		}
		for _, invitation := range pending {
			if !invitation.OfInstallation() || !invitation.Expired(iv.Now()) {
				continue
			}
			if err := iv.sendAgain(ctx, tx, organization, invitation); err != nil {
				return err
			}
			sent++
		}
		return nil
	})
	return sent, err
}

func (iv *Invitations) sendAgain(ctx context.Context, tx Tx, organization Organization, i Invitation) error {
	installation := Access{Organization: organization}
	token := iv.renewToken(&i, installation)
	if err := tx.Invitations().Update(ctx, i); err != nil {
		return err
	}
	resent := AuditEntry{Act: ActInvitationResent, OrganizationID: organization.ID}.To(i.ID, i.Email)
	if err := iv.record(ctx, tx, resent); err != nil {
		return err
	}
	return iv.send(ctx, tx, installation, i, token)
}
