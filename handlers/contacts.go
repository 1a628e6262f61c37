package handlers

import (
	"net/http"
	"slices"

	"usher/billing"
	"usher/billing/mail"
	"usher/views/layout"
	"usher/views/locale"
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
	{locale.Mark("Payments"), mail.KindPaymentFailed, locale.Mark("A payment failed")},
	{locale.Mark("Payments"), mail.KindActionRequired, locale.Mark("Your bank wants a payment confirmed")},
	{locale.Mark("Payments"), mail.KindCardExpiring, locale.Mark("Your card expires soon")},
	{locale.Mark("Payments"), mail.KindPackReceipt, locale.Mark("Credits were bought")},
	{locale.Mark("Plan"), mail.KindTrialEnding, locale.Mark("Your trial ends soon")},
	{locale.Mark("Plan"), mail.KindRenewalNotice, locale.Mark("Your yearly plan renews soon")},
	{locale.Mark("Plan"), mail.KindRenewed, locale.Mark("Your plan was renewed")},
	{locale.Mark("Plan"), mail.KindPriceChange, locale.Mark("The price changes with the next period")},
	{locale.Mark("Plan"), mail.KindCanceled, locale.Mark("Your plan was canceled or has ended")},
	{locale.Mark("Plan"), mail.KindResumed, locale.Mark("Your plan continues after a cancellation")},
	{locale.Mark("Plan"), mail.KindDuplicateCanceled, locale.Mark("A second plan was ended and refunded")},
	{locale.Mark("Seats"), mail.KindSeatSummary, locale.Mark("The number of seats changed")},
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
		props.Notices = append(props.Notices, organizationviews.NoticeSetting{Kind: n.kind, Group: locale.Lookup(r.Context(), n.group), Label: locale.Lookup(r.Context(), n.label), On: !slices.Contains(c.Muted, n.kind)})
	}
	return render(w, r, status, organizationviews.ContactsPage(props))
}

func (p *contactPages) add(w http.ResponseWriter, r *http.Request) error {
	input := r.PostFormValue("email")
	err := p.contacts.Add(r.Context(), accessOf(r), input)
	if invalid := fieldMessages(r.Context(), err); len(invalid) > 0 {
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
