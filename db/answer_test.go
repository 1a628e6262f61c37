package db

import (
	"net"
	"testing"
	"time"
)

// While a connection is made, a connect_timeout of the DSN that is longer than the silence allowed
// to a statement is the limit. Afterwards it is not.
func TestConnectTimeoutIsNotCutShort(t *testing.T) {
	t.Parallel()
	recorder := &deadlineRecorder{}
	conn := &answerConn{Conn: recorder, timeout: time.Second}
	connecting := time.Now().Add(time.Minute)
	must(t, conn.SetDeadline(connecting))
	_, err := conn.Read(nil)
	must(t, err)
	if !recorder.read.Equal(connecting) {
		t.Errorf("while connecting the deadline is %s, want that of connect_timeout, %s", recorder.read, connecting)
	}
	must(t, conn.SetDeadline(time.Time{}))
	_, err = conn.Read(nil)
	must(t, err)
	if recorder.read.IsZero() || !recorder.read.Before(connecting) {
		t.Errorf("connected, the deadline is %s, want that of a silent server", recorder.read)
	}
}

// deadlineRecorder records the deadline of the last read.
type deadlineRecorder struct {
	net.Conn
	read time.Time
}

func (r *deadlineRecorder) SetDeadline(time.Time) error { return nil }

func (r *deadlineRecorder) SetReadDeadline(t time.Time) error {
	r.read = t
	return nil
}

func (r *deadlineRecorder) Read([]byte) (int, error) { return 0, nil }
