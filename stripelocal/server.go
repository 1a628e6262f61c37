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

// APIVersion is the one API version whose shapes are spoken here.
const APIVersion = "2024-06-20"

// Options configures a Server; the zero value is a working memory-only one.
type Options struct {
	Origin    string           // public base URL used in hosted URLs, e.g. http://localhost:4313; may be set later with SetOrigin
	StatePath string           // "" = memory only; else a JSON file, loaded by New, written atomically soon after changes and on Close
	Now       func() time.Time // nil = time.Now
	Rand      io.Reader        // nil = crypto/rand; read once, by New
	Log       *slog.Logger     // nil = discard
}

// Server is one Stripe test-mode account. It is safe for concurrent use.
type Server struct {
	wallClock   func() time.Time
	log         *slog.Logger
	handler     http.Handler
	stateWriter *stateWriter
	webhooks    *webhookDispatcher
	renderers   map[string]renderByID
	routes      map[string]boundRoute // by pattern, for pages that make API calls
	templates   *pages.Set
	faults      *Faults

	mu            sync.Mutex // guards everything below, and every row in state
	origin        string
	advanceSignal chan struct{} // a test clock is to advance
	ids           *idSource
	encoder       *wire.Encoder // of events
	store         *store
	timers        map[string]*timerQueue
	keysInFlight  map[string]*idempotentRequest

	stop       context.CancelFunc
	stopped    <-chan struct{}
	background sync.WaitGroup
}

// New makes a server, with what StatePath holds where it is set. Webhooks that
// were still owed when the file was written are delivered from now on.
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

// start arms the timers that the loaded state calls for and begins to deliver.
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

// run lets what is due happen although nobody asks.
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

// Handler serves the API under /v1/, the hosted pages under /c/, /p/ and /i/,
// and what only a local Stripe has under /_usher/.
func (s *Server) Handler() http.Handler { return s.handler }

// SetOrigin says under which base URL the handler is reached. It holds for
// every URL rendered from now on; none is ever stored.
func (s *Server) SetOrigin(origin string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.origin = strings.TrimRight(origin, "/")
}

// EnsureWebhookEndpoint registers url for the given event types (all where
// none is named), or brings the endpoint that has this URL to this secret and
// these types.
func (s *Server) EnsureWebhookEndpoint(url, secret string, events ...string) {
	_ = s.transact(requestInfo{}, func(r *request) error {
		r.webhookEndpoints.ensure(url, secret, events)
		return nil
	})
}

// Close attempts every delivery that is due, then writes the state. Retries
// not yet due stay in the state file. It returns the first of ctx's error and
// the error of writing.
func (s *Server) Close(ctx context.Context) error {
	s.stop()
	s.background.Wait()
	drained := s.webhooks.close(ctx)
	return errors.Join(drained, s.stateWriter.close())
}
