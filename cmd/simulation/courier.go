package main

import (
	"context"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// courier stands between Stripe and the replicas and mistreats what it carries: some is lost, some comes twice, some late, some in another
// order, some for days. What a replica does not take it brings again, as Stripe does.
type courier struct {
	world  *world
	mutex  sync.Mutex
	told   []told           // everything Stripe sent, in its order
	known  map[string]bool  // by event id
	held   map[int][][]byte // by the round it is brought in
	faults map[string]int
	carry  sync.WaitGroup
	calm   bool
	// holding keeps everything back until the end, so that only what we ask Stripe and tell it counts meanwhile.
	holding bool
}

const untilTheEnd = 1 << 30 // a round that is never played

type told struct {
	customer string
	payload  []byte
}

func newCourier(w *world) *courier {
	return &courier{world: w, known: map[string]bool{}, held: map[int][][]byte{}, faults: map[string]int{}}
}

// ServeHTTP takes what Stripe delivers. It always answers 200: what becomes of it is the courier's business.
func (c *courier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	payload, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.take(payload)
}

func (c *courier) take(payload []byte) {
	e := readEvent(payload)
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.known[e.ID] {
		return // Stripe's own second try
	}
	c.known[e.ID] = true
	c.told = append(c.told, told{e.customer(), payload})
	random := rand.New(rand.NewPCG(c.world.seed, hashOf(e.ID)))
	if random.Float64() < 0.05 && !c.calm {
		c.disturb(payload, random)
	}
	if random.Float64() < 0.03 {
		c.faults["of another API version"]++
		payload = otherVersion(payload)
	}
	switch roll := random.Float64(); {
	case c.calm:
		c.bring(payload, 0)
	case c.holding:
		c.faults["late by days"]++
		c.held[untilTheEnd] = append(c.held[untilTheEnd], payload)
	case roll < 0.10 && c.world.comparesOften(): // what is lost for good only the reconciler can find
		c.faults["lost"]++
	case roll < 0.20:
		c.faults["doubled"]++
		c.bring(payload, 0)
		c.bring(payload, time.Duration(random.IntN(300))*time.Millisecond)
	case roll < 0.32:
		c.faults["late by days"]++
		round := int(c.world.round.Load()) + 1 + random.IntN(2)
		c.held[round] = append(c.held[round], payload)
	case roll < 0.60:
		c.faults["reordered"]++
		c.bring(payload, time.Duration(random.IntN(400))*time.Millisecond)
	default:
		c.bring(payload, 0)
	}
}

// bring carries it after a while, and again until it is taken.
func (c *courier) bring(payload []byte, after time.Duration) {
	c.carry.Go(func() {
		time.Sleep(after) // it is the fault itself: a delivery under way
		for try := 0; c.world.ctx.Err() == nil; try++ {
			if c.post(c.world.ctx, payload) {
				return
			}
			time.Sleep(time.Duration(min(try+1, 10)) * 20 * time.Millisecond) // as Stripe, only sooner
		}
	})
}

// post brings it to one of the replicas, signed anew, as each try of Stripe's is.
func (c *courier) post(ctx context.Context, payload []byte) bool {
	return c.try(ctx, payload, c.world.signed(payload)) == http.StatusOK
}

// arrive brings what was held until this round.
func (c *courier) arrive(round int) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for held, payloads := range c.held {
		if held > round {
			continue
		}
		for _, payload := range payloads {
			c.bring(payload, 0)
		}
		delete(c.held, held)
	}
}

func (c *courier) hold(holding bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.holding = holding
}

// settle brings all that is held and treats nothing badly any more.
func (c *courier) settle() {
	c.mutex.Lock()
	c.calm = true
	c.mutex.Unlock()
	c.arrive(untilTheEnd)
	c.carry.Wait()
}

func hashOf(s string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, s)
	return h.Sum64()
}
