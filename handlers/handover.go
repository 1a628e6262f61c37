package handlers

import (
	"errors"
	"log/slog"
	"net/http"

	"usher/billing/account"
	"usher/billing/apperr"
	authviews "usher/views/auth"
	"usher/views/layout"
)

const handoverPath = "/handover"

// methodHandover is an authentication by the adopter's product. It is one factor and never a recent
// one: Usher does not know when and how the product authenticated the person.
const methodHandover = "handover"

// handoverPages sign people in whom the adopter's product sends with a token.
type handoverPages struct {
	*authPages
	handovers *account.Handovers
}

// show says who is signed in where, with a button. A GET request changes nothing: mail programs and
// scanners open links. The button also protects people from a link that would sign them in as
// somebody else without their noticing.
func (p *handoverPages) show(w http.ResponseWriter, r *http.Request) error {
	protectTokenPage(w)
	if !p.handovers.Enabled() {
		return errPageNotFound
	}
	token := r.URL.Query().Get("token")
	handover, err := p.handovers.Read(r.Context(), token)
	if err != nil {
		return p.refuse(w, r, err)
	}
	props := authviews.HandoverPageProps{
		Layout: p.layout(r, layout.SectionNone), Action: handoverPath, Token: token, Email: handover.User.Email, Organization: handover.Organization.Name,
		Partitioned: p.isFramed(r) && r.Header.Get("Sec-Fetch-Site") == "cross-site",
	}
	if viewer := identityOf(r); viewer.signedIn() && viewer.userID != handover.User.ID {
		props.SignsOut = viewer.access.User.Email
	}
	return render(w, r, http.StatusOK, authviews.HandoverPage(props))
}

// use signs the person in and leads to the billing page. Whoever is signed in as the same person
// keeps the session, which may know more than the product.
func (p *handoverPages) use(w http.ResponseWriter, r *http.Request) error {
	protectTokenPage(w)
	if !p.handovers.Enabled() {
		return errPageNotFound
	}
	handover, err := p.handovers.Use(r.Context(), r.PostFormValue("token"))
	if err != nil {
		return p.refuse(w, r, err)
	}
	if p.isFramed(r) && r.PostFormValue(partitionedField) != "" {
		p.sessions.Put(r.Context(), sessionPartitioned, true)
	}
	if identityOf(r).userID == handover.User.ID {
		p.sessions.Put(r.Context(), sessionOrganization, handover.Organization.ID)
		redirect(w, r, billingPath)
		return nil
	}
	return p.signInAndContinue(w, r, handover.User, handover.Organization.ID, billingPath, firstFactor{method: methodHandover})
}

// refuse shows why the token leads nowhere. The reason of a wrong token is only logged.
func (p *handoverPages) refuse(w http.ResponseWriter, r *http.Request, err error) error {
	props, status := authviews.HandoverProblemPageProps{Layout: p.layout(r, layout.SectionNone)}, http.StatusForbidden
	var refused *account.HandoverError
	switch {
	case errors.As(err, &refused):
		status = http.StatusNotFound
		p.security.record(r, eventTokenRefused, slog.String("purpose", "handover"), slog.String("reason", refused.Reason))
	case apperr.CodeOf(err) == apperr.CodeForbidden:
		p.security.record(r, eventTokenRefused, slog.String("purpose", "handover"), slog.String("reason", "not a member"))
		props.Message = messageIn(r.Context(), err)
	default:
		return err
	}
	return render(w, r, status, authviews.HandoverProblemPage(props))
}
