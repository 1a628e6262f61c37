package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// stripeAPI is the local Stripe's API, called as somebody would in Stripe's Dashboard.
type stripeAPI struct {
	base, key string
	client    *http.Client // follows no redirect
}

func newStripeAPI(base, key string) stripeAPI {
	return stripeAPI{base: base, key: key, client: &http.Client{
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// call calls the API and reads the response into the target, unless that is nil.
func (s stripeAPI) call(ctx context.Context, method, path string, form url.Values, target any) error {
	address, body := s.base+path, form.Encode()
	if method == http.MethodGet && body != "" {
		address, body = address+"?"+body, ""
	}
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.SetBasicAuth(s.key, "")
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return s.send(request, http.StatusOK, target)
}

// submit submits the form of a hosted page, which redirects if it is accepted.
func (s stripeAPI) submit(ctx context.Context, page string, form url.Values) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, page, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return s.send(request, http.StatusSeeOther, nil)
}

func (s stripeAPI) send(request *http.Request, want int, target any) error {
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != want {
		return &refusal{request.Method + " " + request.URL.Path, response.StatusCode, string(body)}
	}
	if target == nil {
		return nil
	}
	return json.Unmarshal(body, target)
}

// refusal is a response of another status than the expected one.
type refusal struct {
	call   string
	status int
	body   string
}

func (r *refusal) Error() string {
	return fmt.Sprintf("%s: %d %.300s", r.call, r.status, r.body)
}

// object is what scenarios read of an object at Stripe.
type object struct {
	ID     string
	Status string
	// FrozenTime is the time of a test clock.
	FrozenTime    int64  `json:"frozen_time"`
	LatestInvoice string `json:"latest_invoice"`
	Items         struct{ Data []struct{ ID string } }
}

type list struct{ Data []object }

// customer creates the organization's customer at Stripe and links it. With a start in the past,
// the customer is on a test clock that begins then.
func (m *maker) customer(start time.Time) error {
	form := url.Values{
		"name": {m.admin.Organization.Name}, "email": {m.admin.User.Email}, "metadata[orgId]": {m.admin.Organization.ID},
	}
	if !start.IsZero() {
		var clock object
		created := url.Values{"frozen_time": {strconv.FormatInt(start.Unix(), 10)}, "name": {m.scenario.Name}}
		if err := m.post("/v1/test_helpers/test_clocks", created, &clock); err != nil {
			return err
		}
		m.clock = clock.ID
		form.Set("test_clock", clock.ID)
	}
	var customer object
	if err := m.post("/v1/customers", form, &customer); err != nil {
		return err
	}
	m.customerID = customer.ID
	_, err := m.service.Reconciler.LinkCustomer(m.ctx, customer.ID, m.admin.Organization.ID, false)
	return err
}

// advance advances the scenario's test clock and waits until it is there.
func (m *maker) advance(to time.Time) error {
	path := "/v1/test_helpers/test_clocks/" + m.clock
	if err := m.post(path+"/advance", url.Values{"frozen_time": {strconv.FormatInt(to.Unix(), 10)}}, nil); err != nil {
		return err
	}
	return m.until("the test clock", func() (bool, error) {
		var clock object
		err := m.stripe.call(m.ctx, http.MethodGet, path, nil, &clock)
		return clock.Status == "ready", err
	})
}

// card attaches a test card to the customer and returns its id.
func (m *maker) card(token string) (string, error) {
	var method object
	err := m.post("/v1/payment_methods/"+token+"/attach", url.Values{"customer": {m.customerID}}, &method)
	return method.ID, err
}

// useCard makes a test card the subscription's.
func (m *maker) useCard(token string) error {
	method, err := m.card(token)
	if err != nil {
		return err
	}
	return m.update(url.Values{"default_payment_method": {method}})
}

// update updates the subscription at Stripe.
func (m *maker) update(form url.Values) error {
	return m.post("/v1/subscriptions/"+m.subscriptionID, form, nil)
}

func (m *maker) post(path string, form url.Values, target any) error {
	return m.stripe.call(m.ctx, http.MethodPost, path, form, target)
}

// latestCharge returns the id of the customer's newest charge.
func (m *maker) latestCharge() (string, error) {
	var charges list
	err := m.stripe.call(m.ctx, http.MethodGet, "/v1/charges", url.Values{"customer": {m.customerID}, "limit": {"1"}}, &charges)
	if err == nil && len(charges.Data) == 0 {
		err = fmt.Errorf("the customer %s has no charge", m.customerID)
	}
	if err != nil {
		return "", err
	}
	return charges.Data[0].ID, nil
}
