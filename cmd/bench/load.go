package main

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"
)

// measured is one measurement.
type measured struct {
	rate     float64       // answers a second
	p50, p99 time.Duration // from the request to its answer
	cpu      processor     // per answer
	refused  int           // answers other than 200
}

// target is a program that is measured.
type target struct {
	site string
	pid  int
}

func (s *stage) target() target { return target{s.site, s.program.Process.Pid} }

// load asks for a while, each client one thing after the other.
func (s *stage) load(ctx context.Context, of target, clients int, length time.Duration, ask func(*client) (status int, err error)) (measured, error) {
	before, err := s.spent(ctx, of.pid)
	if err != nil {
		return measured{}, err
	}
	began := time.Now()
	took, refused, failed := make([][]time.Duration, clients), make([]int, clients), make([]error, clients)
	var group sync.WaitGroup
	for c := range clients {
		group.Go(func() {
			client, err := dial(of.site)
			for err == nil && time.Since(began) < length && ctx.Err() == nil {
				var status int
				at := time.Now()
				status, err = ask(client)
				took[c] = append(took[c], time.Since(at))
				if status != http.StatusOK {
					refused[c]++
				}
			}
			failed[c] = errors.Join(err, client.close())
		})
	}
	group.Wait()
	elapsed := time.Since(began)
	after, err := s.spent(ctx, of.pid)
	if err := errors.Join(err, errors.Join(failed...)); err != nil {
		return measured{}, err
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	m := measured{rate: float64(len(all)) / elapsed.Seconds(), p50: all[len(all)/2], p99: all[len(all)*99/100], cpu: after.since(before, len(all))}
	for _, n := range refused {
		m.refused += n
	}
	return m, nil
}

// median picks the measurement in the middle, by rate, and has it tell what all of them were refused.
func median(all []measured) measured {
	slices.SortFunc(all, func(a, b measured) int { return cmp.Compare(a.rate, b.rate) })
	m := all[len(all)/2]
	m.refused = 0
	for _, one := range all {
		m.refused += one.refused
	}
	return m
}
