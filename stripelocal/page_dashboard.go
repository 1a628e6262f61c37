package stripelocal

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// dashboardRows is how many rows a table shows, newest first.
const dashboardRows = 50

// dashboardPage is the first page of the dashboard.
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

// dashboardTable is a table of one kind of thing.
type dashboardTable struct {
	Name    string
	Link    string
	Columns []string
	Rows    []dashboardRow
}

type dashboardRow struct {
	Link   string
	Cells  []string
	Resend string // where a delivery is sent again
}

// dashboardListPage is one table with a filter.
type dashboardListPage struct {
	pageBase
	Nav    []dashboardLink
	Action string
	Query  string
	Kind   string
	Typed  bool // it can be filtered by type
	Table  dashboardTable
	Back   string
}

// dashboardObjectPage is one object as the API shows it.
type dashboardObjectPage struct {
	pageBase
	Nav    []dashboardLink
	JSON   string
	Resend string
	Back   string
	Table  dashboardTable // an event's deliveries
}

func (s *Server) mountDashboard(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", s.page((*act).showDashboard))
	mux.HandleFunc("GET /_usher/{$}", s.page((*act).showDashboard))
	mux.HandleFunc("GET /_usher/list/{kind}", s.page((*act).showList))
	mux.HandleFunc("GET /_usher/show/{kind}/{id}", s.page((*act).showObject))
	mux.HandleFunc("POST /_usher/dashboard/clock", s.advanceFromPage)
	mux.HandleFunc("POST /_usher/dashboard/faults", s.page((*act).addFaultFromPage))
	mux.HandleFunc("POST /_usher/dashboard/faults/clear", s.page((*act).clearFaultsFromPage))
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

func (a *act) showDashboard(_ *http.Request) reply { return show("dashboard", a.dashboardPage()) }

func (a *act) dashboardPage() dashboardPage {
	p := dashboardPage{
		pageBase: a.base("Dashboard"), Nav: dashboardNav(""), Now: moment(a.at), Spans: []string{"1 day", "1 month", "1 year"},
		Kinds: faultOptions(), Limit: a.faults.view().RateLimit,
	}
	for _, f := range a.faults.List() {
		p.Faults = append(p.Faults, dashboardFault{f.ID, f.words()})
	}
	for _, kind := range []string{"events", "deliveries"} {
		table, _ := a.dashboardTable(kind, dashboardFilter{limit: 10})
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

// moment writes a time for people, in UTC.
func moment(at int64) string { return time.Unix(at, 0).UTC().Format("2 Jan 2006 15:04:05") }

func (a *act) showList(req *http.Request) reply {
	kind := req.PathValue("kind")
	filter := dashboardFilter{query: strings.TrimSpace(req.FormValue("q")), kind: strings.TrimSpace(req.FormValue("type")), limit: dashboardRows}
	table, ok := a.dashboardTable(kind, filter)
	if !ok {
		return a.noSuchPage()
	}
	return show("dashboard-list", dashboardListPage{
		pageBase: a.base(table.Name), Nav: dashboardNav(kind), Action: req.URL.Path, Query: filter.query, Kind: filter.kind,
		Typed: kind == "events" || kind == "deliveries", Table: table, Back: req.URL.RequestURI(),
	})
}

func (a *act) showObject(req *http.Request) reply {
	kind, id := req.PathValue("kind"), req.PathValue("id")
	render := a.renders[strings.TrimSuffix(kind, "s")]
	if render == nil {
		return a.noSuchPage()
	}
	o, ok := render(a, id)
	if !ok {
		return a.noSuchPage()
	}
	page := dashboardObjectPage{pageBase: a.base(id), Nav: dashboardNav(kind), Back: req.URL.Path}
	var indented bytes.Buffer
	if err := json.Indent(&indented, encode(o), "", "  "); err == nil {
		page.JSON = indented.String()
	}
	if kind == "events" {
		page.Resend = "/_usher/events/" + url.PathEscape(id) + "/resend"
		page.Table, _ = a.dashboardTable("deliveries", dashboardFilter{query: id, limit: dashboardRows})
	}
	return show("dashboard-object", page)
}

// advanceFromPage moves the account's clock.
func (s *Server) advanceFromPage(w http.ResponseWriter, req *http.Request) {
	to, err := later(s.Now(), req.PostFormValue("by"))
	if err != nil {
		s.answerPage(w, req, s.message(http.StatusUnprocessableEntity, "Not understood", err.Error()))
		return
	}
	s.AdvanceClock(to)
	http.Redirect(w, req, "/_usher/", http.StatusSeeOther)
}

func (a *act) addFaultFromPage(req *http.Request) reply {
	order, err := faultsFromForm(req.PostForm)
	if err == nil {
		err = a.faults.obey(order)
	}
	if err != nil {
		page := a.dashboardPage()
		page.Alert = err.Error()
		return mend("dashboard", page)
	}
	return seeOther("/_usher/")
}

func (a *act) clearFaultsFromPage(req *http.Request) reply {
	if id := req.PostFormValue("id"); id != "" {
		a.faults.Remove(id)
	} else {
		a.faults.Clear()
	}
	return seeOther("/_usher/")
}
