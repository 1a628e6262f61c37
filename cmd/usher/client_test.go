package main

import (
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
)

// client is a browser without JavaScript: it follows links and submits the forms of pages.
type client struct {
	t        *testing.T
	http     *http.Client
	base     string // origin of the server
	location *url.URL
	status   int
	page     *goquery.Document
}

func (s *testServer) client(t *testing.T) *client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &client{t: t, http: &http.Client{Jar: jar, Timeout: time.Minute}, base: s.url}
}

// open loads a path of the server or a URL.
func (c *client) open(location string) *client {
	c.t.Helper()
	if strings.HasPrefix(location, "/") {
		location = c.base + location
	}
	response, err := c.http.Get(location)
	c.load(response, err)
	return c
}

// openLink opens the address of a link.
func (c *client) openLink(selector string) *client {
	c.t.Helper()
	link, err := c.location.Parse(c.page.Find(selector).AttrOr("href", ""))
	if err != nil || c.page.Find(selector).Length() != 1 {
		c.t.Fatalf("%s: no one link %s on %q: %v", c.location, selector, c.text("body"), err)
	}
	return c.open(link.String())
}

// load makes a response the current page.
func (c *client) load(response *http.Response, err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	c.location, c.status = response.Request.URL, response.StatusCode
	if c.page, err = goquery.NewDocumentFromReader(response.Body); err != nil {
		c.t.Fatal(err)
	}
}

// logIn signs in to one of the demo accounts.
func (c *client) logIn(email string) *client {
	c.t.Helper()
	return c.open("/login").submit(`form[action="/login"]`, "email="+email, "password="+demoPassword)
}

// submit submits the form that the selector matches, with the given NAME=value fields instead of
// the form's own values.
func (c *client) submit(selector string, fields ...string) *client {
	c.t.Helper()
	form := c.page.Find(selector)
	if form.Length() != 1 {
		c.t.Fatalf("%s: %d forms match %s on the page %q",
			c.location, form.Length(), selector, c.text("main"))
	}
	values := formValues(form)
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		if !values.Has(name) {
			c.t.Fatalf("%s: the form has no field %q", c.location, name)
		}
		values.Set(name, value)
	}
	c.post(form, values)
	return c
}

// formValues returns what a browser submits for an unchanged form.
func formValues(form *goquery.Selection) url.Values {
	values := url.Values{}
	form.Find("input, select, textarea").Each(func(_ int, field *goquery.Selection) {
		if name, ok := field.Attr("name"); ok {
			addField(values, name, field)
		}
	})
	return values
}

func addField(values url.Values, name string, field *goquery.Selection) {
	_, checked := field.Attr("checked")
	switch kind := field.AttrOr("type", ""); {
	case (kind == "checkbox" || kind == "radio") && !checked:
		return
	case field.Is("select"):
		selected := field.Find("option[selected]")
		if selected.Length() == 0 {
			selected = field.Find("option")
		}
		values.Set(name, selected.First().AttrOr("value", selected.First().Text()))
	case kind == "checkbox" || kind == "radio":
		values.Add(name, field.AttrOr("value", "on"))
	default:
		values.Set(name, field.AttrOr("value", field.Text()))
	}
}

// pressButton submits the hidden fields of the form that contains a button of this name or value,
// and the button.
func (c *client) pressButton(nameOrValue string) *client {
	c.t.Helper()
	selector := `button[name="` + nameOrValue + `"], button[value="` + nameOrValue + `"]`
	button := c.page.Find(selector).First()
	form := button.Closest("form")
	if form.Length() == 0 {
		c.t.Fatalf("%s: no form has a button %q", c.location, nameOrValue)
	}
	values := url.Values{button.AttrOr("name", nameOrValue): {button.AttrOr("value", "")}}
	form.Find(`input[type="hidden"]`).Each(func(_ int, field *goquery.Selection) {
		values.Set(field.AttrOr("name", ""), field.AttrOr("value", ""))
	})
	c.post(form, values)
	return c
}

func (c *client) post(form *goquery.Selection, values url.Values) {
	c.t.Helper()
	action, err := c.location.Parse(form.AttrOr("action", ""))
	if err != nil {
		c.t.Fatal(err)
	}
	response, err := c.http.PostForm(action.String(), values)
	c.load(response, err)
}

// text returns the visible text of what the selector matches, with single spaces.
func (c *client) text(selector string) string {
	return strings.Join(strings.Fields(c.page.Find(selector).Text()), " ")
}

// expectText fails the test unless the page contains all of the texts.
func (c *client) expectText(texts ...string) *client {
	c.t.Helper()
	if missing := c.missing(texts); len(missing) > 0 {
		c.t.Fatalf("%s (%d) does not contain %q: %s", c.location, c.status, missing, c.text("body"))
	}
	return c
}

func (c *client) missing(texts []string) []string {
	page := c.text("body")
	return slices.DeleteFunc(slices.Clone(texts), func(s string) bool { return strings.Contains(page, s) })
}

// openUntil opens a page repeatedly until it contains all of the texts.
func (c *client) openUntil(what, path string, texts ...string) *client {
	c.t.Helper()
	return c.open(path).reloadUntil(what, texts...)
}

// reloadUntil reloads the current page until it contains all of the texts. A return from Checkout
// gives Stripe three seconds to confirm, which a busy machine may exceed: the first page is then
// incomplete.
func (c *client) reloadUntil(what string, texts ...string) *client {
	c.t.Helper()
	deadline := time.Now().Add(waitTimeout)
	for {
		missing := c.missing(texts)
		if len(missing) == 0 {
			return c
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("timed out waiting for %s: %s (%d) does not contain %q: %s",
				what, c.location, c.status, missing, c.text("body"))
		}
		time.Sleep(50 * time.Millisecond) // polling interval
		c.open(c.location.String())
	}
}

// billingSummary is the response of /billing/getSummary.
type billingSummary struct {
	OrganizationID string
	Customer       *struct{ StripeCustomerID string }
	Subscription   *struct {
		StripeSubscriptionID, StripePriceID, Status string
		CurrentPeriodEnd                            int64 // Unix seconds
		CancelAtPeriodEnd                           bool
	}
	Seats struct {
		BillableMembers, DesiredSeats int
		LastAppliedSeats              *int
	}
	Sync struct {
		Status     string
		LastSyncAt *int64 // Unix seconds
		Error      *string
	}
}

func (c *client) summary() billingSummary {
	c.t.Helper()
	response, err := c.http.Get(c.base + "/billing/getSummary")
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	var s billingSummary
	if err := json.NewDecoder(response.Body).Decode(&s); err != nil {
		c.t.Fatal(err)
	}
	return s
}

// waitForSummary polls the summary until it meets the condition.
func (c *client) waitForSummary(what string, condition func(billingSummary) bool) billingSummary {
	c.t.Helper()
	deadline := time.Now().Add(waitTimeout)
	for {
		s := c.summary()
		if condition(s) {
			return s
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("timed out waiting for %s: %+v", what, s)
		}
		time.Sleep(50 * time.Millisecond) // polling interval
	}
}
