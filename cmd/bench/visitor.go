package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"time"

	"usher/billing"
)

// visitor is a signed-in person.
type visitor struct {
	UserID, OrganizationID string
	Cookie                 string // the request's Cookie header
	Token                  string // of the session
}

const (
	visitorEmail    = "visitor@example.com"
	visitorInvoices = 6
)

// signUp creates an account with an active subscription and some invoices.
func (e *environment) signUp(ctx context.Context, priceID string) (v visitor, err error) {
	cookie, err := e.postSignUp()
	if err != nil {
		return v, fmt.Errorf("sign up: %w", err)
	}
	v.Cookie, v.Token = cookie.Name+"="+cookie.Value, cookie.Value
	row := e.store.DB().QueryRowContext(ctx, `
		select m.user_id, m.organization_id from organization_members m join users u on u.id = m.user_id
		where u.email = $1`, visitorEmail)
	if err := row.Scan(&v.UserID, &v.OrganizationID); err != nil {
		return v, fmt.Errorf("find the visitor: %w", err)
	}
	return v, e.store.InTx(ctx, func(tx billing.Tx) error { return e.insertInvoices(ctx, tx, v, priceID) })
}

// postSignUp submits the sign-up form and returns the session's cookie.
func (e *environment) postSignUp() (*http.Cookie, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := browser.PostForm(e.site+"/signup", url.Values{
		"name": {"Visitor"}, "email": {visitorEmail}, "password": {"correct horse battery"}, "organization": {"Visited"},
	})
	if err != nil {
		return nil, err
	}
	response.Body.Close()
	site, err := url.Parse(e.site)
	if err != nil {
		return nil, err
	}
	cookies := jar.Cookies(site)
	session := slices.IndexFunc(cookies, func(c *http.Cookie) bool { return c.Name == "usher_session" })
	if response.StatusCode != http.StatusSeeOther || session < 0 {
		return nil, fmt.Errorf("%s with %d cookies", response.Status, len(cookies))
	}
	return cookies[session], nil
}

func (e *environment) insertInvoices(ctx context.Context, tx billing.Tx, v visitor, priceID string) error {
	start := time.Now().AddDate(0, 0, -1)
	err := e.insertSubscription(ctx, tx, subscriber{v.OrganizationID, "cus_visitor", "sub_visitor", 1}, priceID, start)
	for n := range visitorInvoices {
		at := start.AddDate(0, -n, 0)
		err = errors.Join(err, tx.Invoices().Put(ctx, billing.Invoice{
			ID: fmt.Sprintf("in_visitor_%d", n), OrganizationID: v.OrganizationID, CustomerID: "cus_visitor", SubscriptionID: "sub_visitor",
			Account: e.account.ID, Livemode: e.account.Livemode, Number: fmt.Sprintf("USH-%04d", n), Status: "paid",
			Reason: "subscription_cycle", Currency: "usd", Total: 2900, AmountPaid: 2900,
			CreatedAt: at, FinalizedAt: &at, PaidAt: &at, AsOf: at,
		}))
	}
	return err
}

// fetchPage requests the page and checks that it lists the invoices.
func (e *environment) fetchPage(ctx context.Context, v visitor) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.site+pagePath, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Cookie", v.Cookie)
	response, err := http.DefaultTransport.RoundTrip(request) // does not follow redirects
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err == nil && (response.StatusCode != http.StatusOK || !bytes.Contains(page, []byte("USH-0000"))) {
		err = fmt.Errorf("GET %s: %s, or a page without the invoices", pagePath, response.Status)
	}
	return page, err
}
