package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// measurement is the result of loading a target once.
type measurement struct {
	rate     float64       // responses per second
	p50, p99 time.Duration // response time
	cpu      cpuTime       // per response
	failed   int           // responses other than 200
}

// tailRatio returns how much longer a slow response takes than a usual one.
func (m measurement) tailRatio() float64 { return float64(m.p99) / float64(max(m.p50, 1)) }

// target is the process that is measured.
type target struct {
	site string // origin
	pid  int
}

// usherTarget returns Usher as a target.
func (e *environment) usherTarget() target { return target{e.site, e.usherProcess.Process.Pid} }

// sendFunc sends one request over a client and returns the response's status.
type sendFunc func(*client) (status int, err error)

// measure loads a target for a duration with a number of concurrent clients.
func (e *environment) measure(ctx context.Context, t target, clients int, duration time.Duration, send sendFunc) (measurement, error) {
	before, err := e.cpuUsage(ctx, t.pid)
	if err != nil {
		return measurement{}, err
	}
	start := time.Now()
	loads := make([]clientLoad, clients)
	var group sync.WaitGroup
	for n := range loads {
		group.Go(func() { loads[n].run(ctx, t, start.Add(duration), send) })
	}
	group.Wait()
	elapsed := time.Since(start)
	after, err := e.cpuUsage(ctx, t.pid)
	if err != nil {
		return measurement{}, err
	}
	m, durations, err := combine(loads)
	if err != nil {
		return measurement{}, err
	}
	m.rate = float64(len(durations)) / elapsed.Seconds()
	m.cpu = after.perResponse(before, len(durations))
	return m, nil
}

// clientLoad is what one client measures.
type clientLoad struct {
	durations []time.Duration
	failed    int
	err       error
}

func (l *clientLoad) run(ctx context.Context, t target, end time.Time, send sendFunc) {
	c, err := dial(t.site)
	for err == nil && time.Now().Before(end) && ctx.Err() == nil {
		var status int
		start := time.Now()
		status, err = send(c)
		l.durations = append(l.durations, time.Since(start))
		if status != http.StatusOK {
			l.failed++
		}
	}
	l.err = errors.Join(err, c.close())
}

// combine returns the percentiles and failures of all clients, and their response times.
func combine(loads []clientLoad) (m measurement, durations []time.Duration, err error) {
	for _, l := range loads {
		durations = append(durations, l.durations...)
		m.failed += l.failed
		err = errors.Join(err, l.err)
	}
	if err != nil || len(durations) == 0 {
		return m, nil, errors.Join(errors.New("measure: no response or an error"), err)
	}
	slices.Sort(durations)
	m.p50, m.p99 = durations[len(durations)/2], durations[len(durations)*99/100]
	return m, durations, nil
}

// median returns the measurement with the median rate and the failures of all.
func median(all []measurement) measurement {
	slices.SortFunc(all, func(a, b measurement) int { return cmp.Compare(a.rate, b.rate) })
	m := all[len(all)/2]
	m.failed = 0
	for _, one := range all {
		m.failed += one.failed
	}
	return m
}

// ratioRange formats ratios as percentages: the median, the lowest and the highest.
func ratioRange(ratios []float64) string {
	slices.Sort(ratios)
	return fmt.Sprintf("%4.0f %% (%.0f to %.0f)", 100*ratios[len(ratios)/2], 100*ratios[0], 100*ratios[len(ratios)-1])
}
