package billing

import (
	"context"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
)

// Env is the environment that domain code runs in: clock, randomness and log.
type Env struct {
	now  func() time.Time
	wall func() time.Time // real time, where now is a clock that can be advanced
	rand io.Reader
	log  *slog.Logger
}

// enqueue enqueues a job for a time by the environment's own clock.
func (e *Env) enqueue(ctx context.Context, jobs JobStore, kind JobKind, id, turn string, at time.Time) error {
	if err := jobs.Enqueue(ctx, Job{Kind: kind, ID: id, Revision: turn, Delay: max(0, at.Sub(e.now()))}); err != nil {
		return fmt.Errorf("enqueue job: %w", err)
	}
	return nil
}

// newID makes an id such as org_k3j5…: a prefix that says what it is and 100 random bits.
func (e *Env) newID(prefix string) string {
	var random [13]byte
	if _, err := io.ReadFull(e.rand, random[:]); err != nil {
		panic("billing: no randomness: " + err.Error()) // crypto/rand never fails; a broken injected reader is a broken test
	}
	return prefix + "_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random[:]))[:20]
}

// random returns a random duration below limit.
func (e *Env) random(limit time.Duration) time.Duration {
	var bits [2]byte
	_, _ = io.ReadFull(e.rand, bits[:]) // without randomness it is no jitter, which is no harm
	return limit * time.Duration(binary.BigEndian.Uint16(bits[:])) / (1 << 16)
}

// backoff returns how long to wait after so many failures in a row: doubling, with a quarter of jitter so that replicas spread.
func (e *Env) backoff(failures int) time.Duration {
	wait := backoffLimit
	if failures < 12 {
		wait = min(backoffLimit, backoffFirst<<(failures-1))
	}
	return wait + e.random(wait/4)
}

const (
	backoffFirst = 2 * time.Second
	backoffLimit = time.Hour
)
