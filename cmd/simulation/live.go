package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"usher/billing/account"
)

// liveApplication implements [application] with an environment's replicas and database.
type liveApplication struct {
	ctx context.Context // of the batch
	env *environment
}

func (a liveApplication) perform(replica int, o operation) (string, error) {
	return a.env.replicas[replica].perform(a.ctx, o)
}

func (a liveApplication) performTogether(operations []operation) []string {
	results := make([]string, len(operations))
	var group sync.WaitGroup
	for n, o := range operations {
		group.Go(func() { results[n], _ = a.perform(n%replicaCount, o) })
	}
	group.Wait()
	return results
}

func (a liveApplication) members(organizationID string) []account.Member {
	members, _ := a.env.store.Members().List(a.ctx, organizationID)
	return members
}

func (a liveApplication) roles(organizationID string) []account.Role {
	roles, _ := a.env.store.Roles().List(a.ctx, organizationID)
	return roles
}

func (a liveApplication) pendingInvitations(organizationID string) []account.Invitation {
	invitations, _ := a.env.store.Invitations().Pending(a.ctx, organizationID)
	return invitations
}

func (a liveApplication) invitationToken(address string) string {
	return a.env.mails.invitationToken(address)
}

// amountsFresh is longer than the program takes the amounts of a preview for true.
const amountsFresh = 6 * time.Second

func (a liveApplication) think() {
	select {
	case <-time.After(amountsFresh):
	case <-a.ctx.Done():
	}
}

func (a liveApplication) customerID(organizationID string) string {
	links, err := a.env.store.Customers().Links(a.ctx, a.env.account, organizationID)
	if err != nil || len(links) == 0 {
		return ""
	}
	return links[len(links)-1].StripeCustomerID
}

// liveStripe implements [stripeAPI] with an environment's local Stripe. Its calls meet the injected
// errors too, and are retried: they are not what is tested.
type liveStripe struct {
	ctx context.Context // of the batch
	env *environment
}

// maxTries limits the tries of one call.
const maxTries = 20

func (s liveStripe) call(key, method, path string, form url.Values, result any) {
	for try := range maxTries {
		// A key is used twice: once for a retry that Stripe replays, then the error stored under it
		// is left behind.
		body, err := s.try(fmt.Sprintf("%s:%d", key, try/2*2), method, path, form)
		if err != nil {
			continue
		}
		if result != nil {
			_ = json.Unmarshal(body, result) // a refusal leaves it empty
		}
		return
	}
}

// try calls the API once. It returns an error if the call should be retried.
func (s liveStripe) try(key, method, path string, form url.Values) ([]byte, error) {
	request, err := http.NewRequestWithContext(s.ctx, method, s.env.stripeOrigin+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.SetBasicAuth(stripeKey, "")
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if method == http.MethodPost {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := s.env.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	status := response.StatusCode
	if status >= 500 || status == http.StatusTooManyRequests || status == http.StatusConflict {
		return nil, fmt.Errorf("%s %s: %s", method, path, response.Status)
	}
	return body, nil
}

func (s liveStripe) submit(address string, form url.Values) {
	client := &http.Client{
		Timeout:       20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if response, err := client.PostForm(address, form); err == nil {
		response.Body.Close()
	}
}

func (s liveStripe) now() int64 { return s.env.stripe.Now().Unix() }

func (s liveStripe) priceID(lookupKey string) string {
	prices, err := s.env.gateway.Prices(s.ctx, []string{lookupKey}, nil)
	if err != nil || len(prices) == 0 {
		return ""
	}
	return prices[0].ID
}
