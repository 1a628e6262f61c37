package account

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"usher/billing/apperr"
	"usher/billing/mail"
)

// MemberUpdate is what a program changes of one member. Nil fields stay unchanged.
type MemberUpdate struct {
	ExternalID *string // empty: none
	Email      *string
	Name       *string // empty: by the parts of the name, or else the address
	GivenName  *string // empty: none
	FamilyName *string // empty: none
	Active     *bool
}

// The causes of errors about one member, for protocols that name them.
var (
	ErrMemberTaken  = errors.New("another member has the externalId or address")
	ErrAddressFixed = errors.New("the member has joined with an account of their own")
)

// Member returns a member of the actor's organization. Error: [apperr.ErrNotFound].
func (pv *Provisioning) Member(ctx context.Context, a Access, memberID string) (Member, error) {
	return pv.store.Members().Get(ctx, a.Organization.ID, memberID)
}

// CreateTx adds one member in the caller's transaction; see [Provisioning.InOrganization]. Errors:
// as [Provisioning.PutTx]; CodeConflict because of [ErrMemberTaken].
func (pv *Provisioning) CreateTx(ctx context.Context, tx Tx, actor Access, spec MemberSpec) (Member, error) {
	roles, err := tx.Roles().List(ctx, actor.Organization.ID)
	if err != nil {
		return Member{}, err
	}
	described, err := spec.check(roles)
	if err != nil {
		return Member{}, err
	}
	present, err := tx.Members().ByKeys(ctx, actor.Organization.ID, described.keys())
	if err != nil {
		return Member{}, err
	}
	set := memberSet{added: []describedMember{described}}
	if err := cmp.Or(requireFree(present, Member{}, Member{}.managedBy(described)), set.requireCovered(actor)); err != nil {
		return Member{}, err
	}
	changes, err := pv.write(ctx, tx, actor, set)
	if err != nil {
		return Member{}, err
	}
	return changes.Added[0], nil
}

// ChangeTx changes one member in the caller's transaction, and returns the member. A suspension
// that an admin made is not lifted. Errors: as [Provisioning.PutTx]; [apperr.ErrNotFound];
// CodeConflict because of [ErrMemberTaken]; CodeInvalid because of [ErrAddressFixed].
func (pv *Provisioning) ChangeTx(ctx context.Context, tx Tx, actor Access, memberID string, u MemberUpdate) (Member, error) {
	before, err := tx.Members().Get(ctx, actor.Organization.ID, memberID)
	if err != nil {
		return Member{}, err
	}
	after, err := before.updated(u)
	if err != nil || after == before {
		return after, err
	}
	others, err := otherMembers(ctx, tx, before, MemberKeys{ExternalIDs: []string{after.ExternalID}, Addresses: []string{after.Email}, RoleIDs: []string{RoleAdmin}})
	if err != nil {
		return Member{}, err
	}
	set := memberSet{changed: []memberPair{{before, after}}, same: others}
	if err := cmp.Or(requireFree(others, before, after), set.requireCovered(actor), set.requireAdmin()); err != nil {
		return Member{}, err
	}
	_, err = pv.write(ctx, tx, actor, set)
	return after, err
}

// requireFree returns CodeConflict if another member has the new externalId or address of one.
func requireFree(others []Member, before, after Member) error {
	hasID := func(m Member) bool { return m.ExternalID == after.ExternalID }
	hasAddress := func(m Member) bool { return mail.SameAddress(m.Email, after.Email) }
	switch {
	case after.ExternalID != "" && after.ExternalID != before.ExternalID && slices.ContainsFunc(others, hasID):
		return &apperr.Error{Code: apperr.CodeConflict, Message: "Another member of the organization has this externalId.", Err: ErrMemberTaken}
	case !mail.SameAddress(after.Email, before.Email) && slices.ContainsFunc(others, hasAddress):
		return &apperr.Error{Code: apperr.CodeConflict, Message: "Another member of the organization has this e-mail address.", Err: ErrMemberTaken}
	}
	return nil
}

// updated returns the member with the changes of a program.
func (m Member) updated(u MemberUpdate) (Member, error) {
	after, err := m.readdressed(u)
	if err != nil {
		return m, err
	}
	if after, err = after.renamed(m, u); err != nil {
		return m, err
	}
	if u.Active != nil {
		after = after.activatedByProgram(*u.Active)
	}
	return after, nil
}

// readdressed returns the member with the externalId and the address that a program sent.
func (m Member) readdressed(u MemberUpdate) (Member, error) {
	if u.ExternalID != nil {
		if err := checkExternalID(*u.ExternalID); err != nil {
			return m, err
		}
		m.ExternalID = *u.ExternalID
	}
	if u.Email == nil {
		return m, nil
	}
	address := strings.TrimSpace(*u.Email)
	switch {
	case !mail.ValidAddress(address):
		return m, errAddress
	case !m.Provisional && !mail.SameAddress(m.Email, address):
		return m, &apperr.Error{
			Code: apperr.CodeInvalid, Err: ErrAddressFixed,
			Message: "This person has joined with an account of their own, so the address can't be changed. Remove the member, and add one with the new address.",
		}
	}
	m.Email, m.ManagedEmail = address, address
	return m, nil
}

// renamed returns the member with the name that a program sent. A name that was made of its parts
// follows them.
func (m Member) renamed(before Member, u MemberUpdate) (Member, error) {
	if u.GivenName != nil {
		m.GivenName = CleanName(*u.GivenName)
	}
	if u.FamilyName != nil {
		m.FamilyName = CleanName(*u.FamilyName)
	}
	name := m.Name
	if u.Name != nil {
		name = CleanName(*u.Name)
	}
	if name == "" || u.Name == nil && before.Name == before.nameByParts() {
		name = m.nameByParts()
	}
	if u.Name != nil || name != m.Name {
		m.Name, m.ManagedName = name, name
	}
	return m, checkMemberName(m.Name, m.GivenName, m.FamilyName)
}

// nameByParts returns the name of a member for whom a program sent no whole one.
func (m Member) nameByParts() string { return NameByParts(m.GivenName, m.FamilyName, m.Email) }

// NameByParts returns given and family name, or the address if both are empty.
func NameByParts(given, family, address string) string {
	return cmp.Or(strings.TrimSpace(given+" "+family), address)
}

func checkMemberName(name, given, family string) error {
	if name == "" || max(utf8.RuneCountInString(name), utf8.RuneCountInString(given), utf8.RuneCountInString(family)) > maxNameLength {
		return apperr.Errorf(apperr.CodeInvalid, "name has to have between 1 and %d characters.", maxNameLength)
	}
	return nil
}

// activatedByProgram returns the member with the status that a program sent.
func (m Member) activatedByProgram(active bool) Member {
	switch {
	case !active && m.Status == MemberActive:
		m.Status, m.SuspendedByProgram = MemberSuspended, true
	case active && m.SuspendedByProgram:
		m.Status, m.SuspendedByProgram = MemberActive, false
	}
	return m
}
