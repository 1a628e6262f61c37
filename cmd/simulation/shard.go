package main

import (
	"context"
	"os"
	"strings"
	"time"

	"usher/db"
	"usher/db/privatepg"
)

// shard is a PostgreSQL server on which one batch after the other is played. A batch spends most of
// its time waiting for delayed deliveries and retries, so one machine can run several shards.
type shard struct {
	folder string
	server *privatepg.Server
}

// templateName is the server's own database. The batches' databases are clones of it.
const templateName = "usher"

// shardRoom is what the clusters of all shards may need, in bytes: a backlog has 100,000 events.
const shardRoom = 8 << 30

func openShard(ctx context.Context) (_ *shard, err error) {
	s := &shard{}
	if s.folder, err = os.MkdirTemp(privatepg.TempDir(shardRoom), "usher-simulation-"); err != nil {
		return nil, err
	}
	// The server of root runs as another user, and has its cluster elsewhere if that cannot enter.
	if err := os.Chmod(s.folder, 0o711); err != nil {
		return nil, err
	}
	// Fast gives up durability when the machine crashes, but not when PostgreSQL does.
	if s.server, err = privatepg.Start(ctx, privatepg.Options{DataDir: s.folder, Fast: true}); err != nil {
		_ = os.RemoveAll(s.folder)
		return nil, err
	}
	if err := db.Migrate(ctx, s.server.DSN()); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *shard) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_ = s.server.Stop(ctx)
	_ = os.RemoveAll(s.folder)
}

// createDatabase clones the template and returns the new database's DSN.
func (s *shard) createDatabase(ctx context.Context, name string) (dsn string, err error) {
	admin, err := db.Open(ctx, s.dsn("postgres"))
	if err != nil {
		return "", err
	}
	defer admin.Close()
	_, err = admin.DB().ExecContext(ctx, `create database `+name+` template `+templateName)
	return s.dsn(name), err
}

// dropDatabase removes a database. Errors are ignored: the server's folder is removed at the end.
func (s *shard) dropDatabase(ctx context.Context, name string) {
	admin, err := db.Open(ctx, s.dsn("postgres"))
	if err != nil {
		return
	}
	defer admin.Close()
	_, _ = admin.DB().ExecContext(ctx, `drop database if exists `+name+` with (force)`)
}

// dsn returns the DSN of a database of this server.
func (s *shard) dsn(database string) string {
	return strings.Replace(s.server.DSN(), "dbname='"+templateName+"'", "dbname='"+database+"'", 1)
}
