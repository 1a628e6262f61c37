package main

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

// negativeCase is a request to the webhook endpoint that must change nothing. It is made from a
// real event.
type negativeCase struct {
	name     string
	change   func(payload string) string // nil: the payload is not changed
	sign     func(payload []byte) string // nil: signed as Stripe does
	deliver  deliverFunc                 // nil: delivered as Stripe does
	rejected bool                        // the response must not be 200
	mayCut   bool                        // rejecting it may cut the connection without a response
}

// deliverFunc is a method of [webhookClient].
type deliverFunc func(c *webhookClient, ctx context.Context, payload []byte, signature string) int

// negativeCases are objects of other applications and of the other mode, unknown types and shapes,
// invalid signatures, and bodies that are too long or never end. Events pick them by index.
var negativeCases = []negativeCase{
	{name: "unknown type", change: toUnknownType},
	{name: "livemode flipped", change: func(p string) string {
		return toUnknownType(strings.ReplaceAll(p, `"livemode":false`, `"livemode":true`))
	}},
	{name: "object of another application", change: foreignObject.Replace},
	{name: "object of another shape", change: otherShape.Replace},
	{name: "chunked body", deliver: (*webhookClient).deliverChunked},
	{name: "replayed signature", sign: func(p []byte) string { return signWith(p, -time.Hour, secrets...) }, rejected: true},
	{name: "signature from the future", sign: func(p []byte) string { return signWith(p, time.Hour, secrets...) }, rejected: true},
	{name: "retired secret", sign: func(p []byte) string { return signWith(p, 0, retiredSecret) }, rejected: true},
	{name: "empty secret", sign: func(p []byte) string { return signWith(p, 0, "") }, rejected: true},
	{name: "signature of another body", sign: func(p []byte) string { return signWith(p[1:], 0, secrets...) }, rejected: true},
	{name: "not an event", change: func(string) string { return "null" }, rejected: true},
	{name: "body too long", change: func(p string) string { return p + strings.Repeat(" ", 1<<20) }, rejected: true, mayCut: true},
	{name: "body never ends", deliver: (*webhookClient).deliverSlowly, rejected: true, mayCut: true},
}

var (
	foreignObject = strings.NewReplacer(`"cus_`, `"cus_foreign`, `"sub_`, `"sub_foreign`, `"in_`, `"in_foreign`,
		`"org_`, `"org_foreign`, `"evt_`, `"evt_foreign`)
	otherShape = strings.NewReplacer(`"evt_`, `"evt_shape`, `"items":{`, `"items":7,"others":{`,
		`"lines":{`, `"lines":"?","others":{`)
)

// toUnknownType gives an event another id and a type that does not exist.
func toUnknownType(payload string) string {
	e := parseEvent([]byte(payload))
	payload = strings.Replace(payload, e.ID, "evt_unknown"+e.ID, 1)
	return strings.Replace(payload, `"type":"`+e.Type+`"`, `"type":"something.new"`, 1)
}

// toOtherVersion returns an event as an endpoint with another API version would receive it. Only
// its ids can be relied on: its other fields have another meaning.
func toOtherVersion(payload []byte) []byte {
	payload = bytes.Replace(payload, []byte(`"api_version":"2024-06-20"`), []byte(`"api_version":"2020-08-27"`), 1)
	return bytes.ReplaceAll(payload, []byte(`"status":"active"`), []byte(`"status":"hibernating"`))
}

// sendNegativeCase sends a random negative case until a replica responds. Accepting a request that
// must be rejected, or reading it without end, is a divergence.
func (p *webhookProxy) sendNegativeCase(payload []byte, random *rand.Rand) {
	negative := negativeCases[random.IntN(len(negativeCases))]
	p.env.results.countFault("negative case: "+negative.name, 1)
	if negative.change != nil {
		payload = []byte(negative.change(string(payload)))
	}
	p.start(func() {
		for p.ctx.Err() == nil {
			switch status := p.send(negative, payload); {
			case negative.rejected && (status == http.StatusOK || status == stillReading):
				p.env.results.diverged("negative case not rejected: " + negative.name)
				return
			case status == http.StatusOK, negative.rejected && (status != noResponse || negative.mayCut):
				return
			}
			time.Sleep(50 * time.Millisecond) // the replica is down or crashed
		}
	})
}

func (p *webhookProxy) send(negative negativeCase, payload []byte) int {
	sign, deliver := negative.sign, negative.deliver
	if sign == nil {
		sign = p.env.sign
	}
	if deliver == nil {
		deliver = (*webhookClient).deliver
	}
	return deliver(p.client, p.ctx, payload, sign(payload))
}
