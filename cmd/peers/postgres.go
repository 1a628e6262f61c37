package main

import (
	"context"
	"os"
	"time"

	"usher/db/privatepg"
)

// postgres is a PostgreSQL server for the projects that store what they read.
type postgres struct {
	folder string
	server *privatepg.Server
}

// postgresRoom is what the cluster may need, in bytes.
const postgresRoom = 256 << 20

func startPostgres(ctx context.Context) (*postgres, error) {
	folder, err := os.MkdirTemp(privatepg.TempDir(postgresRoom), "usher-peers-")
	if err != nil {
		return nil, err
	}
	// The server of root runs as another user, and has its cluster elsewhere if that cannot enter.
	if err := os.Chmod(folder, 0o711); err != nil {
		return nil, err
	}
	server, err := privatepg.Start(ctx, privatepg.Options{DataDir: folder, Fast: true})
	if err != nil {
		_ = os.RemoveAll(folder)
		return nil, err
	}
	return &postgres{folder, server}, nil
}

func (p *postgres) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_ = p.server.Stop(ctx)
	_ = os.RemoveAll(p.folder)
}
