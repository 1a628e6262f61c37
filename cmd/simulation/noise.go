package main

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

// noise is one kind of what comes beside Stripe's own deliveries and must change nothing. It is made of a real event.
type noise struct {
	name    string
	change  func(payload string) string                                                 // nil: it stays as it is
	sign    func(payload []byte) string                                                 // nil: as Stripe signs
	carry   func(c *courier, ctx context.Context, payload []byte, signature string) int // nil: as Stripe delivers
	refused bool                                                                        // it must not be taken
	cut     bool                                                                        // a connection that ends without an answer refuses it too
}

// noises are other applications' objects, the other mode, types nobody knows, shapes nobody expects, deliveries of long ago and of the future, of
// whoever is not Stripe, too long ones and such as never end.
var noises = []noise{
	{name: "unknown type", change: renamed},
	{name: "livemode flipped", change: func(p string) string { return renamed(strings.ReplaceAll(p, `"livemode":false`, `"livemode":true`)) }},
	{name: "another application's object", change: func(p string) string {
		return strings.NewReplacer(`"cus_`, `"cus_stranger`, `"sub_`, `"sub_stranger`, `"in_`, `"in_stranger`, `"org_`, `"org_stranger`, `"evt_`, `"evt_noise`).Replace(p)
	}},
	{name: "object of another shape", change: func(p string) string {
		return strings.NewReplacer(`"evt_`, `"evt_odd`, `"items":{`, `"items":7,"others":{`, `"lines":{`, `"lines":"?","others":{`).Replace(p)
	}},
	{name: "in chunks", carry: (*courier).chunked},
	{name: "old signature replayed", sign: func(p []byte) string { return signedWith(p, -time.Hour, secrets...) }, refused: true},
	{name: "signature of the future", sign: func(p []byte) string { return signedWith(p, time.Hour, secrets...) }, refused: true},
	{name: "signed with a retired secret", sign: func(p []byte) string { return signedWith(p, 0, retiredSecret) }, refused: true},
	{name: "signed with an empty secret", sign: func(p []byte) string { return signedWith(p, 0, "") }, refused: true},
	{name: "signature of another body", sign: func(p []byte) string { return signedWith(p[1:], 0, secrets...) }, refused: true},
	{name: "no event", change: func(string) string { return "null" }, refused: true},
	{name: "oversize", change: func(p string) string { return p + strings.Repeat(" ", 1<<20) }, refused: true, cut: true},
	{name: "dripping", carry: (*courier).drip, refused: true, cut: true},
}

// renamed is an event of another id and of a type that nobody knows.
func renamed(payload string) string {
	e := readEvent([]byte(payload))
	return strings.Replace(strings.Replace(payload, e.ID, "evt_noise"+e.ID, 1), `"type":"`+e.Type+`"`, `"type":"something.new"`, 1)
}

// otherVersion has an event come as an endpoint of another API version would bring it: only its ids can be relied on, and what it says else is of
// no meaning here.
func otherVersion(payload []byte) []byte {
	payload = bytes.Replace(payload, []byte(`"api_version":"2024-06-20"`), []byte(`"api_version":"2020-08-27"`), 1)
	return bytes.ReplaceAll(payload, []byte(`"status":"active"`), []byte(`"status":"hibernating"`))
}

// disturb brings one kind of noise. What is taken and must not be, or keeps a replica busy for good, counts as a divergence.
func (c *courier) disturb(payload []byte, random *rand.Rand) {
	kind := noises[random.IntN(len(noises))]
	c.faults["noise: "+kind.name]++
	if kind.change != nil {
		payload = []byte(kind.change(string(payload)))
	}
	c.carry.Go(func() {
		for c.world.ctx.Err() == nil {
			switch status := c.bringNoise(kind, payload); {
			case kind.refused && (status == http.StatusOK || status == stillListening):
				c.world.diverged(nil, "%s: %d", kind.name, status)
				return
			case status == http.StatusOK, kind.refused && (status != noAnswer || kind.cut):
				return
			}
			time.Sleep(50 * time.Millisecond) // no replica was there, or it crashed
		}
	})
}

func (c *courier) bringNoise(kind noise, payload []byte) int {
	sign, carry := kind.sign, kind.carry
	if sign == nil {
		sign = c.world.signed
	}
	if carry == nil {
		carry = (*courier).try
	}
	return carry(c, c.world.ctx, payload, sign(payload))
}
