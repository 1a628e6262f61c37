package handlers

import (
	"net/http"
	"slices"

	"usher/billing"
	"usher/billing/mail"
	"usher/views/layout"
	organizationviews "usher/views/organization"
)

// contactPages are the pages about billing contacts and notices.
type contactPages struct {
	*site
	contacts *billing.Contacts
}

const contactsPath = "/organization/contacts"

// noticeLabels describe the notices, in display order.
var noticeLabels = []struct {
	group string
	kind  mail.Kind
	label string
}{
	{"Payments", mail.KindPaymentFailed, "A payment failed"},
	{"Payments", mail.KindActionRequired, "Your bank wants a payment confirmed"},
	{"Payments", mail.KindCardExpiring, "Your card expires soon"},
	{"Payments", mail.KindPackReceipt, "Credits were bought"},
	{"Plan", mail.KindTrialEnding, "Your trial ends soon"},
	{"Plan", mail.KindRenewalNotice, "Your yearly plan renews soon"},
	{"Plan", mail.KindRenewed, "Your plan was renewed"},
	{"Plan", mail.KindPriceChange, "The price changes with the next period"},
	{"Plan", mail.KindCanceled, "Your plan was canceled or has ended"},
	{"Plan", mail.KindResumed, "Your plan continues after a cancellation"},
	{"Plan", mail.KindDuplicateCanceled, "A second plan was ended and refunded"},
	{"Seats", mail.KindSeatSummary, "The number of seats changed"},
}

func (p *contactPages) show(w http.ResponseWriter, r *http.Request) error {
	return p.renderPage(w, r, http.StatusOK, "", "")
}

func (p *contactPages) renderPage(w http.ResponseWriter, r *http.Request, status int, email, invalid string) error {
	c, err := p.contacts.NoticeSettings(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	props := organizationviews.ContactsPageProps{
		Layout: p.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabBilling),
		Contacts: c.Contacts, AtStripe: c.Customer.Email, Email: email, Error: invalid,
	}
	for _, manager := range c.Managers {
		props.Managers = append(props.Managers, manager.Name)
	}
	for _, n := range noticeLabels {
		props.Notices = append(props.Notices, organizationviews.NoticeSetting{Kind: n.kind, Group: n.group, Label: n.label, On: !slices.Contains(c.Muted, n.kind)})
	}
	return render(w, r, status, organizationviews.ContactsPage(props))
}

func (p *contactPages) add(w http.ResponseWriter, r *http.Request) error {
	input := r.PostFormValue("email")
	err := p.contacts.Add(r.Context(), accessOf(r), input)
	if invalid := fieldMessages(err); len(invalid) > 0 {
		return p.renderPage(w, r, http.StatusUnprocessableEntity, input, invalid["email"])
	}
	if err != nil {
		return err
	}
	redirect(w, r, contactsPath+"?notice="+noticeContacts)
	return nil
}

func (p *contactPages) remove(w http.ResponseWriter, r *http.Request) error {
	if err := p.contacts.Remove(r.Context(), accessOf(r), r.PostFormValue("email")); err != nil {
		return err
	}
	redirect(w, r, contactsPath+"?notice="+noticeContacts)
	return nil
}

// updateNotices saves which notices are sent.
func (p *contactPages) updateNotices(w http.ResponseWriter, r *http.Request) error {
	var wanted []mail.Kind
	for _, kind := range billing.NoticeKinds() {
		if r.PostFormValue(string(kind)) == "on" {
			wanted = append(wanted, kind)
		}
	}
	if err := p.contacts.ChooseNotices(r.Context(), accessOf(r), wanted); err != nil {
		return err
	}
	redirect(w, r, contactsPath+"?notice="+noticeNotices)
	return nil
}
