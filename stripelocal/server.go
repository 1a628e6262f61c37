package stripelocal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"usher/stripelocal/pages"
	"usher/stripelocal/wire"
)

// APIVersion is the only API version whose object shapes are supported.
const APIVersion = "2024-06-20"

// Options configures a Server. The zero value is a server without a state file.
type Options struct {
	// Origin is the base URL of hosted pages, such as http://localhost:4313. SetOrigin changes it.
	Origin string
	// StatePath is the state file. New loads it; it is written atomically soon after changes and by
	// Close. Empty keeps the state in memory only.
	StatePath string
	Now       func() time.Time // nil is time.Now
	Rand      io.Reader        // nil is crypto/rand; read once, by New
	Log       *slog.Logger     // nil discards
}

// Server is one Stripe account in test mode. It is safe for concurrent use.
type Server struct {
	wallClock   func() time.Time
	log         *slog.Logger
	handler     http.Handler
	stateWriter *stateWriter
	webhooks    *webhookDispatcher
	renderers   map[string]renderFunc
	routes      map[string]boundRoute // by pattern, for API calls from pages
	templates   *pages.Set
	faults      *Faults

	mu            sync.Mutex // guards everything below and every row of the store
	origin        string
	advanceSignal chan struct{} // a test clock has a new target
	ids           *idSource
	encoder       *wire.Encoder // of event objects
	store         *store
	timers        map[string]*timerQueue
	keysInFlight  map[string]*idempotentRequest

	stop       context.CancelFunc
	stopped    <-chan struct{}
	background sync.WaitGroup
}

// New returns a running server. It loads the state file if StatePath is set and resumes pending
// webhook deliveries.
func New(o Options) (*Server, error) {
	s := &Server{wallClock: o.Now, log: o.Log, timers: map[string]*timerQueue{}, advanceSignal: make(chan struct{}, 1), keysInFlight: map[string]*idempotentRequest{}, encoder: wire.NewEncoder()}
	s.setDefaults()
	s.faults = newFaults(s.wallClock)
	s.SetOrigin(o.Origin)
	if err := s.load(o); err != nil {
		return nil, fmt.Errorf("start local stripe: %w", err)
	}
	if err := s.mount(); err != nil {
		return nil, fmt.Errorf("start local stripe: %w", err)
	}
	s.start()
	return s, nil
}

func (s *Server) setDefaults() {
	if s.wallClock == nil {
		s.wallClock = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
}

func (s *Server) load(o Options) error {
	random := o.Rand
	if random == nil {
		random = rand.Reader
	}
	st, err := loadStore(o.StatePath)
	if err != nil {
		return err
	}
	st.Starts++
	s.store = st
	if s.ids, err = newIDSource(random, st.Starts); err != nil {
		return err
	}
	s.stateWriter = newStateWriter(o.StatePath, s.snapshot, s.log)
	if st.Account.ID == "" {
		st.Account = newAccount(s.ids, s.clock())
	}
	return nil
}

// start schedules the timers of the loaded state and starts delivering webhooks.
func (s *Server) start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.stop, s.stopped = cancel, ctx.Done()
	s.webhooks = newWebhookDispatcher(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range resources() {
		if r.scheduleTimers != nil {
			r.scheduleTimers(s.newRequest(s.clock(), requestInfo{}))
		}
	}
	s.webhooks.resume()
	s.background.Add(1)
	go s.run()
}

// run processes due timers every second, and test clocks when they advance.
func (s *Server) run() {
	defer s.background.Done()
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		select {
		case <-s.stopped:
			return
		case <-s.advanceSignal:
			s.advanceTestClocks()
		case <-every.C:
			_ = s.transact(requestInfo{}, func(*request) error { return nil })
		}
	}
}

// Handler serves the API under /v1/, the hosted pages under /c/, /p/ and /i/, and the dashboard and
// control endpoints under / and /_usher/.
func (s *Server) Handler() http.Handler { return s.handler }

// SetOrigin sets the base URL under which Handler is reachable. It applies to every URL rendered
// from then on; URLs are not stored.
func (s *Server) SetOrigin(origin string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.origin = strings.TrimRight(origin, "/")
}

// EnsureWebhookEndpoint registers an endpoint for the given event types (all if none is given). It
// updates the secret and types of an existing endpoint with this URL.
func (s *Server) EnsureWebhookEndpoint(url, secret string, events ...string) {
	_ = s.transact(requestInfo{}, func(r *request) error {
		r.webhookEndpoints.ensure(url, secret, events)
		return nil
	})
}

// Close attempts all due deliveries and writes the state file. Retries that are not due stay in the
// state file. It joins the error of ctx and the error of writing.
func (s *Server) Close(ctx context.Context) error {
	s.stop()
	s.background.Wait()
	drained := s.webhooks.close(ctx)
	return errors.Join(drained, s.stateWriter.close())
}
