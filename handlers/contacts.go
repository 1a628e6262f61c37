package handlers

import (
	"net/http"
	"slices"

	"usher/billing"
	"usher/billing/mail"
	"usher/views/layout"
	organizationviews "usher/views/organization"
)

const contactsPath = "/organization/contacts"

// noticeLabels say what each notice is about, in the order they are shown.
var noticeLabels = []struct {
	kind  mail.Kind
	label string
}{
	{mail.KindPaymentFailed, "A payment failed"},
	{mail.KindActionRequired, "A payment has to be confirmed with the bank"},
	{mail.KindTrialEnding, "The trial ends soon"},
	{mail.KindRenewed, "The plan was renewed"},
	{mail.KindCanceled, "The plan is canceled, or has ended"},
	{mail.KindResumed, "The plan goes on after all"},
	{mail.KindPackReceipt, "Credits were bought"},
	{mail.KindSeatSummary, "The number of seats changed"},
	{mail.KindDuplicateCanceled, "A second plan was ended and refunded"},
}

// showContacts shows where notices about money go, and which.
func (s *server) showContacts(w http.ResponseWriter, r *http.Request) error {
	return s.contactsPage(w, r, http.StatusOK, "", "")
}

func (s *server) contactsPage(w http.ResponseWriter, r *http.Request, status int, email, wrong string) error {
	c, err := s.billing.Contacts.NoticeSettings(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	props := organizationviews.ContactsPageProps{
		Layout: s.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabBilling),
		Contacts: c.Contacts, AtStripe: c.Customer.Email, Email: email, Error: wrong,
	}
	for _, manager := range c.Managers {
		props.Managers = append(props.Managers, manager.Name)
	}
	for _, n := range noticeLabels {
		props.Notices = append(props.Notices, organizationviews.NoticeSetting{Kind: n.kind, Label: n.label, On: !slices.Contains(c.Muted, n.kind)})
	}
	return render(w, r, status, organizationviews.ContactsPage(props))
}

func (s *server) addContact(w http.ResponseWriter, r *http.Request) error {
	typed := r.PostFormValue("email")
	err := s.billing.Contacts.Add(r.Context(), accessOf(r), typed)
	if wrong := fieldMessages(err); len(wrong) > 0 {
		return s.contactsPage(w, r, http.StatusUnprocessableEntity, typed, wrong["email"])
	}
	if err != nil {
		return err
	}
	s.redirect(w, r, contactsPath+"?notice="+noticeContacts)
	return nil
}

func (s *server) removeContact(w http.ResponseWriter, r *http.Request) error {
	if err := s.billing.Contacts.Remove(r.Context(), accessOf(r), r.PostFormValue("email")); err != nil {
		return err
	}
	s.redirect(w, r, contactsPath+"?notice="+noticeContacts)
	return nil
}

// chooseNotices reads the boxes that are ticked.
func (s *server) chooseNotices(w http.ResponseWriter, r *http.Request) error {
	var wanted []mail.Kind
	for _, kind := range billing.NoticeKinds() {
		if r.PostFormValue(string(kind)) == "on" {
			wanted = append(wanted, kind)
		}
	}
	if err := s.billing.Contacts.ChooseNotices(r.Context(), accessOf(r), wanted); err != nil {
		return err
	}
	s.redirect(w, r, contactsPath+"?notice="+noticeNotices)
	return nil
}
