package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"usher/billing"
)

// history is what happens to one organization.
type history struct {
	world  *world
	seed   uint64 // alone it replays the history
	random *rand.Rand
	id     string
	userID string
	did    []string
	calls  int // of Stripe, for idempotency keys
}

const peopleOfEach = 5

// prepare makes the organizations, with people who are not billed yet. Passwords are not what is under test.
func (w *world) prepare() error {
	for n := range w.part.histories {
		seed := w.seed*1_000_000 + uint64(n)
		if w.storm.only != 0 {
			seed = w.storm.only
		}
		h := &history{world: w, seed: seed, random: rand.New(rand.NewPCG(seed, 3)), id: fmt.Sprintf("org_%d", seed)}
		if err := h.found(); err != nil {
			return err
		}
		w.histories = append(w.histories, h)
	}
	return nil
}

func (h *history) found() error {
	w, now := h.world, time.Now()
	return w.store.InTx(w.ctx, func(q billing.Queries) error {
		if err := q.InsertOrganization(w.ctx, billing.Organization{ID: h.id, Name: "Storm", CreatedAt: now}); err != nil {
			return err
		}
		for n := range peopleOfEach {
			user := billing.User{ID: fmt.Sprintf("usr_%d_%d", h.seed, n), Email: fmt.Sprintf("p%d.%d@example.com", n, h.seed), Name: "Person", PasswordHash: passwordHash, CreatedAt: now}
			if err := q.InsertUser(w.ctx, user); err != nil {
				return err
			}
			member := billing.Member{ID: "mem_" + user.ID, OrganizationID: h.id, UserID: user.ID, Role: billing.Role{ID: billing.RoleMember},
				Status: billing.MemberActive, JoinedAt: now}
			if n == 0 {
				h.userID, member.Role.ID, member.Billable = user.ID, billing.RoleAdmin, true
			}
			if err := q.InsertMember(w.ctx, member); err != nil {
				return err
			}
		}
		for n := range guestsOfEach {
			if err := h.foundGuest(q, n); err != nil {
				return err
			}
		}
		return nil
	})
}

// play does a few things. In the first round somebody subscribes, in most histories.
func (h *history) play(round int) {
	if round == 0 || h.random.IntN(4) == 0 {
		h.do("subscribe")
	}
	acts := []string{"people", "people", "people", "people", "second", "reopen", "two admins", "tamper", "delete", "cancel plan", "resume plan", "pack", "refresh", "retry", "undo", "resync", "quantity", "restless", "plan", "cancel", "resume", "waver", "end", "card", "refund", "customer"}
	for range 1 + h.random.IntN(3) {
		h.do(acts[h.random.IntN(len(acts))])
	}
}

func (h *history) do(what string) {
	h.did = append(h.did, what)
	switch what {
	case "subscribe":
		h.subscribe()
	case "pack":
		h.buyPack()
	case "people":
		h.people()
	case "second":
		h.subscribeBeside()
	case "reopen":
		h.reopen()
	case "two admins":
		h.subscribeAtOnce()
	case "tamper":
		h.tamper()
	case "turn":
		h.turn()
	case "flip":
		h.flip()
	case "refresh", "retry", "undo", "resync", "delete", "cancel plan", "resume plan":
		h.here(act{What: what})
	default:
		h.atStripe(what)
	}
}

// here does something through a replica. What is refused is refused; a replica that dies is asked no second time, as by a person who leaves.
func (h *history) here(a act) string { return h.through(h.random.IntN(2), a) }

func (h *history) through(replica int, a act) string {
	a.UserID, a.OrganizationID = cmp.Or(a.UserID, h.userID), h.id
	var told string
	_ = h.world.ask(h.world.replicas[replica].url+"/act", a, &told)
	return told
}

// atStripe does something in the dashboard or the portal.
func (h *history) atStripe(what string) {
	customer, subscription, item := h.whoAtStripe()
	if customer == "" || subscription == "" && what != "customer" {
		return
	}
	path := "/v1/subscriptions/" + subscription
	switch what {
	case "quantity":
		h.call(http.MethodPost, path, url.Values{"items[0][id]": {item}, "items[0][quantity]": {fmt.Sprint(1 + h.random.IntN(40))}}, nil)
	case "restless": // more lines on the next invoice than fit on a page of them
		for n := range 12 * h.random.IntN(2) {
			h.call(http.MethodPost, path, url.Values{"items[0][id]": {item}, "items[0][quantity]": {fmt.Sprint(2 + n%3)}}, nil)
		}
	case "plan":
		price := h.world.priceOf([]string{"starter", "pro"}[h.random.IntN(2)])
		h.call(http.MethodPost, path, url.Values{"items[0][id]": {item}, "items[0][price]": {price}, "items[0][quantity]": {"2"}, "proration_behavior": {"always_invoice"}}, nil)
	case "cancel":
		h.call(http.MethodPost, path, url.Values{"cancel_at_period_end": {"true"}}, nil)
	case "resume":
		h.call(http.MethodPost, path, url.Values{"cancel_at_period_end": {"false"}}, nil)
	case "waver": // several changes within a second, and no invoice that would have Stripe asked
		for n := range 3 + h.random.IntN(2) {
			h.call(http.MethodPost, path, url.Values{"cancel_at_period_end": {fmt.Sprint(n%2 == 0)}}, nil)
		}
	case "end":
		if h.random.IntN(3) == 0 {
			h.call(http.MethodDelete, path, nil, nil)
		}
	case "card":
		h.newCard(customer, path)
	case "refund":
		h.refund(customer)
	case "customer":
		if h.random.IntN(8) == 0 {
			h.call(http.MethodDelete, "/v1/customers/"+customer, nil, nil)
		}
	}
}

// newCard has the subscription paid by another card from now on, one that pays or one that fails at every charge.
func (h *history) newCard(customer, path string) {
	var method struct{ ID string }
	token := []string{"tok_visa", "tok_chargeCustomerFail"}[h.random.IntN(2)]
	h.call(http.MethodPost, "/v1/payment_methods", url.Values{"type": {"card"}, "card[token]": {token}}, &method)
	h.call(http.MethodPost, "/v1/payment_methods/"+method.ID+"/attach", url.Values{"customer": {customer}}, nil)
	h.call(http.MethodPost, path, url.Values{"default_payment_method": {method.ID}}, nil)
}

func (h *history) refund(customer string) {
	var charges struct {
		Data []struct {
			ID     string
			Amount int64
		}
	}
	h.call(http.MethodGet, "/v1/charges?limit=1&customer="+customer, nil, &charges)
	if len(charges.Data) == 1 && charges.Data[0].Amount > 1 {
		amount := fmt.Sprint(charges.Data[0].Amount / int64(1+h.random.IntN(3)))
		h.call(http.MethodPost, "/v1/refunds", url.Values{"charge": {charges.Data[0].ID}, "amount": {amount}}, nil)
	}
}

// whoAtStripe finds the organization's customer and what lives of its subscriptions.
func (h *history) whoAtStripe() (customer, subscription, item string) {
	links, err := h.world.store.CustomerLinks(h.world.ctx, h.world.account, h.id)
	if err != nil || len(links) == 0 {
		return "", "", ""
	}
	customer = links[len(links)-1].StripeCustomerID
	var list struct {
		Data []struct {
			ID    string
			Items struct{ Data []struct{ ID string } }
		}
	}
	h.call(http.MethodGet, "/v1/subscriptions?customer="+customer, nil, &list)
	if len(list.Data) > 0 && len(list.Data[0].Items.Data) > 0 {
		return customer, list.Data[0].ID, list.Data[0].Items.Data[0].ID
	}
	return customer, "", ""
}

func (w *world) priceOf(plan string) string {
	prices, err := w.gateway.Prices(w.ctx, []string{"usher_" + plan + "_month"}, nil)
	if err != nil || len(prices) == 0 {
		return ""
	}
	return prices[0].ID
}

// call speaks to Stripe as somebody else would, until it is done: it is not their calls that are under test.
func (h *history) call(method, path string, form url.Values, into any) {
	h.calls++
	key := fmt.Sprintf("storm:%d:%d", h.seed, h.calls)
	for try := range 20 {
		request, err := http.NewRequestWithContext(h.world.ctx, method, h.world.origin+path, strings.NewReader(form.Encode()))
		if err != nil {
			return
		}
		request.SetBasicAuth(stripeKey, "")
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if method == http.MethodPost {
			request.Header.Set("Idempotency-Key", fmt.Sprintf("%s:%d", key, try/2*2))
		}
		answer, err := h.world.client.Do(request)
		if err != nil {
			continue
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode >= 500 || answer.StatusCode == 429 || answer.StatusCode == 409 {
			continue
		}
		if into != nil {
			_ = json.Unmarshal(body, into) // a refusal leaves it empty
		}
		return
	}
}

func (h *history) postForm(address string, form url.Values) {
	client := &http.Client{Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if answer, err := client.PostForm(address, form); err == nil {
		answer.Body.Close()
	}
}
