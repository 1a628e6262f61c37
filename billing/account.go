package billing

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"
)

// SignUp is what a new person tells of themselves.
type SignUp struct {
	Name, Email, Password, Organization string
}

// Bounds of what people type.
const (
	maxNameLength     = 100 // characters
	maxEmailLength    = 254 // octets, RFC 5321 section 4.5.3.1.3 less the angle brackets
	minPasswordLength = 8   // characters, NIST SP 800-63B section 5.1.1.1
	maxPasswordLength = 256 // octets
)

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

// addMember writes a new active member and recounts the seats. The organization must be locked or new in this transaction.
func (s *Service) addMember(ctx context.Context, tx Tx, m Member, cause seatReason) error {
	m.ID, m.Status, m.JoinedAt = s.newID("mem"), MemberActive, s.now()
	if err := tx.Members().Insert(ctx, m); err != nil {
		return err
	}
	cause.subject = m.UserID
	return s.recountSeats(ctx, tx, m.OrganizationID, cause)
}

// NewMember is a person to be added to an organization with a log-in of their own.
type NewMember struct {
	Name, Email, Password string
	RoleID                string
	Billable              bool
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

// cleanName trims a name and folds white space and control characters into single spaces: names stand in one line and in e-mail headers.
func cleanName(name string) string {
	name = strings.ToValidUTF8(name, "")
	return strings.Join(strings.FieldsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f || r == 0xa0 }), " ")
}

func validEmail(address string) bool {
	parsed, err := mail.ParseAddress(address)
	return err == nil && parsed.Address == address && parsed.Name == "" && len(address) <= maxEmailLength
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

// Members lists the organization's members by name.
func (s *Service) Members(ctx context.Context, a Access) ([]Member, error) {
	return s.store.Members().List(ctx, a.Organization.ID)
}

// Roles lists the roles members of the organization can have, the built-in ones first.
func (s *Service) Roles(ctx context.Context, a Access) ([]Role, error) {
	return s.store.Roles().List(ctx, a.Organization.ID)
}
