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

// Env is the environment that domain code runs in: clock, randomness and log.
type Env struct {
	Now  func() time.Time
	Wall func() time.Time // real time, where now is a clock that can be advanced
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

// Enqueue enqueues a job for a time by the environment's own clock.
func (e *Env) Enqueue(ctx context.Context, jobs job.Store, kind job.Kind, id, turn string, at time.Time) error {
	if err := jobs.Enqueue(ctx, job.Job{Kind: kind, ID: id, Revision: turn, Delay: max(0, at.Sub(e.Now()))}); err != nil {
		return fmt.Errorf("enqueue job: %w", err)
	}
	return nil
}

// newID makes an id such as org_k3j5…: a prefix that says what it is and 100 random bits.
func (e *Env) NewID(prefix string) string {
	var random [13]byte
	if _, err := io.ReadFull(e.Rand, random[:]); err != nil {
		panic("env: read randomness: " + err.Error()) // crypto/rand never fails; a broken injected reader is a broken test
	}
	return prefix + "_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random[:]))[:20]
}

// random returns a random duration below limit.
func (e *Env) Jitter(limit time.Duration) time.Duration {
	var bits [2]byte
	_, _ = io.ReadFull(e.Rand, bits[:]) // without randomness it is no jitter, which is no harm
	return limit * time.Duration(binary.BigEndian.Uint16(bits[:])) / (1 << 16)
}

// backoff returns how long to wait after so many failures in a row: doubling, with a quarter of jitter so that replicas spread.
func (e *Env) Backoff(failures int) time.Duration {
	wait := BackoffLimit
	if failures < 12 {
		wait = min(BackoffLimit, BackoffFirst<<(failures-1))
	}
	return wait + e.Jitter(wait/4)
}

const (
	BackoffFirst = 2 * time.Second
	BackoffLimit = time.Hour
)
