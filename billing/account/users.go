package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"usher/billing/apperr"
	"usher/billing/mail"
)

// User is a person with an account.
type User struct {
	ID           string    `db:"id"`    // usr_…
	Email        string    `db:"email"` // as typed; compared case-insensitively
	Name         string    `db:"name"`
	PasswordHash string    `db:"password_hash"` // PHC string of argon2id; noPassword: there is none
	CreatedAt    time.Time `db:"created_at"`

	// When the address was verified; nil: not yet.
	EmailVerifiedAt *time.Time `db:"email_verified_at"`
	// Operates this installation; see [Users.IsOperator].
	Operator bool `db:"operator"`
	// Language is what the user chose, or the one they signed up in: a BCP 47 tag such as de;
	// empty: not known.
	Language string `db:"language"`
	// When two-step verification was enabled; nil: it is off. See [SecondFactors].
	SecondFactorAt *time.Time `db:"second_factor_at,readonly"`
}

// Get returns a user. Error: [apperr.ErrNotFound].
func (us *Users) Get(ctx context.Context, userID string) (User, error) {
	return us.store.Users().Get(ctx, userID)
}

// SetLanguage keeps the language in which a user reads pages and e-mails: a BCP 47 tag such as de.
func (us *Users) SetLanguage(ctx context.Context, userID, language string) error {
	return us.store.Users().SetLanguage(ctx, userID, language)
}

// Rename changes a user's name. Error: CodeUnprocessable for an empty or too long name.
func (us *Users) Rename(ctx context.Context, userID, name string) error {
	name = CleanName(name)
	if name == "" || utf8.RuneCountInString(name) > maxNameLength {
		return apperr.FieldError("name", "Please give your name, in %d characters or fewer.", maxNameLength)
	}
	err := us.store.InTx(ctx, func(tx Tx) error {
		user, err := tx.Users().Get(ctx, userID)
		if err != nil || user.Name == name {
			return err
		}
		if err := tx.Users().SetName(ctx, userID, name); err != nil {
			return err
		}
		return us.record(ctx, tx, user.did(ActPersonRenamed, "").To(userID, name).Changed(AuditValues{"name": user.Name}, AuditValues{"name": name}))
	})
	if err != nil {
		return fmt.Errorf("rename user: %w", err)
	}
	return nil
}

// requirePassword returns a user whose password this is. Error: CodeUnprocessable with the field
// current if it is not.
func (us *Users) requirePassword(ctx context.Context, userID, password string) (User, error) {
	user, err := us.store.Users().Get(ctx, userID)
	if err != nil {
		return User{}, err
	}
	fits, err := us.passwords.authenticates(ctx, user, password)
	if err == nil && !fits {
		err = wrongPassword("current", "This is not your current password.")
	}
	return user, err
}

// SignUp is the input of a new user and their organization.
type SignUp struct {
	Name, Email, Password, Organization string
	Language                            string // see [User]
}

// SignUp creates a user and an organization with the user as its first admin. Errors:
// CodeUnprocessable with the field; errors of several fields are joined; CodeForbidden unless
// everybody may sign up with a password.
func (us *Users) SignUp(ctx context.Context, f SignUp) (User, Organization, error) {
	if err := us.passwords.policy.requireOpenSignUp(); err != nil {
		return User{}, Organization{}, fmt.Errorf("sign up: %w", err)
	}
	return us.CreateFounder(ctx, f)
}

// CreateFounder is [Users.SignUp] on behalf of somebody who runs the installation: no policy keeps
// it out.
func (us *Users) CreateFounder(ctx context.Context, f SignUp) (User, Organization, error) {
	f.Name, f.Email, f.Organization = CleanName(f.Name), strings.TrimSpace(f.Email), CleanName(f.Organization)
	if err := us.check(f, f.Organization); err != nil {
		return User{}, Organization{}, err
	}
	hash, err := us.passwords.hash(ctx, f.Password)
	if err != nil {
		return User{}, Organization{}, fmt.Errorf("sign up: %w", err)
	}
	now := us.Now()
	user := User{ID: us.NewID("usr"), Email: f.Email, Name: f.Name, PasswordHash: hash, CreatedAt: now, Language: f.Language}
	organization := Organization{ID: us.NewID("org"), Name: f.Organization, CreatedAt: now}
	err = us.store.InTx(ctx, func(tx Tx) error { return us.insertFounder(ctx, tx, user, organization) })
	if err != nil {
		return User{}, Organization{}, fmt.Errorf("sign up: %w", err)
	}
	return user, organization, nil
}

func (us *Users) insertFounder(ctx context.Context, tx Tx, user User, organization Organization) error {
	if err := tx.Users().Insert(ctx, user); err != nil {
		return err
	}
	if user.EmailVerifiedAt == nil {
		if err := us.recovery.queueVerification(ctx, tx, user); err != nil {
			return err
		}
	}
	if err := tx.Organizations().Insert(ctx, organization); err != nil {
		return err
	}
	if err := us.record(ctx, tx, user.did(ActOrganizationCreated, organization.ID).To(organization.ID, organization.Name)); err != nil {
		return err
	}
	return us.members.addTx(ctx, tx, Member{
		OrganizationID: organization.ID, UserID: user.ID, Role: Role{ID: RoleAdmin}, Billable: true,
	}, user.ID, "founded the organization")
}

// CreateMember adds a new user to an organization. Errors: as [Users.SignUp]; [apperr.ErrNotFound]
// if there is no such organization; CodeConflict if the member is billed and the plan has no free
// seat.
func (us *Users) CreateMember(ctx context.Context, organizationID string, m NewMember) (User, error) {
	f := SignUp{Name: CleanName(m.Name), Email: strings.TrimSpace(m.Email), Password: m.Password, Organization: organizationID}
	organization, err := us.store.Organizations().Get(ctx, organizationID)
	if err != nil {
		return User{}, fmt.Errorf("create member: %w", err)
	}
	hash, err := us.checkMember(ctx, f, organization.Name, m.NoPassword)
	if err != nil {
		return User{}, err
	}
	user := User{ID: us.NewID("usr"), Email: f.Email, Name: f.Name, PasswordHash: hash, CreatedAt: us.Now()}
	err = us.store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.Organizations().Lock(ctx, organizationID); err != nil {
			return err
		}
		if m.Billable {
			if err := us.members.hooks.RequireFreeSeat(ctx, tx, organizationID, 0); err != nil {
				return err
			}
		}
		if err := tx.Users().Insert(ctx, user); err != nil {
			return err
		}
		member := Member{OrganizationID: organizationID, UserID: user.ID, Role: Role{ID: m.RoleID}, Billable: m.Billable}
		if err := us.members.addTx(ctx, tx, member, "", ReasonAdded); err != nil {
			return err
		}
		role, err := tx.Roles().Get(ctx, organizationID, m.RoleID)
		if err != nil {
			return err
		}
		added := AuditEntry{Act: ActMemberAdded, OrganizationID: organizationID}.To(user.ID, user.Name)
		return us.record(ctx, tx, added.Changed(nil, AuditValues{"role": role.Name}))
	})
	if err != nil {
		return User{}, fmt.Errorf("create member: %w", err)
	}
	return user, nil
}

// checkMember checks the input for a new member's account, and returns the hash of the password.
func (us *Users) checkMember(ctx context.Context, f SignUp, organization string, withoutPassword bool) (string, error) {
	if withoutPassword {
		return noPassword, errors.Join(checkNames(f)...)
	}
	if err := us.check(f, organization); err != nil {
		return "", err
	}
	hash, err := us.passwords.hash(ctx, f.Password)
	if err != nil {
		return "", fmt.Errorf("create member: %w", err)
	}
	return hash, nil
}

// check checks the input for an account in the organization with this name.
func (us *Users) check(f SignUp, organization string) error {
	wrong := checkNames(f)
	if mistake := us.passwords.checkNew(f.Password, passwordContext{f.Name, f.Email, []string{organization}}); mistake != nil {
		wrong = append(wrong, mistake)
	}
	return errors.Join(wrong...)
}

func checkNames(f SignUp) []error {
	wrong := []error{checkName(f.Name), checkOrganizationName(f.Organization)}
	if !mail.ValidAddress(f.Email) {
		wrong = append(wrong, apperr.FieldError("email", "Please give an e-mail address such as ana@example.com."))
	}
	return wrong
}

func checkName(name string) error {
	if name == "" || utf8.RuneCountInString(name) > maxNameLength {
		return apperr.FieldError("name", "Please give your name, in %d characters or fewer.", maxNameLength)
	}
	return nil
}

func checkOrganizationName(name string) error {
	if name == "" || utf8.RuneCountInString(name) > maxNameLength {
		return apperr.FieldError("organization", "Please name your organization, in %d characters or fewer.", maxNameLength)
	}
	return nil
}

// LogIn returns the user with this address and password. Error: CodeUnprocessable, the same for an
// unknown address and a wrong password.
func (us *Users) LogIn(ctx context.Context, email, password string) (User, error) {
	user, known, err := apperr.Found(us.store.Users().ByEmail(ctx, strings.TrimSpace(email)))
	if err != nil {
		return User{}, fmt.Errorf("log in: %w", err)
	}
	hash := dummyHash
	if known {
		hash = user.PasswordHash
	}
	fits, err := us.passwords.matches(ctx, password, hash)
	if err != nil {
		return User{}, fmt.Errorf("log in: %w", err)
	}
	if !known || !fits {
		cause := &LogInFailure{Reason: ReasonUnknownAddress}
		if known {
			cause = &LogInFailure{Reason: ReasonWrongPassword, UserID: user.ID}
		}
		return User{}, &apperr.Error{Code: apperr.CodeUnprocessable, Message: apperr.MessageCredentialMismatch, Err: cause}
	}
	us.rehash(ctx, user, password)
	return user, nil
}
