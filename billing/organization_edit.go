package billing

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// OpenSession is a browser somebody is signed in with.
type OpenSession struct {
	ExpiresAt time.Time `db:"expiry"`
	Current   bool      `db:"current"` // the one that asks
}

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

// User reads a user. Error: [ErrNotFound].
func (s *Service) User(ctx context.Context, userID string) (User, error) {
	return s.store.Users().Get(ctx, userID)
}

// RenameUser changes the name a user goes by. Error: CodeUnprocessable for no name or too long a one.
func (s *Service) RenameUser(ctx context.Context, userID, name string) error {
	name = cleanName(name)
	if name == "" || utf8.RuneCountInString(name) > maxNameLength {
		return fieldError("name", "Please give your name, in %d characters or fewer.", maxNameLength)
	}
	if err := s.store.Users().SetName(ctx, userID, name); err != nil {
		return fmt.Errorf("rename user: %w", err)
	}
	return nil
}

// ChangePassword replaces a user's password. Error: CodeUnprocessable where the current one is wrong or the new one too short; both fields
// are told at once.
func (s *Service) ChangePassword(ctx context.Context, userID, current, replacement string) error {
	user, err := s.store.Users().Get(ctx, userID)
	if err != nil {
		return fmt.Errorf("change password: %w", err)
	}
	fits, err := s.checkPassword(ctx, current, user.PasswordHash)
	if err != nil {
		return fmt.Errorf("change password: %w", err)
	}
	var wrong []error
	if !fits {
		wrong = append(wrong, fieldError("current", "This is not your current password."))
	}
	if mistake := checkNewPassword(replacement); mistake != nil {
		wrong = append(wrong, mistake)
	}
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	hash, err := s.hashPassword(ctx, replacement)
	if err != nil {
		return fmt.Errorf("change password: %w", err)
	}
	if err := s.store.Users().SetPassword(ctx, userID, hash); err != nil {
		return fmt.Errorf("change password: %w", err)
	}
	return nil
}
