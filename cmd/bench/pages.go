package main

import (
	"context"
	"fmt"
	"time"
)

const pagePath = "/organization?tab=billing"

// benchPages measures the billing tab beside a bare handler, which runs the same queries and
// responds with the same bytes: first alone, then while a backlog of events is processed.
func benchPages(ctx context.Context, o options) error {
	e, err := openEnvironment(ctx, o)
	defer e.close()
	if err != nil {
		return err
	}
	v, page, err := e.preparePage(ctx)
	if err != nil {
		return err
	}
	bare, err := e.startBareHandler(ctx, v, page)
	if err != nil {
		return err
	}
	defer bare.stop()
	fmt.Printf("%d organizations, a page of %d bytes, %d rounds of %s each, alternating\n", o.organizations, len(page), o.rounds, o.duration)
	if err := e.comparePages(ctx, bare.target, v); err != nil {
		return err
	}
	if err := e.insertBacklog(ctx); err != nil {
		return err
	}
	fmt.Printf("\nwith %d pending events of one organization\n", backlogSize)
	return e.comparePages(ctx, bare.target, v)
}

// preparePage fills the database, signs a visitor up and requests the page once.
func (e *environment) preparePage(ctx context.Context) (v visitor, page []byte, err error) {
	_, priceID, err := e.newEventTemplate(ctx)
	if err != nil {
		return v, nil, err
	}
	if err := e.insertOrganizations(ctx, priceID); err != nil {
		return v, nil, err
	}
	if v, err = e.signUp(ctx, priceID); err != nil {
		return v, nil, err
	}
	page, err = e.fetchPage(ctx, v)
	return v, page, err
}

func (e *environment) comparePages(ctx context.Context, bare target, v visitor) error {
	fmt.Println("clients  coding    pages/s  bare/s   ratio (min to max)     p50       p99       p99/p50  bare p99/p50  CPU/page  non-200")
	for _, clients := range []int{1, 16} {
		for _, coding := range []string{"identity", "gzip"} {
			if err := e.comparePage(ctx, bare, v, clients, coding); err != nil {
				return err
			}
		}
	}
	var pending int
	err := e.store.DB().GetContext(ctx, &pending, `select count(*) from stripe_events where outcome = 'pending'`)
	fmt.Printf("pending events at the end: %d\n", pending)
	return err
}

// comparePage requests the page in a content coding, alternating with the bare handler, which never
// compresses. The first round warms up.
func (e *environment) comparePage(ctx context.Context, bare target, v visitor, clients int, coding string) error {
	send := func(c *client) (int, error) { return c.get(pagePath, v.Cookie, coding) }
	var pages, bares []measurement
	var ratios []float64
	for round := range e.rounds + 1 {
		base, err := e.measure(ctx, bare, clients, e.duration, send)
		if err != nil {
			return err
		}
		m, err := e.measure(ctx, e.usherTarget(), clients, e.duration, send)
		if err != nil {
			return err
		}
		if round > 0 {
			pages, bares, ratios = append(pages, m), append(bares, base), append(ratios, m.rate/base.rate)
		}
	}
	m, base := median(pages), median(bares)
	fmt.Printf("%7d  %-8s  %7.0f  %7.0f  %-21s  %-8s  %-8s  %7.1f  %12.1f  %-8s  %d\n",
		clients, coding, m.rate, base.rate, ratioRange(ratios), m.p50.Round(10*time.Microsecond), m.p99.Round(10*time.Microsecond),
		m.tailRatio(), base.tailRatio(), m.cpu.program.Round(time.Microsecond), m.failed)
	return nil
}
