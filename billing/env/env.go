package env

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"usher/billing/job"
)

// Env is the environment of domain code: clock, randomness and log.
type Env struct {
	Now  func() time.Time // may be advanced in development and tests
	Wall func() time.Time // real time, for rate limits and the like
	Rand io.Reader
	Log  *slog.Logger
}

// New returns an Env. Nil arguments have defaults: time.Now, crypto/rand, and a log that discards.
func New(now, wall func() time.Time, random io.Reader, log *slog.Logger) *Env {
	e := &Env{Now: now, Wall: wall, Rand: random, Log: log}
	if e.Now == nil {
		e.Now = time.Now
	}
	if e.Wall == nil {
		e.Wall = time.Now
	}
	if e.Rand == nil {
		e.Rand = rand.Reader
	}
	if e.Log == nil {
		e.Log = slog.New(slog.DiscardHandler)
	}
	return e
}

// Enqueue enqueues a job that is due at a time of the Env's clock.
func (e *Env) Enqueue(ctx context.Context, jobs job.Store, kind job.Kind, id, revision string, at time.Time) error {
	if err := jobs.Enqueue(ctx, job.Job{Kind: kind, ID: id, Revision: revision, Delay: max(0, at.Sub(e.Now()))}); err != nil {
		return fmt.Errorf("enqueue job: %w", err)
	}
	return nil
}

// NewID returns an id such as org_k3j5…: a prefix for the kind of object and 100 random bits.
func (e *Env) NewID(prefix string) string {
	var random [13]byte
	if _, err := io.ReadFull(e.Rand, random[:]); err != nil {
		// Crypto/rand never fails, so this is a test's reader.
		panic("env: read randomness: " + err.Error())
	}
	return prefix + "_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random[:]))[:20]
}

// Jitter returns a random duration from 0 to limit.
func (e *Env) Jitter(limit time.Duration) time.Duration {
	var bits [2]byte
	_, _ = io.ReadFull(e.Rand, bits[:]) // a failed read only means no jitter
	return limit * time.Duration(binary.BigEndian.Uint16(bits[:])) / (1 << 16)
}

// Backoff returns the wait before the next attempt after a number of consecutive failures, at least
// 1. It doubles from BackoffFirst to BackoffLimit, plus up to a quarter of jitter, so that replicas
// do not retry together.
func (e *Env) Backoff(failures int) time.Duration {
	wait := BackoffLimit
	if failures < 12 {
		wait = min(BackoffLimit, BackoffFirst<<(failures-1))
	}
	return wait + e.Jitter(wait/4)
}

// The bounds of [Env.Backoff], without jitter.
const (
	BackoffFirst = 2 * time.Second
	BackoffLimit = time.Hour
)
