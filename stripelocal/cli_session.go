package stripelocal

import (
	"net/http"
	"slices"
	"time"

	"usher/stripelocal/websocket"
	"usher/stripelocal/wire"
)

// The features that a session of Stripe's command line tool can have: stripe listen and stripe logs
// tail (source: stripe/stripe-cli, pkg/cmd/listen.go and pkg/logtailing/tailer.go).
const (
	cliWebhooks    = "webhooks"
	cliRequestLogs = "request_logs"
)

const (
	cliSubscribePath = "/v1/stripecli/subscribe/" // and the account's id
	maxCLISessions   = 100
	// cliSessionLifetime is how long a session without a connection stays, in real time. Events are
	// queued meanwhile.
	cliSessionLifetime = 5 * time.Minute
	// cliReconnectDelay is after how many seconds the tool opens a new connection by itself.
	cliReconnectDelay = 600
)

// cliSession is a session of Stripe's command line tool. It lives in memory: the tool authorizes
// anew if its session is unknown. The server's lock guards it.
type cliSession struct {
	id        string // in the header Websocket-Id
	device    string
	feature   string
	secret    string
	webhookID string
	forwardTo string
	filter    logFilter
	idleSince time.Time // real time; of the creation, or of the last connection's end

	conn    *websocket.Conn // nil without a connection
	unsent  []*cliMessage
	unacked []*cliMessage // sent through a connection, and not acknowledged
	wake    chan struct{}

	acknowledged int
	lastStatus   int // of the endpoint to which the tool forwarded last
}

// cliSessions serves /v1/stripecli/sessions.
type cliSessions struct{ *request }

func cliSessionResource() resource {
	return resource{objectType: "stripecli.session", routes: []route{
		on("POST /v1/stripecli/sessions", "device_name! websocket_features[]! filters forward_to_url forward_connect_to_url"+
			" forward_thin_to_url forward_thin_connect_to_url", cliSessions.create),
	}}
}

// create authorizes the tool (source: stripe/stripe-cli, pkg/stripeauth).
func (h cliSessions) create(in *input) (any, error) {
	session, err := h.newSession(in)
	if err != nil {
		return nil, err
	}
	if err := h.cli.add(session); err != nil {
		return nil, err
	}
	return wire.Object{
		"websocket_id": session.id, "websocket_url": websocketURL(in.req, h.store.Account.ID),
		"websocket_authorized_feature": session.feature, "secret": session.secret,
		"default_version": APIVersion, "latest_version": LatestAPIVersion(), "device_token": "",
		"reconnect_delay": cliReconnectDelay, "display_connect_filter_warning": session.filter.namesAccounts(),
	}, nil
}

func (h cliSessions) newSession(in *input) (*cliSession, error) {
	feature, err := cliFeature(in.Strings("websocket_features"))
	if err != nil {
		return nil, err
	}
	filter, err := parseLogFilter(in.String("filters"))
	if err != nil {
		return nil, err
	}
	return &cliSession{
		id: "cliws_1" + h.ids.token(24), device: in.String("device_name"), feature: feature,
		secret: h.cliSecret(in.String("device_name")), webhookID: h.ids.longID("we_1"),
		forwardTo: in.String("forward_to_url"), filter: filter, idleSince: time.Now(), wake: make(chan struct{}, 1),
	}, nil
}

// cliFeature is the first feature that this server has. Events of version 2 are not implemented.
func cliFeature(features []string) (string, error) {
	for _, name := range features {
		if name == cliWebhooks || name == cliRequestLogs {
			return name, nil
		}
	}
	return "", wire.Invalid("", "websocket_features", "This local Stripe has the features webhooks and request_logs, and none of those that were requested (v2_events are thin events, which it does not send).")
}

// cliSecret is the signing secret of a device. It stays the same between sessions and starts, so
// that stripe listen --print-secret prints the one that stripe listen signs with (docs: Stripe CLI,
// the secret does not change between restarts of the listen command).
func (h cliSessions) cliSecret(device string) string {
	secret, ok := h.store.CLISecrets[device]
	if !ok {
		secret = "whsec_" + h.ids.token(64)
		h.store.CLISecrets[device] = secret
		h.changed = true
	}
	return secret
}

// websocketURL is where the tool connects to: the address by which it has reached this server.
func websocketURL(req *http.Request, account string) string {
	scheme := "ws"
	if req.TLS != nil || req.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "wss"
	}
	return scheme + "://" + req.Host + cliSubscribePath + account
}

// enqueue queues a message. A session without room loses its oldest one.
func (s *cliSession) enqueue(m *cliMessage) (lost bool) {
	if lost = len(s.unsent)+len(s.unacked) >= maxCLIQueue; lost {
		if len(s.unacked) > 0 {
			s.unacked = s.unacked[1:]
		} else {
			s.unsent = s.unsent[1:]
		}
	}
	s.unsent = append(s.unsent, m)
	s.wakeUp()
	return lost
}

func (s *cliSession) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// acknowledge forgets a message that the tool has received.
func (s *cliSession) acknowledge(key string) {
	at := slices.IndexFunc(s.unacked, func(m *cliMessage) bool { return m.key == key })
	if at >= 0 {
		s.unacked = slices.Delete(s.unacked, at, at+1)
		s.acknowledged++
	}
}

// connect makes c the session's connection and returns the one before, if any. What the tool did
// not acknowledge is sent again.
func (s *cliSession) connect(c *websocket.Conn) (before *websocket.Conn) {
	before, s.conn = s.conn, c
	s.unsent, s.unacked = append(s.unacked, s.unsent...), nil
	s.wakeUp()
	return before
}

// disconnect ends the connection, unless another one has replaced it.
func (s *cliSession) disconnect(c *websocket.Conn, now time.Time) {
	if s.conn == c {
		s.conn, s.idleSince = nil, now
	}
}

func (s *cliSession) expired(now time.Time) bool {
	return s.conn == nil && now.Sub(s.idleSince) > cliSessionLifetime
}
