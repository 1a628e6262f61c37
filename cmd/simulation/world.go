package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"usher/billing"
	"usher/billing/stripegw"
	"usher/db"
	"usher/stripelocal"
)

// world is one batch: a Stripe, a database, two replicas and the histories that are played on them at once.
type world struct {
	storm  *storm
	ctx    context.Context
	cancel context.CancelFunc
	lane   *lane
	part   // the seed, and how much of what
	client *http.Client

	stripe      *stripelocal.Server
	origin      string
	webs        []*http.Server
	courier     *courier
	gateway     *stripegw.Gateway
	dsn         string
	store       *db.Store
	account     billing.StripeAccount
	replicas    []*process
	late        late
	crashesLeft int          // of the database, one a round
	round       atomic.Int64 // the one being played; the courier holds back what comes late until a later one

	mutex           sync.Mutex
	mails           map[string]int    // by Message-ID
	invitations     map[string]string // the newest link's token, by address
	crashed         map[string]int
	refused         map[string]int
	others          map[string]int    // what happened besides
	opened          map[string]string // the last Checkout session, by organization
	killed          int               // replicas, by SIGKILL
	gaveUp          int               // replicas that ended by themselves
	databaseCrashes int
	judgedEarly     int // histories, before the last comparison
	histories       []*history
	divergences     []string

	ledgerBefore int64 // the ledger's last line before nobody changed a number at Stripe any more
}

const roundsPlayed = 4

func (s *storm) openWorld(ctx context.Context, l *lane, p part) (*world, error) {
	w := &world{
		storm: s, lane: l, part: p, crashesLeft: p.crashes, client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
		mails: map[string]int{}, invitations: map[string]string{}, crashed: map[string]int{}, refused: map[string]int{},
		others: map[string]int{}, opened: map[string]string{},
	}
	w.ctx, w.cancel = context.WithCancel(ctx)
	if err := w.openStripe(); err != nil {
		return nil, err
	}
	if err := w.openDatabase(); err != nil {
		return nil, err
	}
	if err := w.pushPlans(); err != nil {
		return nil, err
	}
	parent, err := w.serve(w.parentRoutes())
	if err != nil {
		return nil, err
	}
	w.courier = newCourier(w)
	for n := range 2 {
		killAt := 0
		if n < p.kills {
			killAt = 200 + rand.New(rand.NewPCG(p.seed, uint64(n))).IntN(1500)
		}
		replica, err := w.startReplica(n, parent, killAt)
		if err != nil {
			return nil, err
		}
		w.replicas = append(w.replicas, replica)
	}
	return w, nil
}

// serve opens a door on loopback and returns its URL.
func (w *world) serve(handler http.Handler) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: handler}
	w.webs = append(w.webs, server)
	go func() { _ = server.Serve(listener) }()
	return "http://" + listener.Addr().String(), nil
}

func (w *world) parentRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /mail", func(_ http.ResponseWriter, r *http.Request) {
		var m mailSent
		_ = json.NewDecoder(r.Body).Decode(&m)
		w.mutex.Lock()
		w.mails[m.ID]++
		w.keepInvitation(m)
		w.mutex.Unlock()
	})
	mux.HandleFunc("POST /events", func(rw http.ResponseWriter, r *http.Request) { w.courier.ServeHTTP(rw, r) })
	return mux
}

func (w *world) openStripe() (err error) {
	if w.stripe, err = stripelocal.New(stripelocal.Options{}); err != nil {
		return err
	}
	if w.origin, err = w.serve(w.counting(w.late.mistreat(w.stripe.Handler()))); err != nil {
		return err
	}
	w.stripe.SetOrigin(w.origin)
	w.gateway = newGateway(w.origin)
	w.account, err = w.gateway.Account(w.ctx)
	return err
}

// counting takes down how often Stripe failed.
func (w *world) counting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		seen := &statusSeen{ResponseWriter: rw}
		defer func() {
			panicked := recover()
			w.mutex.Lock()
			switch {
			case seen.cut:
				w.refused["time-out, before or after the act"]++
			case seen.status == 409 || seen.status == 429 || seen.status >= 500:
				w.refused[fmt.Sprint(seen.status)]++
			}
			w.mutex.Unlock()
			if panicked != nil {
				panic(panicked)
			}
		}()
		next.ServeHTTP(seen, r)
	})
}

type statusSeen struct {
	http.ResponseWriter
	status int
	cut    bool // the connection was taken over, and ended
}

// Hijack is how the local Stripe ends a connection without an answer.
func (s *statusSeen) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	s.cut = true
	return http.NewResponseController(s.ResponseWriter).Hijack()
}

func (s *statusSeen) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap gives the rest of the connection's abilities through.
func (s *statusSeen) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (w *world) name() string { return fmt.Sprintf("storm_%d", w.seed) }

func (w *world) calmName() string { return fmt.Sprintf("calm_%d", w.seed) }

func (w *world) openDatabase() (err error) {
	admin, err := db.Open(w.ctx, w.lane.dsnOf("postgres"))
	if err != nil {
		return err
	}
	defer admin.Close()
	if _, err := admin.DB().ExecContext(w.ctx, `create database `+w.name()+` template `+templateName); err != nil {
		return err
	}
	w.dsn = w.lane.dsnOf(w.name())
	w.store, err = db.Open(w.ctx, w.dsn)
	return err
}

func (w *world) pushPlans() error {
	for _, price := range stripegw.KeyedPrices(billing.BuiltInPlans()) {
		if _, _, err := w.gateway.EnsurePrice(w.ctx, price); err != nil {
			return err
		}
	}
	return nil
}

// count takes down that something happened.
func (w *world) count(what string, n int) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.others[what] += n
}

func (w *world) post(url string, body any) error { return w.ask(url, body, nil) }

func (w *world) ask(url string, body, into any) error {
	sent, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(w.ctx, http.MethodPost, url, bytes.NewReader(sent))
	if err != nil {
		return err
	}
	answer, err := w.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", got)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(got, into)
}

// until waits for a condition.
func (w *world) until(what string, met func() bool) error {
	deadline := time.Now().Add(2 * time.Minute)
	for !met() {
		if time.Now().After(deadline) || w.ctx.Err() != nil {
			return fmt.Errorf("waited for %s", what)
		}
		time.Sleep(20 * time.Millisecond) // between two looks at the condition
	}
	return nil
}

// advance puts everybody's clock ahead.
func (w *world) advance(by time.Duration) error {
	w.stripe.AdvanceClock(w.stripe.Now().Add(by))
	ahead := time.Until(w.stripe.Now()).Round(time.Second)
	for _, p := range w.replicas {
		p.mutex.Lock()
		p.orders.Ahead = ahead
		p.mutex.Unlock()
		if err := w.until("a replica's clock", func() bool { return w.post(p.url+"/clock", ahead) == nil }); err != nil {
			return err
		}
	}
	return nil
}

// play has all histories happen at once, round by round, and looks at what came of it.
func (w *world) play() error {
	if err := w.prepare(); err != nil {
		return err
	}
	w.stripe.EnsureWebhookEndpoint(w.replicas[0].orders.Parent+"/events", newSecret)
	if err := w.pileUp(); err != nil {
		return err
	}
	w.misbehave()
	w.hangSometimes()
	plan := rand.New(rand.NewPCG(w.seed, 99))
	for round := range roundsPlayed {
		w.round.Store(int64(round))
		w.courier.arrive(round)
		var group sync.WaitGroup
		if w.crashesLeft > 0 {
			w.crashesLeft--
			group.Go(func() { w.crashDatabase(time.Duration(100+plan.IntN(900)) * time.Millisecond) })
		}
		if random := plan.Int(); random%2 == 0 {
			group.Go(func() { w.exhaustPool(random / 2) })
		}
		for _, h := range w.histories {
			group.Go(func() { h.play(round) })
		}
		group.Wait()
		if err := w.awaitDatabase(); err != nil {
			return err
		}
		if err := w.advance(time.Duration(1+plan.IntN(24)) * 24 * time.Hour); err != nil {
			return err
		}
		if w.comparesOften() {
			w.compare(plan)
		}
	}
	if err := w.settle(); err != nil {
		return err
	}
	return errors.Join(w.judge(), w.judgeBacklog())
}

// lastActs are what is done with purpose and not by chance, before everything is judged by the events alone: answers are lost and overtaken,
// and everybody changes their mind a few times within a second.
func (w *world) lastActs() error {
	if w.comparesOften() {
		return nil
	}
	for _, last := range []func() error{w.rest, w.overtake, w.echo} {
		if err := last(); err != nil {
			return err
		}
	}
	w.each(oneHalf, "waver")
	return nil
}

// What comes last to one half must not be mended by what comes last to the other.
func oneHalf(h *history) bool   { return h.seed%2 == 0 }
func otherHalf(h *history) bool { return h.seed%2 == 1 }
func all(*history) bool         { return true }

// each does one thing in all histories of a kind at once.
func (w *world) each(of func(*history) bool, what string) {
	var group sync.WaitGroup
	for _, h := range w.histories {
		if of(h) {
			group.Go(func() { h.do(what) })
		}
	}
	group.Wait()
}

// compare has the reconciler read what was lost. Stripe keeps events for 30 days, so that a run which fails is tried again, as it is every hour.
func (w *world) compare(plan *rand.Rand) {
	for range 20 {
		if w.post(w.replicas[plan.IntN(2)].url+"/act", act{What: "reconcile"}) == nil {
			return
		}
	}
}

// comparesOften tells whether events get lost, and the reconciler runs between the rounds. In every other batch neither happens: what the
// reconciler would mend has to be right by the events alone.
func (w *world) comparesOften() bool { return w.seed%2 == 0 }

// misbehave has Stripe fail now and then.
func (w *world) misbehave() {
	faults := w.stripe.Faults()
	faults.Seed(w.seed)
	for _, kind := range []stripelocal.FaultKind{
		stripelocal.RateLimited, stripelocal.LockTimeout, stripelocal.ServerError, stripelocal.TimeoutBefore, stripelocal.TimeoutAfter,
	} {
		_, _ = faults.Add(stripelocal.Fault{Kind: kind, Path: "/v1/**", Chance: 0.01})
	}
}

// settle lets everything come to rest: Stripe is well, nothing crashes, what was held arrives, what was lost is found by the reconciler.
func (w *world) settle() error {
	w.stripe.Faults().Clear()
	for _, p := range w.replicas {
		p.mutex.Lock()
		p.orders.Chance, p.orders.KillAt = 0, 0
		p.mutex.Unlock()
		if err := w.until("calm", func() bool { return w.post(p.url+"/calm", nil) == nil }); err != nil {
			return err
		}
		taken := map[string]int{}
		_ = w.ask(p.url+"/taken", nil, &taken)
		for what, n := range taken {
			w.crashed[what] += n
		}
	}
	if err := w.lastActs(); err != nil {
		return err
	}
	w.courier.settle()
	if err := w.rest(); err != nil {
		return err
	}
	if err := w.judgeUncompared(); err != nil {
		return err
	}
	for range 2 { // what the first finds makes news, of which the second sees the end
		if err := w.advance(3 * time.Hour); err != nil {
			return err
		}
		if err := w.until("a whole comparison", func() bool { return w.post(w.replicas[0].url+"/act", act{What: "reconcile"}) == nil }); err != nil {
			return err
		}
		if err := w.rest(); err != nil {
			return err
		}
	}
	return nil
}

const open = `select (select count(*) from stripe_events where outcome = 'pending' and ` + notOfBacklog + `)
	+ (select count(*) from billing_seat_state where due_at is not null)
	+ (select count(*) from duplicate_subscriptions where status = 'ending') + (select count(*) from emails where status = 'queued')`

// rest waits until nothing is left to be done. What was put off for later is brought nearer by the clock.
func (w *world) rest() error {
	last, since := -1, time.Now()
	return w.until("rest", func() bool {
		w.courier.carry.Wait()
		var left int
		if err := w.store.DB().GetContext(w.ctx, &left, open); err != nil {
			return false
		}
		if left != last {
			last, since = left, time.Now()
		}
		if left > 0 && time.Since(since) > 3*time.Second {
			since = time.Now()
			_ = w.advance(20 * time.Minute)
		}
		return left == 0
	})
}

func (w *world) close() {
	w.cancel()
	for _, p := range w.replicas {
		<-p.done
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	// A batch's databases are of no use to the next, and a hundred of them are gigabytes.
	_, _ = w.store.DB().ExecContext(ctx, `drop database if exists `+w.calmName()+` with (force)`)
	_ = w.store.Close()
	w.lane.drop(ctx, w.name())
	for _, web := range w.webs {
		_ = web.Close()
	}
	_ = w.stripe.Close(ctx)
}
