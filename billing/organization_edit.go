package billing

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"
)

// RenameOrganization gives the organization another name. Errors: CodeForbidden where the actor may not manage members;
// CodeUnprocessable for no name or too long a one.
func (s *Service) RenameOrganization(ctx context.Context, a Access, name string) (Organization, error) {
	name = cleanName(name)
	if name == "" || utf8.RuneCountInString(name) > maxNameLength {
		return Organization{}, fieldError("name", "Please name your organization, in %d characters or fewer.", maxNameLength)
	}
	organization := a.Organization
	err := s.asMemberManager(ctx, a, func(tx Tx, actor Access) error {
		organization = actor.Organization
		organization.Name = name
		if err := tx.Organizations().Update(ctx, organization); err != nil {
			return err
		}
		return s.scheduleCustomerUpdate(ctx, tx, organization.ID)
	})
	if err != nil {
		return Organization{}, fmt.Errorf("rename organization: %w", err)
	}
	return organization, nil
}

// Organizations lists those the user is an active member of, the oldest membership first.
func (s *Service) Organizations(ctx context.Context, userID string) ([]Organization, error) {
	return s.store.Organizations().OfUser(ctx, userID)
}

// Access reads who acts and with what role. Error: [ErrNotFound] where the user is no active member.
func (s *Service) Access(ctx context.Context, userID, organizationID string) (Access, error) {
	access, err := s.store.Organizations().Access(ctx, userID, organizationID)
	if err != nil {
		return access, err
	}
	now := s.now()
	if seen := access.Member.LastSeenAt; seen == nil || now.Sub(*seen) > lastSeenInterval {
		// Being seen is worth no failed request.
		if err := s.store.Members().Touch(ctx, access.Member.ID, now); err != nil {
			s.log.WarnContext(ctx, "note that a member was seen", "error", err)
		}
	}
	return access, nil
}

// lastSeenInterval is how exactly the pages tell when a member was last seen: a write now and then, not one with every request.
const lastSeenInterval = 10 * time.Minute
