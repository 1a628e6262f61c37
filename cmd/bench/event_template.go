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
)

// eventTemplate is the text of an event of the local Stripe, divided at the values that differ
// between events.
type eventTemplate struct {
	pieces []string // the text around the values
	values []int    // the kind of value between two pieces
	count  atomic.Int64
	start  int64 // Unix time at which the first event was created
}

// eventSize is the size of an event in bytes.
const eventSize = 4096

// The kinds of values.
const (
	valueCustomer = iota
	valueSubscription
	valueEvent
	valueOrganization
	valueCreated
	valueKinds
)

// templateOrganization stands for the organization's id until the event is divided.
const templateOrganization = "org_TEMPLATE"

// newEventTemplate creates a subscription at Stripe and divides the event of its update. It returns
// the id of the subscription's price too.
func (e *environment) newEventTemplate(ctx context.Context) (_ *eventTemplate, priceID string, err error) {
	var customer, subscription struct{ ID string }
	var prices struct{ Data []struct{ ID string } }
	var events struct{ Data []json.RawMessage }
	err = errors.Join(
		e.callStripe(ctx, http.MethodPost, "/v1/customers", url.Values{"email": {"a@example.com"}, "source": {"tok_visa"}}, &customer),
		e.callStripe(ctx, http.MethodGet, "/v1/prices?lookup_keys[]=usher_pro_month", nil, &prices),
	)
	if err != nil || len(prices.Data) == 0 {
		return nil, "", errors.Join(errors.New("create a customer and find a price at Stripe"), err)
	}
	priceID = prices.Data[0].ID
	err = e.callStripe(ctx, http.MethodPost, "/v1/subscriptions", url.Values{
		"customer": {customer.ID}, "items[0][price]": {priceID}, "items[0][quantity]": {"1"},
		"metadata[orgId]": {templateOrganization}, "payment_behavior": {"allow_incomplete"},
	}, &subscription)
	if err != nil {
		return nil, "", err
	}
	err = errors.Join(
		e.callStripe(ctx, http.MethodPost, "/v1/subscriptions/"+subscription.ID, url.Values{"metadata[filler]": {"x"}}, &subscription),
		e.callStripe(ctx, http.MethodGet, "/v1/events?type=customer.subscription.updated", nil, &events),
	)
	if err != nil || len(events.Data) == 0 {
		return nil, "", errors.Join(errors.New("update a subscription and find its event at Stripe"), err)
	}
	return divide(string(events.Data[0]), customer.ID, subscription.ID), priceID, nil
}

// divide fills an event up to its size and divides it at its values.
func divide(text, customerID, subscriptionID string) *eventTemplate {
	var e struct {
		ID      string
		Created int64
	}
	_ = json.Unmarshal([]byte(text), &e) // valid JSON of the local Stripe
	text = age(fill(text), e.Created)
	values := [valueKinds]string{customerID, subscriptionID, e.ID, templateOrganization, `"created":` + strconv.FormatInt(e.Created, 10)}
	t := &eventTemplate{start: e.Created}
	for {
		at, kind := firstOf(values, text)
		t.pieces = append(t.pieces, text[:at])
		if kind < 0 {
			return t
		}
		t.values = append(t.values, kind)
		text = text[at+len(values[kind]):]
	}
}

// fill compacts an event, makes its subscription active and fills it up to its size.
func fill(text string) string {
	var compact bytes.Buffer
	_ = json.Compact(&compact, []byte(text))
	filler := strings.Repeat("x", max(0, eventSize-compact.Len()))
	text = strings.Replace(compact.String(), `"filler":"x"`, `"filler":"`+filler+`"`, 1)
	return strings.Replace(text, `"status":"incomplete"`, `"status":"active"`, 1)
}

// age makes the object of an event older than the stored subscriptions: their seats are in sync
// since they were created.
func age(text string, created int64) string {
	event, object, _ := strings.Cut(text, `"data":`)
	older := time.Unix(created, 0).AddDate(0, 0, -2).Unix()
	return event + `"data":` + strings.ReplaceAll(object, fmt.Sprintf(`"created":%d`, created), fmt.Sprintf(`"created":%d`, older))
}

// firstOf finds the first value in a text. The kind is -1 if there is none.
func firstOf(values [valueKinds]string, text string) (at, kind int) {
	at, kind = len(text), -1
	for k, value := range values {
		if found := strings.Index(text, value); found >= 0 && found < at {
			at, kind = found, k
		}
	}
	return at, kind
}

// next returns the next event, about the nth organization. It is a minute newer than the last one,
// so that it is applied.
func (t *eventTemplate) next(n int) []byte {
	count := t.count.Add(1)
	values := [valueKinds]string{
		customerID(n), subscriptionID(n), fmt.Sprintf("evt_%d", count), organizationID(n),
		`"created":` + strconv.FormatInt(t.start+60*count, 10),
	}
	var b bytes.Buffer
	for i, piece := range t.pieces {
		b.WriteString(piece)
		if i < len(t.values) {
			b.WriteString(values[t.values[i]])
		}
	}
	return b.Bytes()
}

// sign returns the Stripe-Signature header of a delivery made now
// (https://docs.stripe.com/webhooks#verify-manually).
func sign(payload []byte) string {
	now := time.Now().Unix()
	mac := hmac.New(sha256.New, []byte(webhookSecret))
	fmt.Fprintf(mac, "%d.%s", now, payload)
	return fmt.Sprintf("t=%d,v1=%x", now, mac.Sum(nil))
}
