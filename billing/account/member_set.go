package account

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"usher/billing/apperr"
	"usher/billing/mail"
)

// MaxMemberSet is the maximum number of members of one request.
const MaxMemberSet = 5000

const maxExternalIDLength = 255 // bytes

// MemberSpec is a member as a program describes it.
type MemberSpec struct {
	ExternalID  string // the program's id of the person; empty: none, or as stored
	Email, Name string
	Role        string // id or name; empty: [RoleMember]
	Billable    bool
	// These count for a new member only.
	GivenName, FamilyName string // parts of the name; empty: not known
	Suspended             bool
}

// describedMember is a checked [MemberSpec].
type describedMember struct {
	MemberSpec
	role Role
}

// memberSet says how the members become the described ones. If somebody is changed or removed, same
// has at least the admins who stay as they are.
type memberSet struct {
	added   []describedMember
	changed []memberPair
	removed []Member
	same    []Member
}

// keys are what another member has who is the described one.
func (w describedMember) keys() MemberKeys {
	keys := MemberKeys{Addresses: []string{w.Email}}
	if w.ExternalID != "" {
		keys.ExternalIDs = []string{w.ExternalID}
	}
	return keys
}

type memberPair struct{ before, after Member }

// checkSpecs checks the members of a request. Errors are CodeInvalid and name the index.
func checkSpecs(specs []MemberSpec, roles []Role) ([]describedMember, error) {
	if len(specs) > MaxMemberSet {
		return nil, apperr.Errorf(apperr.CodeInvalid, "A request takes at most %d members; this one has %d.", MaxMemberSet, len(specs))
	}
	described := make([]describedMember, len(specs))
	emails, ids := map[string]int{}, map[string]int{}
	for i, spec := range specs {
		w, err := spec.check(roles)
		if err != nil {
			return nil, apperr.Errorf(apperr.CodeInvalid, "members[%d]: %s", i, apperr.MessageOf(err))
		}
		if earlier, found := emails[mail.AddressKey(w.Email)]; found {
			return nil, apperr.Errorf(apperr.CodeInvalid, "members[%d] has the same e-mail address as members[%d].", i, earlier)
		}
		if earlier, found := ids[w.ExternalID]; found && w.ExternalID != "" {
			return nil, apperr.Errorf(apperr.CodeInvalid, "members[%d] has the same externalId as members[%d].", i, earlier)
		}
		emails[mail.AddressKey(w.Email)], ids[w.ExternalID] = i, i
		described[i] = w
	}
	return described, nil
}

var errAddress = apperr.Errorf(apperr.CodeInvalid, "email has to be an e-mail address such as ana@example.com.")

// check returns the member with its role. Errors: CodeInvalid.
func (s MemberSpec) check(roles []Role) (describedMember, error) {
	s.Email, s.Name = strings.TrimSpace(s.Email), CleanName(s.Name)
	s.GivenName, s.FamilyName = CleanName(s.GivenName), CleanName(s.FamilyName)
	if !mail.ValidAddress(s.Email) {
		return describedMember{}, errAddress
	}
	if err := cmp.Or(checkMemberName(s.Name, s.GivenName, s.FamilyName), checkExternalID(s.ExternalID)); err != nil {
		return describedMember{}, err
	}
	role, found := findRole(roles, s.Role)
	if !found {
		return describedMember{}, apperr.Errorf(apperr.CodeInvalid, "role has to be one of %s, or the name of a role.", strings.Join(roleIDs(roles), ", "))
	}
	return describedMember{s, role}, nil
}

func checkExternalID(id string) error {
	if len(id) > maxExternalIDLength || strings.IndexFunc(id, unicode.IsControl) >= 0 || strings.TrimSpace(id) != id {
		return apperr.Errorf(apperr.CodeInvalid, "externalId can have at most %d bytes, no control characters, and no spaces at its ends.", maxExternalIDLength)
	}
	return nil
}

func findRole(roles []Role, described string) (Role, bool) {
	if described == "" {
		described = RoleMember
	}
	i := slices.IndexFunc(roles, func(r Role) bool { return r.ID == described })
	if i < 0 {
		i = slices.IndexFunc(roles, func(r Role) bool { return strings.EqualFold(r.Name, described) })
	}
	if i < 0 {
		return Role{}, false
	}
	return roles[i], true
}

func roleIDs(roles []Role) []string {
	ids := make([]string, len(roles))
	for i, r := range roles {
		ids[i] = r.ID
	}
	return ids
}

// setOf compares the present members with the described ones, which are to be all of them. A member
// is found by externalId, then by e-mail address.
func setOf(present []Member, described []describedMember) memberSet {
	var set memberSet
	found, matches := matchMembers(present, described), map[string]bool{}
	for i, w := range described {
		m, known := found[i]
		if !known || m.isMovedBy(w) {
			set.added = append(set.added, w)
			continue
		}
		matches[m.ID] = true
		if after := m.managedBy(w); after != m {
			set.changed = append(set.changed, memberPair{m, after})
		} else {
			set.same = append(set.same, m)
		}
	}
	for _, m := range present {
		if !matches[m.ID] {
			set.removed = append(set.removed, m)
		}
	}
	return set
}

// matchMembers returns the present member of each described one, by its index.
func matchMembers(present []Member, described []describedMember) map[int]Member {
	byID, byEmail := map[string]Member{}, map[string]Member{}
	for _, m := range present {
		if m.ExternalID != "" {
			byID[m.ExternalID] = m
		}
		// One who has joined comes before one who has not.
		if other, found := byEmail[mail.AddressKey(m.Email)]; !found || other.Provisional {
			byEmail[mail.AddressKey(m.Email)] = m
		}
	}
	found, taken := map[int]Member{}, map[string]bool{}
	for i, w := range described {
		if m, known := byID[w.ExternalID]; known {
			found[i], taken[m.ID] = m, true
		}
	}
	for i, w := range described {
		_, known := found[i]
		if m, same := byEmail[mail.AddressKey(w.Email)]; !known && same && !taken[m.ID] {
			found[i], taken[m.ID] = m, true
		}
	}
	return found
}

// isMovedBy reports whether another person gets the membership: one who has joined keeps their
// account, whatever address a program sends.
func (m Member) isMovedBy(w describedMember) bool {
	return !m.Provisional && !mail.SameAddress(m.Email, w.Email)
}

// managedBy returns the member as a program wants it.
func (m Member) managedBy(w describedMember) Member {
	m.Role, m.Billable = w.role, w.Billable
	if m.Name != w.Name {
		m.GivenName, m.FamilyName = w.GivenName, w.FamilyName
	}
	m.Name, m.ManagedName, m.Email, m.ManagedEmail = w.Name, w.Name, w.Email, w.Email
	if w.ExternalID != "" {
		m.ExternalID = w.ExternalID
	}
	return m
}

// requireAdmin returns CodeConflict if the last admin is lost. Before anybody has joined, admins
// who have not joined count.
func (s memberSet) requireAdmin() error {
	before, after := s.count(Member.isAdmin)
	if before == 0 {
		before, after = s.count(func(m Member) bool { return m.Role.ID == RoleAdmin && m.Status == MemberActive })
		for _, w := range s.added {
			if w.role.ID == RoleAdmin {
				after++
			}
		}
	}
	if before > 0 && after == 0 {
		return apperr.Errorf(apperr.CodeConflict, MessageLastAdmin)
	}
	return nil
}

// count counts the members before and after, except the added ones.
func (s memberSet) count(is func(Member) bool) (before, after int) {
	one := map[bool]int{true: 1}
	for _, m := range s.same {
		before, after = before+one[is(m)], after+one[is(m)]
	}
	for _, pair := range s.changed {
		before, after = before+one[is(pair.before)], after+one[is(pair.after)]
	}
	for _, m := range s.removed {
		before += one[is(m)]
	}
	return before, after
}

// requireCovered returns CodeForbidden unless the actor may grant and take every role of the set.
func (s memberSet) requireCovered(actor Access) error {
	for _, w := range s.added {
		if !actor.Covers(w.role) {
			return apperr.Errorf(apperr.CodeForbidden, MessageGrantsMore)
		}
	}
	for _, pair := range s.changed {
		if !actor.Covers(pair.before.Role) {
			return apperr.Errorf(apperr.CodeForbidden, MessageHoldsMore)
		}
		if !actor.Covers(pair.after.Role) {
			return apperr.Errorf(apperr.CodeForbidden, MessageGrantsMore)
		}
	}
	for _, m := range s.removed {
		if !actor.Covers(m.Role) {
			return apperr.Errorf(apperr.CodeForbidden, MessageHoldsMore)
		}
	}
	return nil
}

func (s memberSet) isEmpty() bool { return len(s.added)+len(s.changed)+len(s.removed) == 0 }

// reason returns the seat ledger's text for a change, with the API key that made it.
func (a Access) reason(byPerson, byKey string) string {
	if a.Key == nil {
		return byPerson
	}
	return byKey + a.Key.Name
}
