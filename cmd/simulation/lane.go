package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"usher/db"
	"usher/db/privatepg"
)

// lane plays one batch after the other on a PostgreSQL of its own. Most of a batch is waiting, for what comes late and for what is tried
// again, so that several lanes fit on a machine.
type lane struct {
	folder string
	server *privatepg.Server
}

const templateName = "usher" // the private PostgreSQL's own database; the batches' are clones of it

func openLane(ctx context.Context) (_ *lane, err error) {
	l := &lane{}
	if l.folder, err = os.MkdirTemp("", "usher-storm-"); err != nil {
		return nil, err
	}
	// Fast gives up surviving a crash of the machine. Those of PostgreSQL it survives as well as ever.
	if l.server, err = privatepg.Start(ctx, privatepg.Options{DataDir: l.folder, Fast: true}); err != nil {
		_ = os.RemoveAll(l.folder)
		return nil, err
	}
	if err := db.Migrate(ctx, l.server.DSN()); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// part is what of a storm one batch is.
type part struct {
	number    int
	seed      uint64
	histories int
	kills     int // of replicas
	crashes   int // of the database
}

// parts divides a storm into batches.
func (o options) parts() []part {
	batches := (o.histories + o.batch - 1) / o.batch
	parts := make([]part, batches)
	for n := range parts {
		parts[n] = part{
			number: n, seed: o.seed + uint64(n), histories: min(o.batch, o.histories-n*o.batch),
			kills: o.kills*(n+1)/batches - o.kills*n/batches, crashes: o.crashes*(n+1)/batches - o.crashes*n/batches,
		}
		if o.only != 0 {
			parts[n].seed = o.only / 1_000_000
		}
	}
	return parts
}

// play plays the batches it gets.
func (l *lane) play(ctx context.Context, s *storm, parts <-chan part) error {
	for p := range parts {
		began := time.Now()
		w, err := s.openWorld(ctx, l, p)
		if err == nil {
			err = w.play()
			s.take(w)
			w.close()
		}
		if err != nil {
			return fmt.Errorf("batch %d: %w", p.number+1, err)
		}
		s.tell(p, time.Since(began))
	}
	return nil
}

func (l *lane) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_ = l.server.Stop(ctx)
	_ = os.RemoveAll(l.folder)
}

// drop removes a database that nobody uses any more; what can't be removed goes with the server.
func (l *lane) drop(ctx context.Context, database string) {
	admin, err := db.Open(ctx, l.dsnOf("postgres"))
	if err != nil {
		return
	}
	defer admin.Close()
	_, _ = admin.DB().ExecContext(ctx, `drop database if exists `+database+` with (force)`)
}

// dsnOf names another database of the same server.
func (l *lane) dsnOf(database string) string {
	return strings.Replace(l.server.DSN(), "dbname='"+templateName+"'", "dbname='"+database+"'", 1)
}
