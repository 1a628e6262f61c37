package billing

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

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

// OpenSession is a browser somebody is signed in with.
type OpenSession struct {
	ExpiresAt time.Time `db:"expiry"`
	Current   bool      `db:"current"` // the one that asks
}

// SignUp is what a new person tells of themselves.
type SignUp struct {
	Name, Email, Password, Organization string
}

// SignUp creates a user and their organization, whose first member and admin they are. Errors: CodeUnprocessable with the field it is
// about; all fields that are wrong are joined.
func (s *Service) SignUp(ctx context.Context, f SignUp) (User, Organization, error) {
	f.Name, f.Email, f.Organization = cleanName(f.Name), strings.TrimSpace(f.Email), cleanName(f.Organization)
	if err := f.check(); err != nil {
		return User{}, Organization{}, err
	}
	hash, err := s.hashPassword(ctx, f.Password)
	if err != nil {
		return User{}, Organization{}, fmt.Errorf("sign up: %w", err)
	}
	now := s.now()
	user := User{ID: s.newID("usr"), Email: f.Email, Name: f.Name, PasswordHash: hash, CreatedAt: now}
	organization := Organization{ID: s.newID("org"), Name: f.Organization, CreatedAt: now}
	err = s.store.InTx(ctx, func(tx Tx) error { return s.insertFounder(ctx, tx, user, organization) })
	if err != nil {
		return User{}, Organization{}, fmt.Errorf("sign up: %w", err)
	}
	return user, organization, nil
}

func (s *Service) insertFounder(ctx context.Context, tx Tx, user User, organization Organization) error {
	if err := tx.Users().Insert(ctx, user); err != nil {
		return err
	}
	if err := s.queueVerification(ctx, tx, user); err != nil {
		return err
	}
	if err := tx.Organizations().Insert(ctx, organization); err != nil {
		return err
	}
	return s.addMember(ctx, tx, Member{
		OrganizationID: organization.ID, UserID: user.ID, Role: Role{ID: RoleAdmin}, Billable: true,
	}, seatReason{actor: user.ID, reason: "founded the organization"})
}

// CreateMember adds a new user to an organization. Errors: as [Service.SignUp]; [ErrNotFound] where there is no such organization.
func (s *Service) CreateMember(ctx context.Context, organizationID string, m NewMember) (User, error) {
	f := SignUp{Name: cleanName(m.Name), Email: strings.TrimSpace(m.Email), Password: m.Password, Organization: organizationID}
	if err := f.check(); err != nil {
		return User{}, err
	}
	hash, err := s.hashPassword(ctx, m.Password)
	if err != nil {
		return User{}, fmt.Errorf("create member: %w", err)
	}
	user := User{ID: s.newID("usr"), Email: f.Email, Name: f.Name, PasswordHash: hash, CreatedAt: s.now()}
	err = s.store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.Organizations().Lock(ctx, organizationID); err != nil {
			return err
		}
		if err := tx.Users().Insert(ctx, user); err != nil {
			return err
		}
		member := Member{OrganizationID: organizationID, UserID: user.ID, Role: Role{ID: m.RoleID}, Billable: m.Billable}
		return s.addMember(ctx, tx, member, seatReason{reason: "was added"})
	})
	if err != nil {
		return User{}, fmt.Errorf("create member: %w", err)
	}
	return user, nil
}

func (f SignUp) check() error {
	var wrong []error
	if f.Name == "" || utf8.RuneCountInString(f.Name) > maxNameLength {
		wrong = append(wrong, fieldError("name", "Please give your name, in %d characters or fewer.", maxNameLength))
	}
	if !validEmail(f.Email) {
		wrong = append(wrong, fieldError("email", "Please give an e-mail address such as ana@example.com."))
	}
	if mistake := checkNewPassword(f.Password); mistake != nil {
		wrong = append(wrong, mistake)
	}
	if f.Organization == "" || utf8.RuneCountInString(f.Organization) > maxNameLength {
		wrong = append(wrong, fieldError("organization", "Please name your organization, in %d characters or fewer.", maxNameLength))
	}
	return errors.Join(wrong...)
}

// LogIn returns the user whose address and password these are. Error: CodeUnprocessable, the same for an unknown address and a wrong
// password.
func (s *Service) LogIn(ctx context.Context, email, password string) (User, error) {
	user, known, err := Found(s.store.Users().ByEmail(ctx, strings.TrimSpace(email)))
	if err != nil {
		return User{}, fmt.Errorf("log in: %w", err)
	}
	hash := dummyHash
	if known {
		hash = user.PasswordHash
	}
	fits, err := s.checkPassword(ctx, password, hash)
	if err != nil {
		return User{}, fmt.Errorf("log in: %w", err)
	}
	if !known || !fits {
		return User{}, Errorf(CodeUnprocessable, MessageCredentialMismatch)
	}
	return user, nil
}
