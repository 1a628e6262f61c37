package db

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// StandbyLag is how far a [Standby] may be behind its primary to be read.
const StandbyLag = 5 * time.Second

// standbyInterval is the time between two looks at a standby, and standbyTimeout bounds one.
const (
	standbyInterval = time.Second
	standbyTimeout  = 2 * time.Second
)

// Standby is a server that follows the primary of a [Store]. It is read while it is at most
// StandbyLag behind, and never written to.
//
// Its age is measured by positions in the write-ahead log: it is as old as the newest position of
// the primary that it has replayed. The time of the last transaction that it has replayed
// (pg_last_xact_replay_timestamp) would also grow while nothing is written.
type Standby struct {
	*Store
	primary *Store
	log     *slog.Logger

	// positions are those of the primary, the oldest first, and only those that can still show
	// that the standby is fresh.
	positions []walPosition
	// currentAt is a time in Unix nanoseconds: everything that the primary had committed then is
	// on the standby. 0: not known.
	currentAt atomic.Int64
	reported  bool // whether the log says that the standby is read
	problem   string
}

// walPosition is the end of the primary's write-ahead log, and a time before it was read.
type walPosition struct {
	at       time.Time
	position int64
}

// OpenStandby opens a pool to a standby. It does not connect: see [Standby.Run]. No error contains
// dsn or its password.
func OpenStandby(dsn string, connections int, primary *Store, log *slog.Logger) (*Standby, error) {
	s, err := parseDSN(dsn)
	if err != nil {
		return nil, fmt.Errorf("open standby: %w", err)
	}
	pool, err := openPool(s.withTimeouts(), connections)
	if err != nil {
		return nil, fmt.Errorf("open standby: %w", err)
	}
	store, err := newStore(pool)
	if err != nil {
		return nil, fmt.Errorf("open standby: %w", err)
	}
	return &Standby{Store: store, primary: primary, log: log}, nil
}

// Fresh reports whether the standby can be read.
func (s *Standby) Fresh() bool {
	lag, known := s.Lag()
	return known && lag <= StandbyLag
}

// Lag returns how long ago the primary was in a state that the standby has reached; false if that
// is not known.
func (s *Standby) Lag() (time.Duration, bool) {
	at := s.currentAt.Load()
	return time.Since(time.Unix(0, at)), at != 0
}

// Run looks at both servers every second, until ctx ends.
func (s *Standby) Run(ctx context.Context) error {
	ticker := time.NewTicker(standbyInterval)
	defer ticker.Stop()
	for {
		s.report(ctx, s.look(ctx))
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// report logs when the standby begins or ceases to be read, and why it can't be used.
func (s *Standby) report(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	if fresh := s.Fresh(); fresh != s.reported {
		s.reported = fresh
		s.log.InfoContext(ctx, "read database changed", "standby", fresh)
	}
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	if problem != s.problem && problem != "" {
		s.log.WarnContext(ctx, "standby can't be read; the primary is", "err", err)
	}
	s.problem = problem
}

const (
	// The system identifier is that of the cluster, which a standby shares.
	selectPrimaryPosition = `
		select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint as position, (select system_identifier from pg_control_system()) as cluster`
	selectStandbyPosition = `
		select pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint as position, (select system_identifier from pg_control_system()) as cluster`
)

// clusterPosition is a position of a server; nil: it has replayed nothing, it is a primary.
type clusterPosition struct {
	Position *int64 `db:"position"`
	Cluster  int64  `db:"cluster"`
}

// Errors of a server that is no standby of the primary.
var (
	errNoStandby    = errors.New("READ_DATABASE_URL leads to a server that follows no other")
	errOtherCluster = errors.New("READ_DATABASE_URL leads to another database cluster than DATABASE_URL")
)

// look reads the positions of both servers and derives how far the standby is.
func (s *Standby) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, standbyTimeout)
	defer cancel()
	before := time.Now()
	primary, err := get[clusterPosition](ctx, s.primary.queries, "read the primary's position", selectPrimaryPosition)
	if err != nil {
		return err
	}
	replayed, err := get[clusterPosition](ctx, s.Store.queries, "read the standby's position", selectStandbyPosition)
	switch {
	case err != nil:
		return err
	case primary.Cluster != replayed.Cluster:
		return errOtherCluster
	case replayed.Position == nil:
		return errNoStandby
	}
	s.positions = append(s.positions, walPosition{before, *primary.Position})
	s.advance(*replayed.Position)
	return nil
}

// advance finds the newest position that the standby has replayed, and forgets those that are too
// old.
func (s *Standby) advance(replayed int64) {
	for i := len(s.positions) - 1; i >= 0; i-- {
		if s.positions[i].position <= replayed {
			s.currentAt.Store(s.positions[i].at.UnixNano())
			s.positions = s.positions[i:]
			break
		}
	}
	for len(s.positions) > 1 && time.Since(s.positions[0].at) > StandbyLag {
		s.positions = s.positions[1:]
	}
}
