package scenario

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"usher/billing/account"
	"usher/billing/apperr"
)

// password is that of the first person of each scenario. The others have none.
const password = "usher-demo"

// The board's own organization has a member for each scenario that is made. One that was
// interrupted has none, and is made anew.
const (
	boardOrganization = "Scenario board"
	boardFounder      = "board@scenarios.example"
)

// person is somebody in a scenario.
type person struct {
	name, role string
	billable   bool
}

// cast returns the people of a scenario. The first one founds the organization.
func cast() []person {
	return []person{
		{"Ana Castellanos", account.RoleAdmin, true},
		{"Bo Lindqvist", account.RoleBillingAdmin, false},
		{"Chidi Okafor", account.RoleMember, true},
		{"Dana Whitfield", account.RoleMember, true},
		{"Emre Aydın", account.RoleMember, true},
	}
}

// crowd returns n billed members.
func crowd(n int) []person {
	given := strings.Fields("Ada Bea Cem Dao Eli Fay Gil Hua Ida Jon Kai Lea Mia Noa Oda Per Quy Rui Sia Tom Uma Vik Wes Xia Yan Zoe")
	family := strings.Fields("Abe Berg Cruz Diaz Ekel Farr Gold Hahn Ito Jung Kern Lund Mann Nash Ortiz Pohl Quin Ruiz Sato Toth Ueda Vogt Wood Xu Yoon Zorn")
	people := make([]person, n)
	for i := range people {
		people[i] = person{given[i%len(given)] + " " + family[(i/len(given))%len(family)], account.RoleMember, true}
	}
	return people
}

// found creates the organization with its people.
func (m *maker) found(people []person) error {
	user, organization, err := m.service.Users.CreateFounder(m.ctx, account.SignUp{
		Name: people[0].name, Email: m.email(people[0], 0), Password: password, Organization: m.scenario.Title,
	})
	if err != nil {
		return err
	}
	m.founder = people[0].name
	if m.admin, err = m.service.Organizations.Access(m.ctx, user.ID, organization.ID); err != nil {
		return err
	}
	for i, p := range people[1:] {
		if i%50 == 49 {
			m.progress(fmt.Sprintf("%d of %d people", i+1, len(people)))
		}
		if _, err := m.join(p, i+1); err != nil {
			return err
		}
	}
	return nil
}

// join creates a member. number makes the address unique in the scenario.
func (m *maker) join(p person, number int) (account.User, error) {
	return m.service.Users.CreateMember(m.ctx, m.admin.Organization.ID, account.NewMember{
		Name: p.name, Email: m.email(p, number), NoPassword: true, RoleID: p.role, Billable: p.billable,
	})
}

// email returns a person's address, such as admin@card-declined.example for the first one.
func (m *maker) email(p person, number int) string {
	local := fmt.Sprintf("person%d", number)
	switch {
	case number == 0:
		local = "admin"
	case p.role == account.RoleBillingAdmin:
		local = fmt.Sprintf("billing%d", number)
	}
	return local + "@" + m.domain
}

// findFounder returns the first person of a scenario that is made, and its organization. Otherwise
// made is false, and the maker has the domain for the next attempt.
func (b *Board) findFounder(m *maker) (founder account.User, organization account.Organization, made bool, err error) {
	for attempt := 1; ; attempt++ {
		m.domain = m.scenario.Name + ".example"
		if attempt > 1 {
			m.domain = fmt.Sprintf("%s-%d.example", m.scenario.Name, attempt)
		}
		founder, err = b.service.Users.ByEmail(m.ctx, m.email(person{}, 0))
		if errors.Is(err, apperr.ErrNotFound) {
			return account.User{}, account.Organization{}, false, nil
		}
		if err != nil {
			return founder, organization, false, err
		}
		theirs, err := b.service.Organizations.OfUser(m.ctx, founder.ID)
		if err != nil {
			return founder, organization, false, err
		}
		_, finished, err := apperr.Found(b.service.Users.ByEmail(m.ctx, m.mark()))
		if err != nil || finished && len(theirs) > 0 {
			return founder, firstOf(theirs), err == nil, err
		}
	}
}

func firstOf(organizations []account.Organization) (first account.Organization) {
	if len(organizations) > 0 {
		first = organizations[0]
	}
	return first
}

// mark is the address of the member of the board's organization that stands for the scenario.
func (m *maker) mark() string { return strings.ReplaceAll(m.domain, ".example", "@scenarios.example") }

// finish marks the scenario as made.
func (m *maker) finish() error {
	organizationID, err := m.board.ownOrganization(m.ctx)
	if err != nil {
		return err
	}
	_, err = m.service.Users.CreateMember(m.ctx, organizationID, account.NewMember{
		Name: m.scenario.Title, Email: m.mark(), NoPassword: true, RoleID: account.RoleMember,
	})
	return err
}

// ownOrganization returns the board's organization, and founds it the first time.
func (b *Board) ownOrganization(ctx context.Context) (string, error) {
	b.founding.Lock()
	defer b.founding.Unlock()
	founder, known, err := apperr.Found(b.service.Users.ByEmail(ctx, boardFounder))
	if err != nil {
		return "", err
	}
	if known {
		theirs, err := b.service.Organizations.OfUser(ctx, founder.ID)
		return firstOf(theirs).ID, err
	}
	_, organization, err := b.service.Users.CreateFounder(ctx, account.SignUp{
		Name: boardOrganization, Email: boardFounder, Password: password, Organization: boardOrganization,
	})
	return organization.ID, err
}

// memberWith returns a member with a role, other than the founder unless that is an admin's.
func (b *Board) memberWith(m *maker, founder account.User, organization account.Organization, role string) (string, error) {
	if role == account.RoleAdmin {
		return founder.ID, nil
	}
	access, err := b.service.Organizations.Access(m.ctx, founder.ID, organization.ID)
	if err != nil {
		return "", err
	}
	members, err := b.service.Members.List(m.ctx, access)
	if err != nil {
		return "", err
	}
	for _, member := range members {
		if member.Role.ID == role && member.Status == account.MemberActive {
			return member.UserID, nil
		}
	}
	return "", apperr.Errorf(apperr.CodeNotFound, "No one in this scenario has that role.")
}

// welcomeGuests adds the guests to the organization: they are invited, and accept.
func (m *maker) welcomeGuests() error {
	for _, guest := range m.board.options.Guests {
		user, known, err := apperr.Found(m.service.Users.ByEmail(m.ctx, guest.Email))
		if err != nil {
			return err
		}
		if !known {
			continue
		}
		if err := m.welcome(user, guest.Role); err != nil {
			return err
		}
	}
	return nil
}

func (m *maker) welcome(user account.User, role string) error {
	invited := account.NewInvitation{Email: user.Email, RoleID: role}
	if _, err := m.service.Invitations.Invite(m.ctx, m.admin, invited); err != nil {
		return err
	}
	mails, err := m.service.Worker.UnsentMail(m.ctx)
	if err != nil {
		return err
	}
	for _, mail := range mails { // newest first
		if token := invitationToken(mail.Text); mail.To == user.Email && token != "" {
			if _, err := m.service.Invitations.Accept(m.ctx, token, user.ID); err != nil {
				return err
			}
			// A visit, so that the first sign-in leads here.
			_, err := m.service.Organizations.Access(m.ctx, user.ID, m.admin.Organization.ID)
			return err
		}
	}
	return nil // it was sent: a mail server is configured
}

// invitationToken returns the token of the invitation in an e-mail's text; empty: there is none.
func invitationToken(text string) string {
	_, after, _ := strings.Cut(text, "/invite/")
	token, _, _ := strings.Cut(after, "\n")
	return strings.TrimSpace(token)
}
