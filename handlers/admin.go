package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"usher/billing"
	adminviews "usher/views/admin"
	"usher/views/layout"
)

// eventsPerPage bounds how long a page of the inbox gets.
const eventsPerPage = 50

// showEvents lists the inbox of Stripe's events.
func (s *server) showEvents(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	text, outcome := strings.TrimSpace(query.Get("q")), billing.Outcome(query.Get("outcome"))
	if strings.HasPrefix(text, "evt_") {
		http.Redirect(w, r, "/admin/events/"+url.PathEscape(text), http.StatusSeeOther)
		return nil
	}
	search := eventSearchFor(text)
	search.Outcome, search.Before, search.Limit = outcome, query.Get("before"), eventsPerPage+1
	events, err := s.billing.Inbox.Search(r.Context(), search)
	if err != nil {
		return err
	}
	props := adminviews.EventsPageProps{Layout: s.layout(r, layout.SectionOperations), Filter: adminviews.EventFilter(text, outcome), Events: events}
	if len(events) > eventsPerPage {
		props.Events = events[:eventsPerPage]
		query.Set("before", props.Events[eventsPerPage-1].ID)
		props.OlderHref = r.URL.Path + "?" + query.Encode()
	}
	return render(w, r, http.StatusOK, adminviews.EventsPage(props))
}

// eventSearchFor tells by its form what is looked for: types have dots, ids say what they are of.
func eventSearchFor(text string) billing.EventSearch {
	switch {
	case strings.ContainsAny(text, ".*"):
		return billing.EventSearch{Type: text}
	case strings.HasPrefix(text, "org_"):
		return billing.EventSearch{OrganizationID: text}
	}
	return billing.EventSearch{ObjectID: text}
}

func (s *server) showEvent(w http.ResponseWriter, r *http.Request) error {
	event, err := s.billing.Inbox.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, adminviews.EventPage(adminviews.EventPageProps{
		Layout: s.layout(r, layout.SectionOperations), Event: event, Payload: indentJSON(event.Payload),
	}))
}

// indentJSON indents what can be read as JSON, and leaves the rest as it is.
func indentJSON(payload []byte) string {
	var out bytes.Buffer
	if err := json.Indent(&out, payload, "", "  "); err != nil {
		return string(payload)
	}
	return out.String()
}

func (s *server) replayEvent(w http.ResponseWriter, r *http.Request) error {
	if err := s.billing.Inbox.Replay(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	s.redirect(w, r, "/admin/events/"+url.PathEscape(r.PathValue("id"))+"?notice="+noticeReplayed)
	return nil
}

// showDrift lists what comparisons with Stripe found.
func (s *server) showDrift(w http.ResponseWriter, r *http.Request) error {
	reports, err := s.billing.Operations.DriftReports(r.Context())
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, adminviews.DriftPage(adminviews.DriftPageProps{Layout: s.layout(r, layout.SectionOperations), Reports: reports}))
}

// getDrift is the same as JSON.
func (s *server) getDrift(w http.ResponseWriter, r *http.Request) error {
	reports, err := s.billing.Operations.DriftReports(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, reports)
}

// organizationsPerPage bounds how long a page of organizations gets.
const organizationsPerPage = 50

func (s *server) showOrganizations(w http.ResponseWriter, r *http.Request) error {
	search := billing.OrganizationSearch{
		Text: r.URL.Query().Get("q"), Offset: (pageNumber(r) - 1) * organizationsPerPage, Limit: organizationsPerPage,
	}
	lines, total, err := s.billing.Operations.SearchOrganizations(r.Context(), search)
	if err != nil {
		return err
	}
	props := adminviews.OrganizationsPageProps{
		Layout: s.layout(r, layout.SectionOperations), Filter: adminviews.OrganizationFilter(search.Text),
	}
	_, _, props.Pager = paginate(r, total, organizationsPerPage)
	for _, line := range lines {
		row := adminviews.OrganizationRow{OrganizationLine: line, Plan: line.PriceID}
		if plan, _, known := s.billing.Prices.Catalog().ByPrice(line.PriceID); known {
			row.Plan = plan.Name
		}
		props.Lines = append(props.Lines, row)
	}
	return render(w, r, http.StatusOK, adminviews.OrganizationsPage(props))
}

func (s *server) showOrganizationFile(w http.ResponseWriter, r *http.Request) error {
	file, err := s.billing.Operations.Organization(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, adminviews.OrganizationPage(adminviews.OrganizationPageProps{
		Layout: s.layout(r, layout.SectionOperations), File: file, Changes: seatChangeRows(file.SeatChanges, false),
	}))
}

// compareOrganization compares one organization with Stripe, and repairs what differs.
func (s *server) compareOrganization(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), resyncTimeout)
	defer cancel()
	id := r.PathValue("id")
	if _, err := s.billing.Operations.Organization(ctx, id); err != nil {
		return err
	}
	report, err := s.billing.Reconciler.Reconcile(ctx, billing.ReconcileOptions{OrganizationID: id})
	if err != nil {
		return err
	}
	notice := noticeInSync
	if len(report.Drifts) > 0 {
		notice = noticeResynced
	}
	s.redirect(w, r, "/admin/organizations/"+url.PathEscape(id)+"?notice="+notice)
	return nil
}

// showJobs tells what waits and what was given up.
func (s *server) showJobs(w http.ResponseWriter, r *http.Request) error {
	backlog, err := s.billing.Operations.Backlog(r.Context())
	if err != nil {
		return err
	}
	jobs, err := s.billing.Operations.OpenJobs(r.Context())
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, adminviews.JobsPage(adminviews.JobsPageProps{Layout: s.layout(r, layout.SectionOperations), Backlog: backlog, Jobs: jobs}))
}
