package stripelocal

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"usher/stripelocal/wire"
)

// dashboardFilter filters a table: query matches part of any cell, kind is an event type pattern
// such as invoice.*.
type dashboardFilter struct {
	query, kind string
	limit       int
}

func (h dashboardPages) table(kind string, f dashboardFilter) (dashboardTable, bool) {
	t := dashboardTable{Name: strings.ToUpper(kind[:min(1, len(kind))]) + kind[min(1, len(kind)):], Link: "/_usher/list/" + url.PathEscape(kind)}
	switch kind {
	case "customers":
		t.Columns = []string{"Customer", "E-mail", "Name", "Created"}
		t.Rows = newest(h.store.Customers, f, customerRow)
	case "subscriptions":
		t.Columns = []string{"Subscription", "Status", "Plan", "Customer", "Renews or ends"}
		t.Rows = newest(h.store.Subscriptions, f, h.subscriptionRow)
	case "invoices":
		t.Columns = []string{"Invoice", "Number", "Status", "Total", "Why", "Customer", "Created"}
		t.Rows = newest(h.store.Invoices, f, invoiceRow)
	case "events":
		t.Columns = []string{"Event", "Type", "Of", "Created", "Pending"}
		t.Rows = newest(h.store.Events, f, eventRow)
	case "deliveries":
		t.Columns = []string{"Delivery", "Type", "Event", "To", "Status", "Tries", "Last answer"}
		t.Rows = newest(h.store.Deliveries, f, h.deliveryRow)
	default:
		return t, false
	}
	return t, true
}

// newest returns the rows that the filter keeps, newest first. The second cell of events and
// deliveries must be their type.
func newest[T row](from *table[T], f dashboardFilter, show func(T) dashboardRow) []dashboardRow {
	var out []dashboardRow
	for i := len(from.all) - 1; i >= 0 && len(out) < f.limit; i-- {
		r := show(from.all[i])
		if f.keeps(r) {
			out = append(out, r)
		}
	}
	return out
}

func (f dashboardFilter) keeps(r dashboardRow) bool {
	if f.kind != "" && !matchesEventType(r.Cells[1], []string{f.kind}) {
		return false
	}
	return f.query == "" || strings.Contains(strings.ToLower(strings.Join(r.Cells, "\n")), strings.ToLower(f.query))
}

func customerRow(c *Customer) dashboardRow {
	return dashboardRow{Link: "/_usher/show/customers/" + c.ID, Cells: []string{c.ID, c.Email, c.Name, formatTime(c.Created)}}
}

func (h dashboardPages) subscriptionRow(sub *Subscription) dashboardRow {
	plan := ""
	if price, item, ok := h.subscriptions.singleItem(sub); ok {
		plan = fmt.Sprintf("%d × %s", item.Quantity, h.prices.productName(price))
	}
	end := formatDate(sub.CurrentPeriodEnd)
	if sub.CancelAt != 0 {
		end = formatDate(sub.CancelAt)
	}
	return dashboardRow{Link: "/_usher/show/subscriptions/" + sub.ID, Cells: []string{sub.ID, sub.Status, plan, sub.Customer, end}}
}

func invoiceRow(inv *Invoice) dashboardRow {
	return dashboardRow{Link: "/_usher/show/invoices/" + inv.ID, Cells: []string{
		inv.ID, inv.Number, inv.Status, wire.FormatAmount(inv.total(), inv.Currency), inv.BillingReason, inv.Customer, formatTime(inv.Created),
	}}
}

func eventRow(e *Event) dashboardRow {
	return dashboardRow{Link: "/_usher/show/events/" + e.ID, Cells: []string{
		e.ID, e.Type, idIn(e.Object.text()), formatTime(e.Created), strconv.FormatInt(e.PendingWebhooks, 10),
	}}
}

// idIn returns the id of a stored object, which is the first field of its JSON.
func idIn(raw []byte) string {
	_, rest, found := strings.Cut(string(raw[:min(len(raw), 200)]), `{"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	if !found {
		return ""
	}
	return id
}

func (h dashboardPages) deliveryRow(d *Delivery) dashboardRow {
	view := h.deliveries.view(d)
	last := view.LastError
	if last == "" && view.LastStatus != 0 {
		last = strconv.Itoa(view.LastStatus)
	}
	return dashboardRow{
		Link:   "/_usher/show/events/" + d.Event,
		Cells:  []string{d.ID, view.Type, d.Event, view.URL, view.Status, strconv.Itoa(view.Attempts), last},
		Resend: "/_usher/deliveries/" + d.ID + "/resend",
	}
}

// describe describes a fault: slow, the next 3 of POST /v1/customers, 200 ms.
func (r Fault) describe() string {
	what := strings.ReplaceAll(string(r.Kind), "_", " ")
	of := strings.TrimSpace(r.Method + " " + r.Path + r.Event)
	if of == "" {
		of = "all"
	}
	times := "every one"
	if r.Calls > 0 {
		times = fmt.Sprintf("the next %d", r.Calls)
	}
	text := fmt.Sprintf("%s, %s of %s", what, times, of)
	if r.Chance > 0 {
		text += fmt.Sprintf(", chance %g", r.Chance)
	}
	if r.Millis > 0 {
		text += fmt.Sprintf(", %d ms", r.Millis)
	}
	return text
}
