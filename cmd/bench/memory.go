package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"
)

// memoryClients is how many connections send requests at once.
const memoryClients = 1000

// benchMemory prints how much memory Usher has resident: at rest, while a thousand clients request
// the billing tab, while they send webhooks, and a minute after.
func benchMemory(ctx context.Context, o options) error {
	e, err := openEnvironment(ctx, o)
	defer e.close()
	if err != nil {
		return err
	}
	v, _, err := e.preparePage(ctx)
	if err != nil {
		return err
	}
	events, _, err := e.newEventTemplate(ctx)
	if err != nil {
		return err
	}
	if err := e.printMemory("at rest", measurement{}); err != nil {
		return err
	}
	for _, load := range []struct {
		name string
		send sendFunc
	}{
		{"billing tab", func(c *client) (int, error) { return c.get(pagePath, v.Cookie, "gzip") }},
		{"webhooks", func(c *client) (int, error) { return c.postEvent(events.next(1 + rand.IntN(e.organizations))) }},
	} {
		m, err := e.measure(ctx, e.usherTarget(), memoryClients, o.duration, load.send)
		if err = errors.Join(err, e.printMemory(load.name, m)); err != nil {
			return err
		}
	}
	select {
	case <-time.After(time.Minute):
	case <-ctx.Done():
		return ctx.Err()
	}
	return e.printMemory("a minute after", measurement{})
}

func (e *environment) printMemory(what string, m measurement) error {
	pid := e.usherProcess.Process.Pid
	peak, err := processMemory(pid, "VmHWM")
	now, failed := processMemory(pid, "VmRSS")
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	fmt.Printf("%-16s  %4d MiB resident, %4d MiB at most so far  %6.0f requests/s, %d not 200\n", what, now>>20, peak>>20, m.rate, m.failed)
	// The next peak is counted anew (Linux, proc(5): clear_refs).
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}
