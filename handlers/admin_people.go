package handlers

import (
	"net/http"
	"net/url"
	"strings"

	"usher/billing/account"
	"usher/billing/apperr"
	adminviews "usher/views/admin"
	"usher/views/layout"
)

// adminPeoplePages are the operators' pages about people.
type adminPeoplePages struct {
	*site
	users *account.Users
}

// search finds a person by the whole address or id. There is no list of all people.
func (p *adminPeoplePages) search(w http.ResponseWriter, r *http.Request) error {
	text := strings.TrimSpace(r.URL.Query().Get("q"))
	if text != "" {
		user, found, err := apperr.Found(p.find(r, text))
		if err != nil {
			return err
		}
		if found {
			redirect(w, r, personPath(user.ID))
			return nil
		}
	}
	return render(w, r, http.StatusOK, adminviews.PeoplePage(adminviews.PeoplePageProps{Layout: p.layout(r, layout.SectionOperations), Text: text}))
}

func (p *adminPeoplePages) find(r *http.Request, text string) (account.User, error) {
	if strings.HasPrefix(text, "usr_") {
		return p.users.Get(r.Context(), text)
	}
	return p.users.ByEmail(r.Context(), text)
}

func personPath(userID string) string { return "/admin/people/" + url.PathEscape(userID) }

func (p *adminPeoplePages) show(w http.ResponseWriter, r *http.Request) error {
	user, err := p.users.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	props := adminviews.PersonPageProps{
		Layout: p.layout(r, layout.SectionOperations), ID: user.ID, Name: user.Name, Email: user.Email,
		Verified: user.EmailVerifiedAt != nil, Operator: p.users.IsOperator(user), CreatedAt: user.CreatedAt,
	}
	if props.Sessions, err = p.users.CountSessions(r.Context(), user.ID); err != nil {
		return err
	}
	organizations, err := p.organizations.OfUser(r.Context(), user.ID)
	if err != nil {
		return err
	}
	for _, organization := range organizations {
		props.Organizations = append(props.Organizations, layout.OrganizationChoice{ID: organization.ID, Name: organization.Name})
	}
	return render(w, r, http.StatusOK, adminviews.PersonPage(props))
}

// endSessions ends all sessions of a person.
func (p *adminPeoplePages) endSessions(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if _, err := p.users.EndSessions(r.Context(), id); err != nil {
		return err
	}
	if id == identityOf(r).userID { // this one too
		redirect(w, r, "/login?notice="+noticeSignedOut)
		return nil
	}
	redirect(w, r, personPath(id)+"?notice="+noticePersonSignedOut)
	return nil
}
