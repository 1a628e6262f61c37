package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// usherPoolSize is the default size of Usher's connection pool. The reference gets as many
// connections at most.
const usherPoolSize = 10

// benchWebhook measures webhooks, from the signed request to the response after the commit, beside
// a reference transaction on as many connections, and beside a sync engine if there is one.
func benchWebhook(ctx context.Context, o options) error {
	e, err := openEnvironment(ctx, o)
	defer e.close()
	if err != nil {
		return err
	}
	events, priceID, err := e.newEventTemplate(ctx)
	if err != nil {
		return err
	}
	if err := e.insertOrganizations(ctx, priceID); err != nil {
		return err
	}
	r, err := e.newReference(ctx, string(events.next(1)))
	if err != nil {
		return err
	}
	var sync *engine
	if o.engine != "" {
		if sync, err = e.startEngine(ctx, o.engine); err != nil {
			return err
		}
		defer sync.close()
	}
	fmt.Printf("%d organizations, events of %d bytes, %d rounds of %s each, alternating; pool of %d connections, fsync on\n\n",
		o.organizations, len(events.next(1)), o.rounds, o.duration, usherPoolSize)
	fmt.Println("                                                                              CPU time per event")
	fmt.Println("clients  webhooks/s  reference/s  ratio (min to max)     p50       p99       Usher     PostgreSQL  client    non-200")
	for _, clients := range o.clients {
		if err := e.compareWebhooks(ctx, events, r, sync, clients); err != nil {
			return err
		}
	}
	sync.print()
	return e.printOutcomes(ctx)
}

// compareWebhooks posts events of random organizations, alternating with the reference.
func (e *environment) compareWebhooks(ctx context.Context, events *eventTemplate, r *reference, sync *engine, clients int) error {
	send := func(c *client) (int, error) { return c.postEvent(events.next(1 + rand.IntN(e.organizations))) }
	if _, err := e.measure(ctx, e.usherTarget(), clients, time.Second, send); err != nil { // warm up
		return err
	}
	if err := sync.warmUp(ctx, e, clients, send); err != nil {
		return err
	}
	var measurements []measurement
	var references, ratios []float64
	for range e.rounds {
		base, err := r.run(ctx, min(clients, usherPoolSize))
		if err != nil {
			return err
		}
		m, err := e.measure(ctx, e.usherTarget(), clients, e.duration, send)
		if err != nil {
			return err
		}
		if err := sync.measure(ctx, e, clients, send); err != nil {
			return err
		}
		measurements, references, ratios = append(measurements, m), append(references, base), append(ratios, m.rate/base)
	}
	sync.compare(clients, measurements)
	slices.Sort(references)
	m := median(measurements)
	fmt.Printf("%7d  %10.0f  %11.0f  %-21s  %-8s  %-8s  %-8s  %-10s  %-8s  %d\n",
		clients, m.rate, references[len(references)/2], ratioRange(ratios),
		m.p50.Round(10*time.Microsecond), m.p99.Round(10*time.Microsecond), m.cpu.program.Round(time.Microsecond),
		m.cpu.database.Round(time.Microsecond), m.cpu.client.Round(time.Microsecond), m.failed)
	return nil
}

// printOutcomes prints how many stored events have each outcome. Every 200 is a stored event.
func (e *environment) printOutcomes(ctx context.Context) error {
	var lines []string
	err := e.store.DB().SelectContext(ctx, &lines, `
		select format('%s %s', outcome, count(*)) from stripe_events group by outcome order by outcome`)
	fmt.Printf("\nstored events: %s\n", strings.Join(lines, ", "))
	return err
}
