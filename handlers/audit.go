package handlers

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"usher/billing/account"
	adminviews "usher/views/admin"
	"usher/views/layout"
	"usher/views/locale"
	organizationviews "usher/views/organization"
	"usher/views/ui"
)

// auditPages show the audit log: that of an organization to those who manage its members, and that
// of the whole installation to operators.
type auditPages struct {
	*site
	audit *account.Audit
}

// auditPerPage is the page size of the audit log.
const auditPerPage = 50

// show shows the audit log of the current organization.
func (p *auditPages) show(w http.ResponseWriter, r *http.Request) error {
	search, problem := auditSearch(r)
	entries, err := p.audit.Search(r.Context(), accessOf(r), search)
	if err != nil {
		return err
	}
	entries, pages := auditPage(r, entries)
	return render(w, r, http.StatusOK, organizationviews.AuditPage(organizationviews.AuditPageProps{
		Layout: p.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabAudit),
		Filter: organizationAuditFilter(r, problem), Entries: auditRows(r.Context(), entries, false), CSVHref: auditCSVPath(r), Pages: pages,
	}))
}

// showAll shows the audit log of all organizations and of the installation.
func (p *auditPages) showAll(w http.ResponseWriter, r *http.Request) error {
	search, problem := auditSearch(r)
	entries, err := p.reads().Audit.SearchAll(r.Context(), search)
	if err != nil {
		return err
	}
	entries, pages := auditPage(r, entries)
	filter := auditFilter(r, account.Acts(), problem)
	filter.Action, filter.AllHref, filter.TextLabel = "/admin/audit", "/admin/audit", "Name, value, id or request"
	return render(w, r, http.StatusOK, adminviews.AuditPage(adminviews.AuditPageProps{
		Layout: p.layout(r, layout.SectionOperations), Filter: filter, Entries: auditRows(r.Context(), entries, true), Pages: pages,
	}))
}

// export sends the entries of the current organization that match the filter as CSV (RFC 4180),
// newest first, at most auditExportLimit.
func (p *auditPages) export(w http.ResponseWriter, r *http.Request) error {
	search, _ := auditSearch(r)
	search.Before, search.Limit = account.AuditCursor{}, account.AuditLimit
	header := w.Header()
	header.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	header.Set("Content-Disposition", `attachment; filename="audit-`+p.now().UTC().Format(time.DateOnly)+`.csv"`)
	out := csv.NewWriter(w)
	out.UseCRLF = true
	_ = out.Write([]string{"time", "by", "kind of actor", "actor id", "act", "what happened", "target id", "target", "before", "after", "address", "request"})
	english := locale.With(r.Context(), locale.English) // programs read the file
	audit := p.reads().Audit
	for written := 0; written < auditExportLimit; {
		entries, err := audit.Search(r.Context(), accessOf(r), search)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			_ = out.Write(auditRecord(english, entry))
			search.Before = account.AuditCursor{At: entry.At, ID: entry.ID}
		}
		if written += len(entries); len(entries) < search.Limit {
			break
		}
	}
	out.Flush()
	return out.Error()
}

// auditExportLimit bounds a CSV file, which is buffered. Dates lead to older entries.
const auditExportLimit = 20_000

func auditRecord(ctx context.Context, e account.AuditEntry) []string {
	row := auditRow(ctx, e, false)
	return []string{
		e.At.UTC().Format(time.RFC3339), escapeFormula(row.By), string(e.ActorKind), escapeFormula(e.ActorID), string(e.Act), escapeFormula(row.What),
		escapeFormula(e.TargetID), escapeFormula(e.TargetName), auditJSON(e.Before), auditJSON(e.After), escapeFormula(row.From), e.RequestID,
	}
}

// auditJSON returns the values as JSON; empty if there are none. It begins with a brace, so no
// spreadsheet runs it.
func auditJSON(values account.AuditValues) string {
	if len(values) == 0 {
		return ""
	}
	text, err := json.Marshal(values)
	if err != nil {
		return "" // strings always encode
	}
	return string(text)
}

// auditSearch reads the filter from the query. problem says what is wrong with the dates; they do
// not filter then.
func auditSearch(r *http.Request) (search account.AuditSearch, problem string) {
	query := r.URL.Query()
	search = account.AuditSearch{
		Text: query.Get("q"), Actor: query.Get("by"), Act: account.Act(query.Get("act")), Before: parseAuditCursor(query.Get("before")), Limit: auditPerPage + 1,
	}
	from, errFrom := queryDate(query.Get("from"))
	until, errUntil := queryDate(query.Get("until"))
	switch {
	case errFrom != nil || errUntil != nil:
		return search, locale.T(r.Context(), "Please give dates such as 2026-12-01.")
	case !from.IsZero() && !until.IsZero() && until.Before(from):
		return search, locale.T(r.Context(), "This day is before the first one.")
	}
	search.From = from
	if !until.IsZero() {
		search.Until = until.AddDate(0, 0, 1) // the day is included
	}
	return search, ""
}

func queryDate(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.DateOnly, text)
}

// A cursor is the time of an entry in microseconds and its id.
func auditCursor(e account.AuditEntry) string {
	return strconv.FormatInt(e.At.UnixMicro(), 10) + "-" + strconv.FormatInt(e.ID, 10)
}

// parseAuditCursor reads a cursor; one that is none leads to the newest page.
func parseAuditCursor(text string) account.AuditCursor {
	at, id, _ := strings.Cut(text, "-")
	micro, errAt := strconv.ParseInt(at, 10, 64)
	number, errID := strconv.ParseInt(id, 10, 64)
	if errAt != nil || errID != nil || micro < 0 || micro > maxMicro {
		return account.AuditCursor{}
	}
	return account.AuditCursor{At: time.UnixMicro(micro).UTC(), ID: number}
}

// maxMicro is in the year 9999, which a database still stores.
const maxMicro = 253_000_000_000_000_000

// auditPage returns the entries of the page, and links to its neighbours.
func auditPage(r *http.Request, entries []account.AuditEntry) ([]account.AuditEntry, ui.AuditPagesProps) {
	var pages ui.AuditPagesProps
	query := r.URL.Query()
	path := func() string { return strings.TrimSuffix(r.URL.Path+"?"+query.Encode(), "?") }
	if query.Has("before") {
		query.Del("before")
		pages.NewestHref = path()
	}
	if len(entries) > auditPerPage {
		entries = entries[:auditPerPage]
		query.Set("before", auditCursor(entries[auditPerPage-1]))
		pages.OlderHref = path()
	}
	return entries, pages
}

func organizationAuditFilter(r *http.Request, problem string) ui.AuditFilterProps {
	filter := auditFilter(r, account.OrganizationActs(), problem)
	filter.Action, filter.AllHref, filter.TextLabel = "/organization", "/organization?tab=audit", locale.T(r.Context(), "Search for")
	filter.Fields = []ui.Hidden{{Name: "tab", Value: string(layout.TabAudit)}}
	return filter
}

// auditFilter returns the search form with the submitted values.
func auditFilter(r *http.Request, acts []account.Act, problem string) ui.AuditFilterProps {
	query := r.URL.Query()
	filter := ui.AuditFilterProps{
		Text: query.Get("q"), Actor: query.Get("by"), From: query.Get("from"), Until: query.Get("until"), Error: problem,
		Act: ui.SelectProps{Label: locale.T(r.Context(), "What"), Name: "act", Value: query.Get("act"), Options: []ui.Option{{Label: locale.T(r.Context(), "Everything")}}},
	}
	for _, act := range acts {
		filter.Act.Options = append(filter.Act.Options, ui.Option{Value: string(act), Label: locale.Lookup(r.Context(), auditLabels[act])})
	}
	for _, name := range auditFilterNames {
		filter.Narrowed = filter.Narrowed || query.Get(name) != ""
	}
	return filter
}

// auditFilterNames are the query parameters of the filter.
var auditFilterNames = []string{"q", "by", "act", "from", "until"}

// auditCSVPath returns the path of the filtered entries as a CSV file.
func auditCSVPath(r *http.Request) string {
	query := url.Values{}
	for _, name := range auditFilterNames {
		if value := r.URL.Query().Get(name); value != "" {
			query.Set(name, value)
		}
	}
	return strings.TrimSuffix("/organization/audit.csv?"+query.Encode(), "?")
}
