package stripelocal

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"usher/stripelocal/websocket"
	"usher/stripelocal/wire"
)

const (
	// cliSubprotocol is what the tool offers (source: stripe/stripe-cli, pkg/websocket/client.go).
	cliSubprotocol = "stripecli-devproxy-v1"
	// cliIdleTimeout is how long a connection without any frame stays. The tool pings every two
	// seconds.
	cliIdleTimeout = time.Minute
)

// cliHub is the sessions of Stripe's command line tool and their connections. The server's lock
// guards it.
type cliHub struct {
	server   *Server
	sessions map[string]*cliSession
	closing  bool
	running  sync.WaitGroup
}

func newCLIHub(s *Server) *cliHub { return &cliHub{server: s, sessions: map[string]*cliSession{}} }

// add registers a session. Expired ones make room first.
func (h *cliHub) add(session *cliSession) error {
	for id, s := range h.sessions {
		if s.expired(time.Now()) {
			delete(h.sessions, id)
		}
	}
	if len(h.sessions) >= maxCLISessions {
		return &wire.Error{Status: http.StatusTooManyRequests, Type: "invalid_request_error", Code: "rate_limit", Message: "There are too many sessions of the Stripe CLI. Stop some, or wait for five minutes."}
	}
	h.sessions[session.id] = session
	return nil
}

// sendEvent queues an event for every session that listens. The caller has the server's lock.
func (h *cliHub) sendEvent(r *request, e *Event) {
	for _, s := range h.sessions {
		if s.feature != cliWebhooks || s.expired(time.Now()) {
			continue
		}
		for _, m := range r.eventMessages(s, e) {
			h.enqueue(s, m)
		}
	}
}

func (h *cliHub) enqueue(s *cliSession, m *cliMessage) {
	if s.enqueue(m) {
		h.server.log.Warn("stripe CLI is too slow, oldest message dropped", "device", s.device)
	}
}

// subscribe serves the WebSocket of a session until the tool or the server ends it.
func (h *cliHub) subscribe(w http.ResponseWriter, req *http.Request) {
	session := h.find(req.Header.Get("Websocket-Id"))
	if session == nil {
		// The tool compares this message, and then authorizes anew.
		writeCLIError(w, http.StatusUnauthorized, "Unknown WebSocket ID.")
		return
	}
	if feature := req.URL.Query().Get("websocket_feature"); feature != session.feature {
		writeCLIError(w, http.StatusBadRequest, "This session has the feature "+session.feature+", not "+feature+".")
		return
	}
	conn, err := websocket.Accept(w, req, cliSubprotocol)
	if err != nil {
		refuseHandshake(w, err)
		return
	}
	h.serve(session, conn)
}

func (h *cliHub) find(id string) *cliSession {
	h.server.mu.Lock()
	defer h.server.mu.Unlock()
	if s := h.sessions[id]; s != nil && !s.expired(time.Now()) {
		return s
	}
	return nil
}

func writeCLIError(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, wire.Object{"error": wire.Object{"type": "invalid_request_error", "message": message}})
}

func refuseHandshake(w http.ResponseWriter, err error) {
	var refusal *websocket.HandshakeError
	if !errors.As(err, &refusal) {
		writeCLIError(w, http.StatusInternalServerError, "The connection could not be upgraded.")
		return
	}
	w.Header().Set("Sec-WebSocket-Version", "13")
	w.Header().Set("Upgrade", "websocket")
	writeCLIError(w, refusal.Status, refusal.Problem)
}

// serve reads and writes until one of the two fails.
func (h *cliHub) serve(session *cliSession, conn *websocket.Conn) {
	before, ok := h.attach(session, conn)
	if !ok {
		conn.Close(websocket.CloseGoingAway, "the server stops")
		return
	}
	defer h.running.Done()
	if before != nil {
		before.Close(websocket.ClosePolicy, "another connection has this id")
	}
	ctx, stop := context.WithCancel(context.Background())
	written := make(chan struct{})
	go func() {
		defer close(written)
		h.write(ctx, session, conn)
	}()
	h.read(session, conn)
	stop()
	<-written
	h.server.mu.Lock()
	session.disconnect(conn, time.Now())
	h.server.mu.Unlock()
}

func (h *cliHub) attach(session *cliSession, conn *websocket.Conn) (before *websocket.Conn, ok bool) {
	h.server.mu.Lock()
	defer h.server.mu.Unlock()
	if h.closing {
		return nil, false
	}
	h.running.Add(1)
	return session.connect(conn), true
}

// read handles what the tool answers until the connection ends.
func (h *cliHub) read(session *cliSession, conn *websocket.Conn) {
	for {
		raw, err := conn.Read(cliIdleTimeout)
		if err != nil {
			return
		}
		var answer cliAnswer
		if json.Unmarshal(raw, &answer) != nil {
			continue // such as a message of a newer version of the tool
		}
		h.server.mu.Lock()
		switch answer.Type {
		case "event_ack":
			session.acknowledge(answer.acknowledged())
		case "webhook_response":
			session.lastStatus = answer.Status
		}
		h.server.mu.Unlock()
	}
}

// write sends what is queued. A failed write ends the connection, and with it read.
func (h *cliHub) write(ctx context.Context, session *cliSession, conn *websocket.Conn) {
	for {
		message, ok := h.next(session, conn)
		if !ok {
			return
		}
		if message != nil {
			if err := conn.Write(message); err != nil {
				conn.Close(websocket.ClosePolicy, "messages are not received")
				return
			}
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-session.wake:
		}
	}
}

// next returns the next message of a session, or nil. The second result is false if another
// connection has replaced this one.
func (h *cliHub) next(session *cliSession, conn *websocket.Conn) (message []byte, ok bool) {
	h.server.mu.Lock()
	defer h.server.mu.Unlock()
	if session.conn != conn {
		session.wakeUp() // the other one's goroutine
		return nil, false
	}
	if len(session.unsent) == 0 {
		return nil, true
	}
	m := popFirst(&session.unsent)
	session.unacked = append(session.unacked, m)
	return m.render(), true
}

// drop empties all queues and closes all connections. The sessions stay, so that the tool connects
// again at once.
func (h *cliHub) drop(code uint16, reason string) {
	h.server.mu.Lock()
	var open []*websocket.Conn
	for _, s := range h.sessions {
		s.unsent, s.unacked = nil, nil
		if s.conn != nil {
			open = append(open, s.conn)
		}
	}
	h.server.mu.Unlock()
	var closing sync.WaitGroup
	for _, conn := range open {
		closing.Go(func() { conn.Close(code, reason) })
	}
	closing.Wait()
}

// close ends all connections and refuses new ones.
func (h *cliHub) close() {
	h.server.mu.Lock()
	h.closing = true
	h.server.mu.Unlock()
	h.drop(websocket.CloseGoingAway, "the server stops")
	h.running.Wait()
}
