package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	adminviews "usher/views/admin"
	"usher/views/layout"
)

// adminPages are the pages for operators of this installation.
type adminPages struct {
	*site
	audit      *account.Audit
	inbox      *billing.Inbox
	operations *billing.Operations
	reconciler *billing.Reconciler
	prices     *billing.Prices
}

// eventsPerPage is the page size of the event list.
const eventsPerPage = 50

// listEvents lists the stored Stripe events. An event id in the search leads to that event.
func (p *adminPages) listEvents(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	text, outcome := strings.TrimSpace(query.Get("q")), billing.Outcome(query.Get("outcome"))
	if strings.HasPrefix(text, "evt_") {
		http.Redirect(w, r, "/admin/events/"+url.PathEscape(text), http.StatusSeeOther)
		return nil
	}
	search := eventSearchFor(text)
	search.Outcome, search.Before, search.Limit = outcome, query.Get("before"), eventsPerPage+1
	events, err := p.reads().Inbox.Search(r.Context(), search)
	if err != nil {
		return err
	}
	health, err := p.health(r)
	if err != nil {
		return err
	}
	props := adminviews.EventsPageProps{
		Layout: p.layout(r, layout.SectionOperations), Health: health, Filter: adminviews.EventFilter(text, outcome), Outcome: outcome, Events: events,
	}
	if len(events) > eventsPerPage {
		props.Events = events[:eventsPerPage]
		query.Set("before", props.Events[eventsPerPage-1].ID)
		props.OlderHref = r.URL.Path + "?" + query.Encode()
	}
	return render(w, r, http.StatusOK, adminviews.EventsPage(props))
}

// health reads what is pending and what has failed, and how many events there were.
func (p *adminPages) health(r *http.Request) (adminviews.HealthProps, error) {
	backlog, err := p.operations.Backlog(r.Context())
	if err != nil {
		return adminviews.HealthProps{}, err
	}
	hours, err := p.reads().Operations.EventsByHour(r.Context())
	return adminviews.HealthProps{Backlog: backlog, Problems: backlog.Problems(p.now()), Hours: hours}, err
}

// eventSearchFor derives the searched field from the text: types contain dots, ids have prefixes.
func eventSearchFor(text string) billing.EventSearch {
	switch {
	case strings.ContainsAny(text, ".*"):
		return billing.EventSearch{Type: text}
	case strings.HasPrefix(text, "org_"):
		return billing.EventSearch{OrganizationID: text}
	}
	return billing.EventSearch{ObjectID: text}
}

func (p *adminPages) showEvent(w http.ResponseWriter, r *http.Request) error {
	event, err := p.inbox.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if event.OrganizationID != "" { // the payload has the organization's data
		if err := p.audit.Look(r.Context(), event.OrganizationID); err != nil {
			return err
		}
	}
	return render(w, r, http.StatusOK, adminviews.EventPage(adminviews.EventPageProps{
		Layout: p.layout(r, layout.SectionOperations), Event: event, Payload: indentJSON(event.Payload),
	}))
}

// indentJSON indents valid JSON and returns other text unchanged.
func indentJSON(payload []byte) string {
	var out bytes.Buffer
	if err := json.Indent(&out, payload, "", "  "); err != nil {
		return string(payload)
	}
	return out.String()
}

func (p *adminPages) replayEvent(w http.ResponseWriter, r *http.Request) error {
	if err := p.inbox.Replay(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	redirect(w, r, "/admin/events/"+url.PathEscape(r.PathValue("id"))+"?notice="+noticeReplayed)
	return nil
}

// showDrift lists the differences that reconciliations found.
func (p *adminPages) showDrift(w http.ResponseWriter, r *http.Request) error {
	reports, err := p.operations.DriftReports(r.Context())
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, adminviews.DriftPage(adminviews.DriftPageProps{Layout: p.layout(r, layout.SectionOperations), Reports: reports}))
}

// showDriftJSON responds with the same list as JSON.
func (p *adminPages) showDriftJSON(w http.ResponseWriter, r *http.Request) error {
	reports, err := p.operations.DriftReports(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, reports)
}

// organizationsPerPage is the page size of the organization list.
const organizationsPerPage = 50

func (p *adminPages) listOrganizations(w http.ResponseWriter, r *http.Request) error {
	search := billing.OrganizationSearch{
		Text: r.URL.Query().Get("q"), Offset: (pageNumber(r) - 1) * organizationsPerPage, Limit: organizationsPerPage,
	}
	lines, total, err := p.reads().Operations.SearchOrganizations(r.Context(), search)
	if err != nil {
		return err
	}
	props := adminviews.OrganizationsPageProps{
		Layout: p.layout(r, layout.SectionOperations), Filter: adminviews.OrganizationFilter(search.Text),
	}
	_, _, props.Pager = paginate(r, total, organizationsPerPage)
	for _, line := range lines {
		row := adminviews.OrganizationRow{OrganizationLine: line, Plan: line.PriceID}
		if plan, _, known := p.prices.Catalog().ByPrice(line.PriceID); known {
			row.Plan = plan.Name
		}
		props.Lines = append(props.Lines, row)
	}
	return render(w, r, http.StatusOK, adminviews.OrganizationsPage(props))
}

func (p *adminPages) showOrganization(w http.ResponseWriter, r *http.Request) error {
	if err := p.audit.Look(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	file, err := p.operations.Organization(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, adminviews.OrganizationPage(adminviews.OrganizationPageProps{
		Layout: p.layout(r, layout.SectionOperations), File: file, Changes: seatChangeRows(r.Context(), file.SeatChanges, false),
		Comparing: r.URL.Query().Get("notice") == noticeComparing && !comparedWithin(file.Compared, p.now().Add(-resyncTimeout)),
	}))
}

// comparedWithin reports whether a comparison has ended since a time.
func comparedWithin(report *billing.DriftReport, since time.Time) bool {
	return report != nil && report.FinishedAt.After(since)
}

// reconcileOrganization reconciles one organization with Stripe and repairs differences.
func (p *adminPages) reconcileOrganization(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if _, err := p.operations.Organization(r.Context(), id); err != nil {
		return err
	}
	notice, err := resyncNotice(await(r.Context(), p.site, resyncTimeout, func(ctx context.Context) (billing.DriftReport, error) {
		report, err := p.reconciler.ReconcileForOperator(ctx, id)
		if err != nil {
			err = apperr.StripeFailed("reconcile organization", err)
		}
		return report, err
	}))
	if err != nil {
		return err
	}
	redirect(w, r, "/admin/organizations/"+url.PathEscape(id)+"?notice="+notice)
	return nil
}

// listJobs shows the backlog and the open jobs.
func (p *adminPages) listJobs(w http.ResponseWriter, r *http.Request) error {
	health, err := p.health(r)
	if err != nil {
		return err
	}
	jobs, err := p.operations.OpenJobs(r.Context())
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, adminviews.JobsPage(adminviews.JobsPageProps{Layout: p.layout(r, layout.SectionOperations), Health: health, Jobs: jobs}))
}
