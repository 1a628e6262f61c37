package billing

import (
	"context"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"
)

// enqueue is [JobQueries.SetAlarm] for a moment of the Service's own clock.
func (s *Service) enqueue(ctx context.Context, tx Tx, kind JobKind, id, turn string, at time.Time) error {
	if err := tx.Jobs().Enqueue(ctx, Job{Kind: kind, ID: id, Revision: turn, Delay: max(0, at.Sub(s.now()))}); err != nil {
		return fmt.Errorf("set alarm: %w", err)
	}
	return nil
}

// newID makes an id such as org_k3j5…: a prefix that says what it is and 100 random bits.
func (s *Service) newID(prefix string) string {
	var random [13]byte
	if _, err := io.ReadFull(s.rand, random[:]); err != nil {
		panic("billing: no randomness: " + err.Error()) // crypto/rand never fails; a broken injected reader is a broken test
	}
	return prefix + "_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random[:]))[:20]
}

// random returns a random duration below limit.
func (s *Service) random(limit time.Duration) time.Duration {
	var bits [2]byte
	_, _ = io.ReadFull(s.rand, bits[:]) // without randomness it is no jitter, which is no harm
	return limit * time.Duration(binary.BigEndian.Uint16(bits[:])) / (1 << 16)
}

// backoff returns how long to wait after so many failures in a row: doubling, with a quarter of jitter so that replicas spread.
func (s *Service) backoff(failures int) time.Duration {
	wait := backoffLimit
	if failures < 12 {
		wait = min(backoffLimit, backoffFirst<<(failures-1))
	}
	return wait + s.random(wait/4)
}

const (
	backoffFirst = 2 * time.Second
	backoffLimit = time.Hour
)
