package db

import (
	"context"
	"net"
	"time"
)

// How long the server may be silent while a statement runs. By default a statement ends after
// statementTimeout at the server. If nothing comes then, the server hangs, as its disk or its
// synchronous standby may. lib/pq alone would wait until it answers, also after the end of a
// context. Through a pooler statements outside of transactions have no timeout at the server.
const (
	answerTimeout       = 13 * time.Second
	answerTimeoutPooler = 30 * time.Second
)

// answerDialer opens connections that fail if the server is silent for too long.
type answerDialer struct{ timeout time.Duration }

// DialContext implements [pq.DialerContext].
func (d answerDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &answerConn{Conn: conn, timeout: d.timeout}, nil
}

// Dial implements [pq.Dialer].
func (d answerDialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialTimeout implements [pq.Dialer].
func (d answerDialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

// answerConn is used by lib/pq, which reads only what it has requested. While lib/pq connects, the
// DSN's connect_timeout alone is the limit, however long it is.
type answerConn struct {
	net.Conn
	timeout time.Duration
	limit   time.Time // lib/pq's own deadline, while it connects; zero: none
}

// SetDeadline implements [net.Conn].
func (c *answerConn) SetDeadline(t time.Time) error {
	c.limit = t
	return c.Conn.SetDeadline(t)
}

// Read implements [net.Conn].
func (c *answerConn) Read(p []byte) (int, error) {
	deadline := c.limit
	if deadline.IsZero() {
		deadline = time.Now().Add(c.timeout)
	}
	if err := c.Conn.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}
