package account

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"usher/billing/apperr"
)

// RenameOrganization gives the organization another name. Errors: CodeForbidden where the actor may not manage members;
// CodeUnprocessable for no name or too long a one.
func (os *Organizations) Rename(ctx context.Context, a Access, name string) (Organization, error) {
	name = CleanName(name)
	if name == "" || utf8.RuneCountInString(name) > maxNameLength {
		return Organization{}, apperr.FieldError("name", "Please name your organization, in %d characters or fewer.", maxNameLength)
	}
	organization := a.Organization
	err := os.members.AsMemberManager(ctx, a, func(tx Tx, actor Access) error {
		organization = actor.Organization
		organization.Name = name
		if err := tx.Organizations().Update(ctx, organization); err != nil {
			return err
		}
		return os.hooks.OrganizationRenamed(ctx, tx, organization.ID)
	})
	if err != nil {
		return Organization{}, fmt.Errorf("rename organization: %w", err)
	}
	return organization, nil
}

// Organizations lists those the user is an active member of, the oldest membership first.
func (os *Organizations) OfUser(ctx context.Context, userID string) ([]Organization, error) {
	return os.store.Organizations().OfUser(ctx, userID)
}

// Access reads who acts and with what role. Error: [ErrNotFound] where the user is no active member.
func (os *Organizations) Access(ctx context.Context, userID, organizationID string) (Access, error) {
	access, err := os.store.Organizations().Access(ctx, userID, organizationID)
	if err != nil {
		return access, err
	}
	now := os.Now()
	if seen := access.Member.LastSeenAt; seen == nil || now.Sub(*seen) > lastSeenInterval {
		// Being seen is worth no failed request.
		if err := os.store.Members().Touch(ctx, access.Member.ID, now); err != nil {
			os.Log.WarnContext(ctx, "note that a member was seen", "error", err)
		}
	}
	return access, nil
}

// lastSeenInterval is how exactly the pages tell when a member was last seen: a write now and then, not one with every request.
const lastSeenInterval = 10 * time.Minute
