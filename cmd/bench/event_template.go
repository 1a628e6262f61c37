package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"usher/billing"
)

// template is an event as Stripe writes it, with what differs from one to the next cut out.
type template struct {
	pieces []string // around the values: customer, subscription, event, organization, created
	fields []int    // which value stands between them
	count  atomic.Int64
	began  int64
}

const eventSize = 4096 // bytes, as the reference transaction has it

// The values of an event, by their place.
const (
	valueCustomer = iota
	valueSubscription
	valueEvent
	valueOrganization
	valueCreated
	values
)

// newTemplate has Stripe make an event, and brings it to its size.
func (s *stage) newTemplate(ctx context.Context) (*template, string, error) {
	var customer, subscription struct{ ID string }
	var prices struct{ Data []struct{ ID string } }
	var events struct{ Data []json.RawMessage }
	steps := []func() error{
		func() error {
			return s.call(ctx, http.MethodPost, "/v1/customers", url.Values{"email": {"a@example.com"}, "source": {"tok_visa"}}, &customer)
		},
		func() error {
			return s.call(ctx, http.MethodGet, "/v1/prices?lookup_keys[]=usher_pro_month", nil, &prices)
		},
		func() error {
			return s.call(ctx, http.MethodPost, "/v1/subscriptions", url.Values{"customer": {customer.ID}, "items[0][price]": {prices.Data[0].ID},
				"items[0][quantity]": {"1"}, "metadata[orgId]": {"org_TEMPLATE"}, "payment_behavior": {"allow_incomplete"}}, &subscription)
		},
		func() error {
			return s.call(ctx, http.MethodPost, "/v1/subscriptions/"+subscription.ID, url.Values{"metadata[filler]": {"x"}}, &subscription)
		},
		func() error {
			return s.call(ctx, http.MethodGet, "/v1/events?type=customer.subscription.updated", nil, &events)
		},
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, "", err
		}
	}
	if len(events.Data) == 0 {
		return nil, "", errors.New("no event was made at Stripe")
	}
	return cut(string(events.Data[0]), customer.ID, subscription.ID), prices.Data[0].ID, nil
}

// cut finds the values in an event's text.
func cut(text, customerID, subscriptionID string) *template {
	var e struct {
		ID      string
		Created int64
	}
	_ = json.Unmarshal([]byte(text), &e) // it is Stripe's own
	var compact bytes.Buffer
	_ = json.Compact(&compact, []byte(text))
	text = strings.Replace(compact.String(), `"filler":"x"`, `"filler":"`+strings.Repeat("x", max(0, eventSize-compact.Len()))+`"`, 1)
	text = strings.Replace(text, `"status":"incomplete"`, `"status":"active"`, 1)
	needles := [values]string{customerID, subscriptionID, e.ID, "org_TEMPLATE", `"created":` + strconv.FormatInt(e.Created, 10)}
	t := &template{began: e.Created}
	for text != "" {
		at, which := len(text), -1
		for i, needle := range needles {
			if found := strings.Index(text, needle); found >= 0 && found < at {
				at, which = found, i
			}
		}
		t.pieces = append(t.pieces, text[:at])
		if which < 0 {
			break
		}
		t.fields = append(t.fields, which)
		text = text[at+len(needles[which]):]
	}
	return t
}

// next writes the next event about the nth organization. Each one is a minute later than the last, so that it is applied.
func (t *template) next(n int) []byte {
	count := t.count.Add(1)
	filled := [values]string{
		customerOf(n), subscriptionOf(n), fmt.Sprintf("evt_%d", count), organizationOf(n),
		`"created":` + strconv.FormatInt(t.began+60*count, 10),
	}
	var b bytes.Buffer
	for i, piece := range t.pieces {
		b.WriteString(piece)
		if i < len(t.fields) {
			b.WriteString(filled[t.fields[i]])
		}
	}
	return b.Bytes()
}

func organizationOf(n int) string { return fmt.Sprintf("org_%d", n) }
func customerOf(n int) string     { return fmt.Sprintf("cus_%d", n) }
func subscriptionOf(n int) string { return fmt.Sprintf("sub_%d", n) }

// signed makes the header of a delivery made now (https://docs.stripe.com/webhooks#verify-manually).
func signed(payload []byte) string {
	now := time.Now().Unix()
	mac := hmac.New(sha256.New, []byte(webhookSecret))
	fmt.Fprintf(mac, "%d.%s", now, payload)
	return fmt.Sprintf("t=%d,v1=%x", now, mac.Sum(nil))
}

// fill makes the organizations, each with an admin, a customer and a running plan, as they are in the long run: all in agreement with Stripe.
func (s *stage) fill(ctx context.Context, price string) error {
	for _, statement := range []string{
		`insert into organizations (id, name, created_at) select 'org_' || n, 'Organization ' || n, now() from generate_series(1, $1::integer) n`,
		`insert into users (id, email, name, password_hash, created_at) select 'usr_' || n, n || '@example.com', 'Person', '', now() from generate_series(1, $1::integer) n`,
		`insert into organization_members (id, organization_id, user_id, role_id, billable, status, joined_at)
			select 'mem_' || n, 'org_' || n, 'usr_' || n, 'admin', true, 'active', now() from generate_series(1, $1::integer) n`,
	} {
		if _, err := s.store.DB().ExecContext(ctx, statement, s.organizations); err != nil {
			return err
		}
	}
	begun := time.Now().AddDate(0, 0, -1)
	for n := 1; n <= s.organizations; n++ {
		err := s.store.InTx(ctx, func(q billing.Queries) error {
			return s.subscribe(ctx, q, subscriber{organizationOf(n), customerOf(n), subscriptionOf(n)}, price, begun)
		})
		if err != nil {
			return err
		}
	}
	_, err := s.store.DB().ExecContext(ctx, `vacuum analyze`)
	return err
}

// subscriber is who has a plan.
type subscriber struct{ organizationID, customerID, subscriptionID string }

func (s *stage) subscribe(ctx context.Context, q billing.Queries, who subscriber, price string, begun time.Time) error {
	one := 1
	link := q.PutCustomerLink(ctx, billing.CustomerLink{
		OrganizationID: who.organizationID, Generation: 1, StripeCustomerID: who.customerID, Account: s.account.ID, Livemode: s.account.Livemode,
		Email: "a@example.com", Name: "Organization", CreatedAt: begun, UpdatedAt: begun,
	})
	_, put := q.PutSubscription(ctx, billing.Subscription{
		ID: who.subscriptionID, OrganizationID: who.organizationID, CustomerID: who.customerID, Account: s.account.ID, Livemode: s.account.Livemode,
		Status: billing.StatusActive, PriceID: price, ItemID: "si_1", Quantity: 1, CurrentPeriodStart: begun, CurrentPeriodEnd: begun.AddDate(0, 1, 0),
		CreatedAt: begun, MetadataOrgID: who.organizationID, Moment: begun,
	})
	return errors.Join(link, put, q.SetCurrent(ctx, who.organizationID, who.subscriptionID, s.account), q.PutSeatState(ctx, billing.SeatState{
		OrganizationID: who.organizationID, DesiredSeats: 1, LastAppliedSeats: &one, LastSyncAt: &begun, SyncVersion: 1, AppliedVersion: 1,
	}))
}
