package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

// noise is what comes beside Stripe's own deliveries and must change nothing: other applications' objects, the other mode, types nobody knows,
// deliveries of long ago and of the future. Each kind is made of a real event.
var noise = []struct {
	name    string
	change  func(payload string) string
	signed  func(payload []byte) string
	refused bool // it must not be taken
}{
	{"unknown type", renamed, signed, false},
	{"livemode flipped", func(p string) string { return renamed(strings.ReplaceAll(p, `"livemode":false`, `"livemode":true`)) }, signed, false},
	{"another application's object", func(p string) string {
		return strings.NewReplacer(`"cus_`, `"cus_stranger`, `"sub_`, `"sub_stranger`, `"in_`, `"in_stranger`, `"org_`, `"org_stranger`, `"evt_`, `"evt_noise`).Replace(p)
	}, signed, false},
	{"old signature replayed", func(p string) string { return p }, func(p []byte) string { return signedAt(p, -time.Hour) }, true},
	{"signature of the future", func(p string) string { return p }, func(p []byte) string { return signedAt(p, time.Hour) }, true},
	{"wrong signature", func(p string) string { return p + " " }, func(p []byte) string { return signed(p[:len(p)-1]) }, true},
}

// renamed is an event of another id and of a type that nobody knows.
func renamed(payload string) string {
	e := readEvent([]byte(payload))
	return strings.Replace(strings.Replace(payload, e.ID, "evt_noise"+e.ID, 1), `"type":"`+e.Type+`"`, `"type":"something.new"`, 1)
}

// otherVersion has an event come as an endpoint of another API version would bring it: only its ids can be relied on.
func otherVersion(payload []byte) []byte {
	return bytes.Replace(payload, []byte(`"api_version":"2024-06-20"`), []byte(`"api_version":"2020-08-27"`), 1)
}

// disturb brings one kind of noise. What must not be taken and is counts as a divergence.
func (c *courier) disturb(payload []byte, random *rand.Rand) {
	kind := noise[random.IntN(len(noise))]
	c.faults["noise: "+kind.name]++
	changed := []byte(kind.change(string(payload)))
	c.carry.Go(func() {
		for c.world.ctx.Err() == nil {
			status := c.try(c.world.ctx, changed, kind.signed(changed))
			switch {
			case status == 0: // no replica was there
				time.Sleep(50 * time.Millisecond)
				continue
			case kind.refused && status == http.StatusOK:
				c.world.diverged(nil, "%s was taken", kind.name)
			case !kind.refused && status != http.StatusOK:
				time.Sleep(50 * time.Millisecond)
				continue
			}
			return
		}
	})
}

// try brings a payload once and returns the status; 0 where there was no answer.
func (c *courier) try(ctx context.Context, payload []byte, signature string) int {
	target := c.world.replicas[rand.IntN(len(c.world.replicas))]
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.url+"/webhook", bytes.NewReader(payload))
	if err != nil {
		return 0
	}
	request.Header.Set("Stripe-Signature", signature)
	answer, err := c.world.client.Do(request)
	if err != nil {
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}

// signedAt makes the header of a delivery made then.
func signedAt(payload []byte, from time.Duration) string {
	at := time.Now().Add(from).Unix()
	return fmt.Sprintf("t=%d,v1=%x", at, macOf(at, payload))
}
