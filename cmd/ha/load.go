package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	organizations  = 4
	readers        = 6 // of pages at the same time
	pause          = 20 * time.Millisecond
	stripePause    = 100 * time.Millisecond // between two changes at Stripe
	consumePause   = 250 * time.Millisecond
	grantedCredits = 1000 // of the plan pro
)

// The kinds of requests.
const (
	kindPage = iota
	kindCredits
	kindWebhook
	kinds
)

// load is what people, a product and Stripe do meanwhile.
type load struct {
	*installation
	admins []*admin
	cancel context.CancelFunc
	done   sync.WaitGroup

	mutex    sync.Mutex
	phases   []*phaseCounts
	consumed int // credits whose consumption was acknowledged
}

// admin is a signed-in person with an organization of their own.
type admin struct {
	browser        *http.Client
	organizationID string
	subscriptionID string
}

// phaseCounts counts the requests of a phase.
type phaseCounts struct {
	name  string
	kinds [kinds]counts
}

// counts are about one kind of requests.
type counts struct {
	requests, failures int
	lastSuccess        time.Time
	longestGap         time.Duration // without a successful answer
}

// startLoad signs up organizations with a plan and starts the load.
func startLoad(ctx context.Context, i *installation) (*load, error) {
	ctx, cancel := context.WithCancel(ctx)
	l := &load{installation: i, cancel: cancel}
	for n := range organizations {
		a, err := i.signUp(ctx, n)
		if err != nil {
			cancel()
			return nil, fmt.Errorf("sign up: %w", err)
		}
		l.admins = append(l.admins, a)
	}
	l.begin("")
	i.webhooks.countWith(func(ok bool) { l.count(kindWebhook, ok) })
	for n := range readers {
		l.done.Go(func() { l.readPages(ctx, l.admins[n%len(l.admins)]) })
	}
	l.done.Go(func() { l.consumeCredits(ctx, l.admins[0]) })
	l.done.Go(func() { l.changeSubscriptions(ctx) })
	return l, nil
}

// stop ends the load and waits for it.
func (l *load) stop() {
	l.cancel()
	l.done.Wait()
}

// begin begins a phase and ends the one before. A time without answers goes on in the next phase.
func (l *load) begin(name string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	p, now := &phaseCounts{name: name}, time.Now()
	for kind := range p.kinds {
		p.kinds[kind].lastSuccess = now
		if len(l.phases) > 0 {
			before := &l.phases[len(l.phases)-1].kinds[kind]
			before.longestGap = max(before.longestGap, now.Sub(before.lastSuccess))
			p.kinds[kind].lastSuccess = before.lastSuccess
		}
	}
	l.phases = append(l.phases, p)
}

// count counts an answer in the phase in which it came.
func (l *load) count(kind int, ok bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	c, now := &l.phases[len(l.phases)-1].kinds[kind], time.Now()
	c.requests++
	if !ok {
		c.failures++
		return
	}
	c.longestGap, c.lastSuccess = max(c.longestGap, now.Sub(c.lastSuccess)), now
}

func (l *load) readPages(ctx context.Context, a *admin) {
	paths := []string{"/dashboard", "/organization?tab=billing", "/billing/getSummary", "/organization?tab=members", "/api/v1/entitlements"}
	for n := 0; wait(ctx, pause); n++ {
		text, err := a.get(ctx, l.site+paths[n%len(paths)])
		if ctx.Err() == nil {
			// Another organization's page would be a failure too.
			l.count(kindPage, err == nil && (!strings.Contains(text, "org_") || strings.Contains(text, a.organizationID)))
		}
	}
}

// consumeCredits takes one credit after the other. Like a product, it repeats a request that failed
// under its idempotency key until it is answered.
func (l *load) consumeCredits(ctx context.Context, a *admin) {
	for n := 0; n < grantedCredits-100 && wait(ctx, consumePause); {
		body := fmt.Sprintf(`{"amount":1,"reason":"export","idempotencyKey":"export-%d"}`, n)
		err := a.post(context.WithoutCancel(ctx), l.site+"/api/v1/credits/consume", body)
		l.count(kindCredits, err == nil)
		if err == nil {
			n++
			l.mutex.Lock()
			l.consumed = n
			l.mutex.Unlock()
		}
	}
}

// changeSubscriptions changes subscriptions at Stripe, which sends a webhook for each change.
func (l *load) changeSubscriptions(ctx context.Context) {
	for n := 0; wait(ctx, stripePause); n++ {
		path := "/v1/subscriptions/" + l.admins[n%len(l.admins)].subscriptionID
		if err := l.callStripe(ctx, path, url.Values{"metadata[change]": {fmt.Sprint(n)}}, nil); err != nil && ctx.Err() == nil {
			l.say("change a subscription: %v", err)
		}
	}
}

// wait waits, and returns false when the context ends.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// signUp creates an organization. Its subscription is made at Stripe, and arrives by webhook.
func (i *installation) signUp(ctx context.Context, n int) (*admin, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	a := &admin{browser: &http.Client{Jar: jar, Timeout: 30 * time.Second}}
	response, err := a.browser.PostForm(i.site+"/signup", url.Values{
		"name": {"Visitor"}, "email": {fmt.Sprintf("visitor%d@example.com", n)}, "password": {"correct horse battery"}, "organization": {"Visited"},
	})
	if err != nil {
		return nil, err
	}
	response.Body.Close()
	var summary struct{ OrganizationID string }
	if err := a.getJSON(ctx, i.site+"/billing/getSummary", &summary); err != nil {
		return nil, err
	}
	a.organizationID = summary.OrganizationID
	var customer, subscription struct{ ID string }
	var prices struct{ Data []struct{ ID string } }
	err = errors.Join(
		i.callStripe(ctx, "/v1/customers", url.Values{"metadata[orgId]": {a.organizationID}, "payment_method": {"pm_card_visa"},
			"invoice_settings[default_payment_method]": {"pm_card_visa"}}, &customer),
		i.callStripe(ctx, "/v1/prices?lookup_keys[]=usher_pro_month", nil, &prices),
	)
	if err != nil || len(prices.Data) == 0 {
		return nil, errors.Join(errors.New("no price at Stripe"), err)
	}
	err = i.callStripe(ctx, "/v1/subscriptions", url.Values{
		"customer": {customer.ID}, "metadata[orgId]": {a.organizationID}, "items[0][price]": {prices.Data[0].ID},
	}, &subscription)
	a.subscriptionID = subscription.ID
	if err != nil {
		return nil, err
	}
	return a, i.await(ctx, "credits", i.replicas[0].process, func() bool {
		balance, err := a.balance(ctx, i.site)
		return err == nil && balance == grantedCredits
	})
}

func (a *admin) balance(ctx context.Context, site string) (int, error) {
	var answer struct{ Credits struct{ Balance int } }
	err := a.getJSON(ctx, site+"/api/v1/entitlements", &answer)
	return answer.Credits.Balance, err
}

// get returns the body of an answer with status 200.
func (a *admin) get(ctx context.Context, address string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	return do(a.browser, request)
}

func (a *admin) getJSON(ctx context.Context, address string, into any) error {
	text, err := a.get(ctx, address)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), into)
}

func (a *admin) post(ctx context.Context, address, body string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	_, err = do(a.browser, request)
	return err
}

func do(client *http.Client, request *http.Request) (string, error) {
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return "", err
	case response.StatusCode != http.StatusOK:
		return "", fmt.Errorf("%s: %s: %.200s", request.URL.Path, response.Status, body)
	case response.Request.URL.Path != request.URL.Path:
		return "", fmt.Errorf("%s led to %s", request.URL.Path, response.Request.URL.Path)
	}
	return string(body), nil
}

// callStripe calls the local Stripe: by POST with a form, by GET without one.
func (i *installation) callStripe(ctx context.Context, path string, form url.Values, into any) error {
	method := http.MethodPost
	if form == nil {
		method = http.MethodGet
	}
	request, err := http.NewRequestWithContext(ctx, method, i.stripeOrigin+path, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(stripeKey, "")
	text, err := do(http.DefaultClient, request)
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal([]byte(text), into)
}

// eventsAtStripe returns the ids of all events.
func (i *installation) eventsAtStripe(ctx context.Context) (ids []string, err error) {
	var page struct {
		HasMore bool `json:"has_more"`
		Data    []struct{ ID string }
	}
	for path := "/v1/events?limit=100"; ; path = "/v1/events?limit=100&starting_after=" + ids[len(ids)-1] {
		if err := i.callStripe(ctx, path, nil, &page); err != nil {
			return nil, err
		}
		for _, e := range page.Data {
			ids = append(ids, e.ID)
		}
		if !page.HasMore || len(page.Data) == 0 {
			return ids, nil
		}
	}
}
