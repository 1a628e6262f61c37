package stripelocal

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"usher/stripelocal/wire"
)

// dashboardRows is the maximum number of rows of a table.
const dashboardRows = 50

// dashboardPage is the dashboard's overview.
type dashboardPage struct {
	pageBase
	Alert  string
	Nav    []dashboardLink
	Now    string
	Spans  []string
	Faults []dashboardFault
	Kinds  []pageOption
	Limit  int
	Tables []dashboardTable
}

type dashboardLink struct {
	Name, Link string
	Current    bool
}

type dashboardFault struct{ ID, Text string }

// dashboardTable is a table of one object type.
type dashboardTable struct {
	Name    string
	Link    string
	Columns []string
	Rows    []dashboardRow
}

type dashboardRow struct {
	Link   string
	Cells  []string
	Resend string // path that sends a delivery again
}

// dashboardListPage is one table with a filter.
type dashboardListPage struct {
	pageBase
	Nav    []dashboardLink
	Action string
	Query  string
	Kind   string
	Typed  bool // filterable by event type
	Table  dashboardTable
	Back   string
}

// dashboardObjectPage is one object as the API renders it.
type dashboardObjectPage struct {
	pageBase
	Nav    []dashboardLink
	JSON   string
	Resend string
	Back   string
	Table  dashboardTable // the deliveries of an event
}

func (p hostedPages) mountDashboard(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", p.handle(bind(dashboardPages.show)))
	mux.HandleFunc("GET /_usher/{$}", p.handle(bind(dashboardPages.show)))
	mux.HandleFunc("GET /_usher/list/{kind}", p.handle(bind(dashboardPages.showList)))
	mux.HandleFunc("GET /_usher/show/{kind}/{id}", p.handle(bind(dashboardPages.showObject)))
	mux.HandleFunc("POST /_usher/dashboard/clock", p.advanceClock)
	mux.HandleFunc("POST /_usher/dashboard/faults", p.handle(bind(dashboardPages.addFault)))
	mux.HandleFunc("POST /_usher/dashboard/faults/clear", p.handle(bind(dashboardPages.clearFaults)))
}

func dashboardNav(current string) []dashboardLink {
	nav := []dashboardLink{{Name: "Overview", Link: "/_usher/", Current: current == ""}}
	for _, kind := range []string{"customers", "subscriptions", "invoices", "events", "deliveries"} {
		nav = append(nav, dashboardLink{
			Name: strings.ToUpper(kind[:1]) + kind[1:], Link: "/_usher/list/" + kind, Current: current == kind,
		})
	}
	return nav
}

// dashboardPages serves the dashboard at / and under /_usher/.
type dashboardPages struct{ *request }

func (h dashboardPages) show(_ *http.Request) pageResponse { return showPage("dashboard", h.page()) }

func (h dashboardPages) page() dashboardPage {
	p := dashboardPage{
		pageBase: pageBase{"Dashboard"}, Nav: dashboardNav(""), Now: formatTime(h.now), Spans: []string{"1 day", "1 month", "1 year"},
		Kinds: faultOptions(), Limit: h.faults.view().RateLimit,
	}
	for _, f := range h.faults.List() {
		p.Faults = append(p.Faults, dashboardFault{f.ID, f.describe()})
	}
	for _, kind := range []string{"events", "deliveries"} {
		table, _ := h.table(kind, dashboardFilter{limit: 10})
		p.Tables = append(p.Tables, table)
	}
	return p
}

func faultOptions() []pageOption {
	var out []pageOption
	for _, kind := range []FaultKind{
		RateLimited, LockTimeout, ServerError, TimeoutBefore, TimeoutAfter, SlowCall, DropDelivery, DuplicateDelivery, ReorderDelivery, DelayDelivery,
	} {
		out = append(out, pageOption{Value: string(kind), Label: strings.ReplaceAll(string(kind), "_", " ")})
	}
	return out
}

// formatTime formats a time in UTC.
func formatTime(at int64) string { return time.Unix(at, 0).UTC().Format("2 Jan 2006 15:04:05") }

func (h dashboardPages) showList(req *http.Request) pageResponse {
	kind := req.PathValue("kind")
	filter := dashboardFilter{query: strings.TrimSpace(req.FormValue("q")), kind: strings.TrimSpace(req.FormValue("type")), limit: dashboardRows}
	table, ok := h.table(kind, filter)
	if !ok {
		return noSuchPage()
	}
	return showPage("dashboard-list", dashboardListPage{
		pageBase: pageBase{table.Name}, Nav: dashboardNav(kind), Action: req.URL.Path, Query: filter.query, Kind: filter.kind,
		Typed: kind == "events" || kind == "deliveries", Table: table, Back: req.URL.RequestURI(),
	})
}

func (h dashboardPages) showObject(req *http.Request) pageResponse {
	kind, id := req.PathValue("kind"), req.PathValue("id")
	render := h.renderers[strings.TrimSuffix(kind, "s")]
	if render == nil {
		return noSuchPage()
	}
	o, ok := render(h.request, id)
	if !ok {
		return noSuchPage()
	}
	page := dashboardObjectPage{pageBase: pageBase{id}, Nav: dashboardNav(kind), Back: req.URL.Path}
	var indented bytes.Buffer
	if err := json.Indent(&indented, wire.Encode(o), "", "  "); err == nil {
		page.JSON = indented.String()
	}
	if kind == "events" {
		page.Resend = "/_usher/events/" + url.PathEscape(id) + "/resend"
		page.Table, _ = h.table("deliveries", dashboardFilter{query: id, limit: dashboardRows})
	}
	return showPage("dashboard-object", page)
}

// advanceClock advances the account's clock.
func (p hostedPages) advanceClock(w http.ResponseWriter, req *http.Request) {
	to, err := addSpan(p.Now(), req.PostFormValue("by"))
	if err != nil {
		p.respond(w, req, message(http.StatusUnprocessableEntity, "Not understood", err.Error()))
		return
	}
	p.AdvanceClock(to)
	http.Redirect(w, req, "/_usher/", http.StatusSeeOther)
}

func (h dashboardPages) addFault(req *http.Request) pageResponse {
	order, err := faultsFromForm(req.PostForm)
	if err == nil {
		err = h.faults.apply(order)
	}
	if err != nil {
		page := h.page()
		page.Alert = err.Error()
		return showInvalidForm("dashboard", page)
	}
	return redirectTo("/_usher/")
}

func (h dashboardPages) clearFaults(req *http.Request) pageResponse {
	if id := req.PostFormValue("id"); id != "" {
		h.faults.Remove(id)
	} else {
		h.faults.Clear()
	}
	return redirectTo("/_usher/")
}
