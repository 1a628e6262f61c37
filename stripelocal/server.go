package stripelocal

import (
	"bytes"
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

	"usher/stripelocal/wire"
)

// APIVersion is the account's API version, and that of the stored objects. Calls and webhook
// endpoints may request another one of APIVersions.
const APIVersion = "2024-06-20"

// Options configures a Server. The zero value is a server without a state file.
type Options struct {
	// Origin is the base URL of hosted pages, such as http://localhost:4313. SetOrigin changes it.
	Origin string
	// StatePath is the state file. New loads it; it is written atomically soon after changes and by
	// Close. Empty keeps the state in memory only.
	StatePath string
	Now       func() time.Time // nil is time.Now
	// Speed is how many times as fast as Now the account's clock runs. 0 is the state file's, or 1.
	Speed float64
	// Seed is what every account begins with, unless it has a state file. See ParseSeed.
	Seed *Seed
	// AllowedOrigins are the origins of pages whose scripts may call the API, besides those on a
	// loopback address, such as http://app.test:3000. "*" is any.
	AllowedOrigins []string
	Rand           io.Reader    // nil is crypto/rand; read once, by New
	Log            *slog.Logger // nil discards
}

// Server is a Stripe account in test mode, and the accounts of keys sk_test_acct_NAME_…, which its
// handler serves too. It is safe for concurrent use.
type Server struct {
	name           string // of the account; empty is the default one
	namedAccounts  *namedAccounts
	seed           *Seed
	allowedOrigins allowedOrigins

	wallClock   func() time.Time
	log         *slog.Logger
	handler     http.Handler
	stateWriter *stateWriter
	webhooks    *webhookDispatcher
	cli         *cliHub
	faults      *Faults
	apiTables

	mu            sync.Mutex // guards everything below and every row of the store
	origin        string
	advanceSignal chan struct{} // a test clock has a new target
	ids           *idSource
	encoder       *wire.Encoder // of event objects
	store         *store
	archive       *archive // of the store's texts
	timers        timerQueues
	keysInFlight  map[string]*idempotentRequest
	optionSpeed   float64
	speedAt       time.Time // of wallClock, up to which speed was applied
	speedCarry    float64   // of a second

	stop       context.CancelFunc
	stopped    <-chan struct{}
	background sync.WaitGroup
}

// New returns a running server. It loads the state file if StatePath is set and resumes pending
// webhook deliveries, those of the accounts that have a state file beside it too.
func New(o Options) (*Server, error) {
	random := o.Rand
	if random == nil {
		random = rand.Reader
	}
	seed := make([]byte, 32)
	if _, err := io.ReadFull(random, seed); err != nil {
		return nil, fmt.Errorf("start local stripe: read randomness: %w", err)
	}
	s, err := newServer(o, "", seed)
	if err != nil {
		return nil, err
	}
	s.namedAccounts.options, s.namedAccounts.seed, s.namedAccounts.closed = o, seed, false
	if err := s.namedAccounts.load(o.Origin); err != nil {
		return nil, errors.Join(fmt.Errorf("start local stripe: %w", err), s.Close(context.Background()))
	}
	s.handler = s.allowOrigins(accountRouter{defaultAccount: s, own: s.handler})
	return s, nil
}

// newServer returns the server of one account, without accounts of its own.
func newServer(o Options, name string, random []byte) (*Server, error) {
	if o.Speed != 0 {
		if err := checkSpeed(o.Speed); err != nil {
			return nil, fmt.Errorf("start local stripe: %w", err)
		}
	}
	s := &Server{name: name, namedAccounts: newNamedAccounts(), seed: o.Seed, allowedOrigins: o.AllowedOrigins, optionSpeed: o.Speed,
		wallClock: o.Now, log: o.Log, timers: timerQueues{}, advanceSignal: make(chan struct{}, 1), keysInFlight: map[string]*idempotentRequest{}, encoder: wire.NewEncoder(), archive: &archive{}}
	s.setDefaults()
	s.faults = newFaults(s.wallClock)
	s.SetOrigin(o.Origin)
	if err := s.load(o, random); err != nil {
		return nil, fmt.Errorf("start local stripe: %w", err)
	}
	if err := s.mount(); err != nil {
		return nil, fmt.Errorf("start local stripe: %w", err)
	}
	if err := s.start(); err != nil {
		s.forget() // so that the next start is the first one again
		return nil, errors.Join(fmt.Errorf("start local stripe: %w", err), s.Close(context.Background()))
	}
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

func (s *Server) load(o Options, random []byte) error {
	st, err := loadStore(o.StatePath, s.archive)
	if err != nil {
		return err
	}
	st.Starts++
	s.store = st
	if s.ids, err = newIDSource(bytes.NewReader(random), st.Starts); err != nil {
		return err
	}
	s.stateWriter = newStateWriter(o.StatePath, s.snapshot, s.log)
	if st.Account.ID == "" {
		st.Account = newAccount(s.ids, s.name, s.clock())
	}
	s.speedAt = s.wallClock()
	s.setOptionSpeed()
	return nil
}

// start schedules the timers of the loaded state, applies the seed to a new account and starts
// delivering webhooks.
func (s *Server) start() error {
	ctx, cancel := context.WithCancel(context.Background())
	s.stop, s.stopped = cancel, ctx.Done()
	s.webhooks = newWebhookDispatcher(s)
	s.cli = newCLIHub(s)
	fresh, err := s.resume()
	if err == nil && fresh {
		err = s.applySeedSettings()
	}
	s.background.Add(1)
	go s.run()
	return err
}

// resume continues with the loaded state, or seeds a new one.
func (s *Server) resume() (fresh bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range resources() {
		if r.scheduleTimers != nil {
			r.scheduleTimers(s.newRequest(s.clock(), requestInfo{}))
		}
	}
	s.webhooks.resume()
	if fresh = s.store.Starts == 1; fresh {
		err = s.applySeed()
	}
	return fresh, err
}

func (s *Server) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store = newStore()
}

// run processes due timers every second, and test clocks when they advance.
func (s *Server) run() {
	defer s.background.Done()
	every, fast := time.NewTicker(time.Second), time.NewTicker(speedStep)
	defer every.Stop()
	defer fast.Stop()
	for {
		select {
		case <-s.stopped:
			return
		case <-s.advanceSignal:
			s.advanceTestClocks()
		case <-every.C:
			_ = s.transact(requestInfo{}, func(*request) error { return nil })
		case <-fast.C:
			s.speedUp()
		}
	}
}

// Handler serves the API under /v1/, the hosted pages under /c/, /p/ and /i/, and the dashboard and
// control endpoints under / and /_usher/.
func (s *Server) Handler() http.Handler { return s.handler }

// SetOrigin sets the base URL under which Handler is reachable. It applies to every URL rendered
// from then on; URLs are not stored.
func (s *Server) SetOrigin(origin string) {
	for _, named := range s.namedAccounts.all() {
		named.SetOrigin(origin)
	}
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
	named := s.namedAccounts.close(ctx)
	s.stop()
	s.background.Wait()
	s.cli.close()
	drained := s.webhooks.close(ctx)
	return errors.Join(named, drained, s.stateWriter.close())
}
