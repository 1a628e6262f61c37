package account

import (
	"context"
	"errors"
	"fmt"

	"usher/billing/apperr"
	"usher/billing/mail"
)

// DomainMembers makes people members of the organization that has verified the domain of their
// address at the identity provider, if the provider has verified the address (docs/adr/0011):
//
//   - Whoever is new joins at their first sign-in, and takes a seat as the domain's setting says.
//   - A membership that a program made for the address becomes theirs, see [Provisioning].
//   - Nothing else happens to people with an account: whoever left or was removed stays out.
type DomainMembers struct {
	*base
	identities  *Identities
	invitations *Invitations
	members     *Members
}

// ErrNoDomain tells that no organization has verified the domain of an identity's address.
var ErrNoDomain = errors.New("no organization has verified the domain")

// messageDomainFull is shown to a person who cannot join. Its argument is the organization's name.
const messageDomainFull = "You belong to %s, but its plan has no free seat right now. Ask an admin there to free one or to choose a larger plan, then sign in again."

// Organization returns the organization that a new person with this identity joins; false if there
// is none.
func (dm *DomainMembers) Organization(ctx context.Context, a Assertion) (Organization, bool, error) {
	domain, found, err := verifiedDomain(ctx, dm.store, a)
	if err != nil || !found {
		return Organization{}, false, err
	}
	organization, err := dm.store.Organizations().Get(ctx, domain.OrganizationID)
	return organization, err == nil, err
}

// verifiedDomain returns the verified domain of an identity's address.
func verifiedDomain(ctx context.Context, tx Tx, a Assertion) (Domain, bool, error) {
	name := domainOf(a.Email)
	if !a.EmailVerified || name == "" {
		return Domain{}, false, nil
	}
	return apperr.Found(tx.Domains().Verified(ctx, name))
}

// lockDomain locks the organization that has verified the domain of an identity's address. Changes
// of its memberships and domains are therefore serialized. Error: [ErrNoDomain].
func lockDomain(ctx context.Context, tx Tx, a Assertion) (Domain, Organization, error) {
	before, found, err := verifiedDomain(ctx, tx, a)
	if err != nil {
		return Domain{}, Organization{}, err
	}
	if !found {
		return Domain{}, Organization{}, ErrNoDomain
	}
	organization, err := tx.Organizations().Lock(ctx, before.OrganizationID)
	if err != nil {
		return Domain{}, Organization{}, fmt.Errorf("lock organization: %w", err)
	}
	// As of the lock.
	domain, found, err := verifiedDomain(ctx, tx, a)
	if err == nil && (!found || domain.ID != before.ID) {
		err = ErrNoDomain
	}
	return domain, organization, err
}

// Join creates an account for a new person with an identity and makes them a member of the
// organization that has verified the domain of their address. Whoever has the account by now, from
// another tab, gets that. Errors: [ErrNoDomain]; [ErrAddressInUse]; CodeUnprocessable with the
// field name; CodeConflict if the plan has no free seat, and nobody is created.
func (dm *DomainMembers) Join(ctx context.Context, a Assertion, name string) (User, error) {
	name = CleanName(name)
	if err := checkName(name); err != nil {
		return User{}, err
	}
	var user User
	err := dm.store.InTx(ctx, func(tx Tx) error {
		domain, organization, err := lockDomain(ctx, tx, a)
		if err != nil {
			return err
		}
		identity, linked, err := dm.identities.linked(ctx, tx, a)
		if err != nil {
			return err
		}
		if linked {
			user, err = tx.Users().Get(ctx, identity.UserID)
			return err
		}
		if user, err = dm.insertUser(ctx, tx, a, name); err != nil {
			return err
		}
		return dm.add(ctx, tx, domain, organization, user)
	})
	if err != nil {
		return User{}, fmt.Errorf("join by domain: %w", err)
	}
	return user, nil
}

func (dm *DomainMembers) insertUser(ctx context.Context, tx Tx, a Assertion, name string) (User, error) {
	_, used, err := apperr.Found(tx.Users().ByEmail(ctx, a.Email))
	if err != nil {
		return User{}, err
	}
	if used {
		return User{}, ErrAddressInUse
	}
	now := dm.Now()
	user := User{ID: dm.NewID("usr"), Email: a.Email, Name: name, PasswordHash: noPassword, CreatedAt: now, EmailVerifiedAt: &now}
	if err := tx.Users().Insert(ctx, user); err != nil {
		return User{}, err
	}
	return user, dm.identities.insert(ctx, tx, user, a)
}

// add makes a new user a member: by the invitation that waits for the address, with its role and
// seat, otherwise in the membership that a program made for it, otherwise as the domain says. Seats
// that are promised to other invited people are not given away.
func (dm *DomainMembers) add(ctx context.Context, tx Tx, d Domain, o Organization, user User) error {
	invitation, invited, err := dm.invitation(ctx, tx, o.ID, user.Email)
	if err != nil {
		return err
	}
	provisional, found, err := provisionalMember(ctx, tx, o.ID, user.Email)
	if err != nil {
		return err
	}
	switch {
	case invited:
		err = dm.invitations.join(ctx, tx, invitation, user)
	case found:
		err = dm.link(ctx, tx, d, provisional, user)
	default:
		err = dm.insert(ctx, tx, d, user)
	}
	if apperr.CodeOf(err) == apperr.CodeConflict { // of seats: the organization is locked
		full := apperr.Errorf(apperr.CodeConflict, messageDomainFull, o.Name)
		full.Err = err
		return full
	}
	return err
}

// invitation returns the invitation to an organization that waits for an address and could be
// accepted. One of a program counts only with the membership that it was sent for.
func (dm *DomainMembers) invitation(ctx context.Context, tx Tx, organizationID, email string) (Invitation, bool, error) {
	pending, err := tx.Invitations().Pending(ctx, organizationID)
	if err != nil {
		return Invitation{}, false, err
	}
	for _, i := range pending {
		if !mail.SameAddress(i.Email, email) || i.Expired(dm.Now()) || !i.InviterAuthorized() {
			continue
		}
		_, found, err := provisionalMember(ctx, tx, organizationID, email)
		return i, found || i.InvitedByKey == "", err
	}
	return Invitation{}, false, nil
}

func (dm *DomainMembers) insert(ctx context.Context, tx Tx, d Domain, user User) error {
	if d.Billable {
		if err := dm.invitations.requirePromisedSeat(ctx, tx, d.OrganizationID, ""); err != nil {
			return err
		}
	}
	role, err := tx.Roles().Get(ctx, d.OrganizationID, RoleMember)
	if err != nil {
		return err
	}
	if err := dm.recordJoined(ctx, tx, d, user, role); err != nil {
		return err
	}
	member := Member{OrganizationID: d.OrganizationID, UserID: user.ID, Role: role, Billable: d.Billable}
	return dm.members.addTx(ctx, tx, member, user.ID, ReasonDomain+d.Name)
}

// link makes a provisional membership a user's. Role, seat and status stay.
func (dm *DomainMembers) link(ctx context.Context, tx Tx, d Domain, provisional Member, user User) error {
	if err := dm.recordJoined(ctx, tx, d, user, provisional.Role); err != nil {
		return err
	}
	return tx.Members().Link(ctx, provisional, user.ID, dm.Now())
}

func (dm *DomainMembers) recordJoined(ctx context.Context, tx Tx, d Domain, user User, role Role) error {
	joined := user.did(ActMemberJoined, d.OrganizationID).To(user.ID, user.Name)
	return dm.record(ctx, tx, joined.Changed(nil, AuditValues{"role": role.Name, "domain": d.Name}))
}

// TakeOver makes the membership that a program made for the address of a user's identity the
// user's, in the organization that has verified the domain. It returns false if there is none, or
// the user is a member already.
func (dm *DomainMembers) TakeOver(ctx context.Context, userID string, a Assertion) (bool, error) {
	// Read first, so that most sign-ins lock nothing.
	domain, found, err := verifiedDomain(ctx, dm.store, a)
	if err != nil || !found {
		return false, err
	}
	if _, found, err = provisionalMember(ctx, dm.store, domain.OrganizationID, a.Email); err != nil || !found {
		return false, err
	}
	taken := false
	err = dm.store.InTx(ctx, func(tx Tx) (err error) {
		taken, err = dm.takeOver(ctx, tx, userID, a)
		return err
	})
	if errors.Is(err, ErrNoDomain) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("take over membership: %w", err)
	}
	return taken, nil
}

func (dm *DomainMembers) takeOver(ctx context.Context, tx Tx, userID string, a Assertion) (bool, error) {
	domain, organization, err := lockDomain(ctx, tx, a)
	if err != nil {
		return false, err
	}
	user, err := tx.Users().Lock(ctx, userID) // against a concurrent deletion of the account
	if err != nil {
		return false, err
	}
	_, member, err := apperr.Found(tx.Members().ByUser(ctx, organization.ID, userID))
	if err != nil {
		return false, err
	}
	provisional, found, err := provisionalMember(ctx, tx, organization.ID, a.Email)
	if err != nil || !found || member || user.deleted() {
		return false, err
	}
	invitation, invited, err := dm.invitation(ctx, tx, organization.ID, a.Email)
	if err == nil && invited {
		err = dm.invitations.close(ctx, tx, invitation, user)
	}
	if err != nil {
		return false, err
	}
	return true, dm.link(ctx, tx, domain, provisional, user)
}
