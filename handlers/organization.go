package handlers

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"usher/billing"
	"usher/billing/account"
	billingviews "usher/views/billing"
	"usher/views/layout"
	organizationviews "usher/views/organization"
	"usher/views/ui"
)

// membersPerPage bounds how long a page of people gets.
const membersPerPage = 100

// showOrganization shows one of the organization's tabs; an unknown one is the first.
func (s *server) showOrganization(w http.ResponseWriter, r *http.Request) error {
	switch layout.OrganizationTab(r.URL.Query().Get("tab")) {
	case layout.TabMembers:
		return s.showMembers(w, r)
	case layout.TabRoles:
		return s.showRoles(w, r)
	case layout.TabBilling:
		return s.showBilling(w, r)
	case layout.TabActivity:
		return s.showActivity(w, r)
	}
	return s.showGeneral(w, r)
}

func organizationHeader(r *http.Request, tab layout.OrganizationTab) layout.OrganizationHeader {
	organization := accessOf(r).Organization
	return layout.OrganizationHeader{ID: organization.ID, Name: organization.Name, Current: tab, Deleted: organization.DeletedAt != nil}
}

// billingNames lists who may manage billing.
func billingNames(members []account.Member) []string {
	var names []string
	for _, member := range members {
		if (account.Access{Member: member}).CanManageBilling() {
			names = append(names, member.Name)
		}
	}
	return names
}

// paginate cuts a list into pages by the address's page number, counted from 1. The links to other pages keep what else the address says.
func paginate(r *http.Request, total, perPage int) (from, to int, pager ui.PagerProps) {
	pages := max(1, (total+perPage-1)/perPage)
	number := min(pageNumber(r), pages)
	from, to = (number-1)*perPage, min(number*perPage, total)
	pager = ui.PagerProps{From: from + 1, To: to, Total: total}
	if number > 1 {
		pager.PreviousHref = pagePath(r, number-1)
	}
	if number < pages {
		pager.NextHref = pagePath(r, number+1)
	}
	return from, to, pager
}

// pageNumber is the address's, counted from 1.
func pageNumber(r *http.Request) int {
	number, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil {
		return 1
	}
	return min(max(1, number), maxPage)
}

// maxPage is more than any list has.
const maxPage = 1_000_000

func pagePath(r *http.Request, number int) string {
	query := r.URL.Query()
	query.Set("page", strconv.Itoa(number))
	return r.URL.Path + "?" + query.Encode()
}

// showBilling shows the billing tab: the page, or for htmx the replacement of the polling element.
func (s *server) showBilling(w http.ResponseWriter, r *http.Request) error {
	back, moved, err := s.comebackOf(w, r)
	if err != nil || moved {
		return err
	}
	overview, err := s.billing.Overviews.Get(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	panel, err := s.billingPanel(r, overview, back)
	if err != nil {
		return err
	}
	if isFragment(r) {
		return renderBillingFragment(w, r, panel)
	}
	return render(w, r, http.StatusOK, billingviews.Page(billingviews.PageProps{
		Layout: s.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabBilling), Panel: panel,
	}))
}

// renderBillingFragment answers a poll. While the invoice is missing, only the polling element is
// replaced, so that the panel keeps the focus and its unfolded details.
func renderBillingFragment(w http.ResponseWriter, r *http.Request, panel billingviews.PanelProps) error {
	if r.Header.Get("HX-Target") != billingviews.InvoicePollID {
		return render(w, r, http.StatusOK, billingviews.Panel(panel))
	}
	if panel.AwaitsInvoice {
		return render(w, r, http.StatusOK, billingviews.InvoicePoll(panel))
	}
	w.Header().Set("HX-Retarget", "#"+billingviews.PanelID)
	return render(w, r, http.StatusOK, billingviews.Panel(panel))
}

// ledgerPerPage bounds how long a page of the seat ledger gets.
const ledgerPerPage = 100

func (s *server) showActivity(w http.ResponseWriter, r *http.Request) error {
	search := ledgerSearch(r)
	search.Offset, search.Limit = (pageNumber(r)-1)*ledgerPerPage, ledgerPerPage
	changes, total, err := s.billing.SeatLedger.Search(r.Context(), accessOf(r), search)
	if err != nil {
		return err
	}
	from, _, pager := paginate(r, total, ledgerPerPage)
	if from != search.Offset { // beyond the last page, which is shown instead
		search.Offset = from
		if changes, _, err = s.billing.SeatLedger.Search(r.Context(), accessOf(r), search); err != nil {
			return err
		}
	}
	props := organizationviews.ActivityPageProps{
		Layout: s.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabActivity), Pager: pager,
		Filter: organizationviews.ActivityFilter(search), CSVHref: ledgerCSVPath(search),
	}
	props.Changes = seatChangeRows(changes, accessOf(r).CanManageBilling())
	return render(w, r, http.StatusOK, organizationviews.ActivityPage(props))
}

func seatChangeRows(changes []billing.SeatChange, readsInvoices bool) []ui.SeatChangeRow {
	rows := make([]ui.SeatChangeRow, 0, len(changes))
	for _, change := range changes {
		row := ui.SeatChangeRow{
			At: change.At, What: seatChangeText(change), By: change.ActorName, From: change.From, To: change.To, RequestID: change.RequestID,
		}
		if change.InvoiceNumber != "" {
			row.Invoiced, row.Invoice = change.Invoiced.Format(), change.InvoiceNumber
			if readsInvoices {
				row.InvoiceHref = "/billing/invoices/" + change.InvoiceID
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// seatChangeText puts the ledger's reason into a sentence about whom it concerns.
func seatChangeText(c billing.SeatChange) string {
	if c.SubjectName != "" {
		return fmt.Sprintf("%s %s", c.SubjectName, c.Reason)
	}
	if c.Reason == "" {
		return "The number of seats changed"
	}
	return strings.ToUpper(c.Reason[:1]) + c.Reason[1:]
}

// switchOrganization makes another one of the viewer's organizations the one they work in.
func (s *server) switchOrganization(w http.ResponseWriter, r *http.Request) error {
	access, err := s.billing.Organizations.Access(r.Context(), identityOf(r).userID, r.PostFormValue("organizationId"))
	if err != nil {
		return err
	}
	s.sessions.Put(r.Context(), sessionOrganization, access.Organization.ID)
	s.redirect(w, r, "/dashboard")
	return nil
}
