package account

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"usher/billing/apperr"
)

// Organization has members and is billed.
type Organization struct {
	ID        string    `db:"id"` // org_…
	Name      string    `db:"name"`
	CreatedAt time.Time `db:"created_at"`
	// PlannedPeople is the number of people chosen on the pricing page; 0: unknown. It is who may
	// be invited, never who is billed.
	PlannedPeople int `db:"planned_people"`
	// Members need two-step verification to act in the organization.
	RequireSecondFactor bool `db:"require_second_factor"`

	// ExternalID is the id of the program that created the organization; empty: none.
	ExternalID string `db:"external_id,null"`
	// RequestDigest identifies that program's request; empty: a person created the organization.
	RequestDigest string `db:"request_digest"`
	// HasWebhooks means that the organization has, or had, an outgoing webhook.
	HasWebhooks bool `db:"has_webhooks,readonly"`

	// When a requested deletion takes effect; nil: none requested.
	DeletesAt *time.Time `db:"deletes_at"`
	// Nil: not deleted; the invoices of a deleted one stay readable for its billing managers.
	DeletedAt *time.Time `db:"deleted_at"`
}

// RequireNotDeleting returns CodeConflict if the organization is deleted or about to be, so that no
// new payment starts.
func (o Organization) RequireNotDeleting() error {
	switch {
	case o.DeletedAt != nil:
		return apperr.Errorf(apperr.CodeConflict, MessageDeleted)
	case o.DeletesAt != nil:
		return apperr.Errorf(apperr.CodeConflict, MessageDeleting)
	}
	return nil
}

// Messages about deletion of an organization.
const (
	MessageDeleting      = "This organization is about to be deleted. Keep it first."
	MessageDeleted       = "This organization was deleted. Its invoices can still be read."
	MessageNotDeleting   = "This organization is not about to be deleted."
	MessageDeletionBegun = "This organization is being deleted now and can no longer be kept."
	MessageAdminsOnly    = "Only an admin can do this"
	MessageNameAsIs      = "Type the organization's name exactly as shown."
)

// Rename renames the organization. Errors: CodeForbidden if the actor may not manage members;
// CodeUnprocessable for an empty or too long name.
func (og *Organizations) Rename(ctx context.Context, a Access, name string) (Organization, error) {
	name = CleanName(name)
	if name == "" || utf8.RuneCountInString(name) > maxNameLength {
		return Organization{}, apperr.FieldError("name", "Please name your organization, in %d characters or fewer.", maxNameLength)
	}
	organization := a.Organization
	err := og.members.AsMemberManager(ctx, a, func(tx Tx, actor Access) error {
		organization = actor.Organization
		organization.Name = name
		if err := tx.Organizations().Update(ctx, organization); err != nil {
			return err
		}
		if former := actor.Organization.Name; former != name {
			renamed := actor.Did(ActOrganizationRenamed).Changed(AuditValues{"name": former}, AuditValues{"name": name})
			if err := og.record(ctx, tx, renamed); err != nil {
				return err
			}
		}
		return og.hooks.CustomerDetailsChanged(ctx, tx, organization.ID)
	})
	if err != nil {
		return Organization{}, fmt.Errorf("rename organization: %w", err)
	}
	return organization, nil
}

// OfUser lists the organizations in which the user is an active member, oldest membership first.
func (og *Organizations) OfUser(ctx context.Context, userID string) ([]Organization, error) {
	return og.store.Organizations().OfUser(ctx, userID)
}

// LastVisited returns the id of the organization that the user was in last, otherwise of their
// oldest membership; empty if there is none. Deleted organizations come last.
func (og *Organizations) LastVisited(ctx context.Context, userID string) (string, error) {
	organizations, err := og.OfUser(ctx, userID)
	if err != nil || len(organizations) == 0 {
		return "", err
	}
	memberships, err := og.store.Members().OfUser(ctx, userID)
	if err != nil {
		return "", fmt.Errorf("list memberships: %w", err)
	}
	seen := map[string]time.Time{}
	for _, m := range memberships {
		if m.LastSeenAt != nil {
			seen[m.OrganizationID] = *m.LastSeenAt
		}
	}
	last := organizations[0]
	for _, organization := range organizations {
		if organization.DeletedAt == nil && seen[organization.ID].After(seen[last.ID]) {
			last = organization
		}
	}
	return last.ID, nil
}

// Access returns the user's access to an organization and updates LastSeenAt. Error:
// [apperr.ErrNotFound] if the user is no active member.
func (og *Organizations) Access(ctx context.Context, userID, organizationID string) (Access, error) {
	access, err := og.store.Organizations().Access(ctx, userID, organizationID)
	if err != nil {
		return access, err
	}
	now := og.Now()
	if seen := access.Member.LastSeenAt; seen == nil || now.Sub(*seen) > lastSeenInterval {
		// A failed write must not fail the request.
		if err := og.store.Members().Touch(ctx, access.Member.ID, now); err != nil {
			og.Log.WarnContext(ctx, "update of last-seen time failed", "err", err)
		}
	}
	return access, nil
}

// lastSeenInterval is the resolution of LastSeenAt: at most one write per member and interval.
const lastSeenInterval = 10 * time.Minute
