package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"usher/billing"
	"usher/billing/stripegw"
	"usher/db"
	mailviews "usher/views/mail"
)

// replicaEnv holds what a replica is told at its start.
const replicaEnv = "USHER_STORM_REPLICA"

const (
	stripeKey = "sk_test_storm1234567"
	siteURL   = "http://usher.storm"
)

// orders are what a replica is told at its start.
type orders struct {
	Addr   string // where it is spoken to by the storm
	Front  string // where Stripe knocks
	DSN    string
	Stripe string // its origin
	Parent string // where e-mails go
	Ahead  time.Duration
	Seed   uint64
	Chance float64
	KillAt int
}

// replica is one process of the program: the same domain, store, gateway, queue, background work and HTTP edge as `usher serve`, and beside it a
// door for the storm, through which people act.
type replica struct {
	store   *db.Store
	service *billing.Service
	crashes *crashes
	ahead   atomic.Int64
}

func runReplica() int {
	var o orders
	err := json.Unmarshal([]byte(os.Getenv(replicaEnv)), &o)
	if err == nil {
		err = serveReplica(context.Background(), o)
	}
	fmt.Fprintln(os.Stderr, "replica:", err)
	return 1
}

func serveReplica(ctx context.Context, o orders) error {
	store, err := db.Open(ctx, o.DSN)
	if err != nil {
		return err
	}
	r := &replica{store: store, crashes: newCrashes(o.Seed, o.Chance, o.KillAt)}
	r.ahead.Store(int64(o.Ahead))
	options := serviceOptions(crashingStore{store, r.crashes}, crashingGateway{newGateway(o.Stripe), r.crashes},
		func() time.Time { return time.Now().Add(time.Duration(r.ahead.Load())) })
	options.Mailer = parentMailer{o.Parent}
	r.service = billing.New(options)
	queue, err := db.NewQueue(store, slog.New(slog.DiscardHandler), r.ring)
	if err != nil {
		return err
	}
	front, err := r.front()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return err
	}
	for r.service.Start(ctx) != nil { // Stripe fails now and then
	}
	knocks, err := net.Listen("tcp", o.Front)
	if err != nil {
		return err
	}
	failed := make(chan error, 4)
	go func() { failed <- http.Serve(knocks, front) }()
	go func() { failed <- r.service.Work(ctx) }()
	go func() { failed <- queue.Run(ctx) }()
	go func() { failed <- http.Serve(listener, r.routes()) }()
	return <-failed
}

func newGateway(origin string) *stripegw.Gateway {
	return stripegw.New(stripegw.Options{SecretKey: stripeKey, APIBase: origin, WebhookSecrets: secrets})
}

// serviceOptions are what the replicas and the calm one have in common.
func serviceOptions(store billing.Store, gateway billing.Gateway, now func() time.Time) billing.Options {
	return billing.Options{
		Store: store, Gateway: gateway, Catalogue: billing.BuiltInPlans(), KeyFingerprint: "storm", Now: now, Renderer: mailviews.Renderer{},
		BaseURL: siteURL, SuccessURL: siteURL + "/?success=true", CancelURL: siteURL, ReturnURL: siteURL, AllowedOrigins: []string{siteURL},
	}
}

// ring survives a simulated crash as the queue survives a worker's: the job is tried again.
func (r *replica) ring(ctx context.Context, a billing.Alarm) (again time.Duration, err error) {
	defer survive(&err)
	return r.service.Ring(context.WithValue(ctx, canCrash{}, true), a)
}

func survive(err *error) {
	switch panicked := recover().(type) {
	case nil:
	case crash:
		*err = fmt.Errorf("crashed: %s", panicked.point)
	default:
		panic(panicked)
	}
}

func (r *replica) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /act", func(w http.ResponseWriter, req *http.Request) {
		var a act
		var told string
		err := json.NewDecoder(req.Body).Decode(&a)
		if err == nil {
			told, err = r.act(req.Context(), a)
		}
		answer(w, err, told)
	})
	mux.HandleFunc("POST /clock", func(w http.ResponseWriter, req *http.Request) {
		var ahead time.Duration
		err := json.NewDecoder(req.Body).Decode(&ahead)
		r.ahead.Store(int64(ahead))
		answer(w, err, nil)
	})
	mux.HandleFunc("POST /hog", func(w http.ResponseWriter, req *http.Request) {
		var length time.Duration
		err := json.NewDecoder(req.Body).Decode(&length)
		if err == nil {
			err = r.hog(req.Context(), length)
		}
		answer(w, err, nil)
	})
	mux.HandleFunc("POST /calm", func(w http.ResponseWriter, _ *http.Request) {
		r.crashes.calm()
		answer(w, nil, nil)
	})
	mux.HandleFunc("POST /taken", func(w http.ResponseWriter, _ *http.Request) { answer(w, nil, r.crashes.taken()) })
	return mux
}

func answer(w http.ResponseWriter, err error, value any) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(value)
}

// act is something a person does here.
type act struct {
	What           string
	UserID         string
	OrganizationID string
	MemberID       string
	Plan           string
	SessionID      string
	Email          string
	Role           string
	Token          string
	Yes            bool
}

func (a act) interval() billing.Interval {
	if a.Yes {
		return billing.Yearly
	}
	return billing.Monthly
}

// act does what a person does. It returns the Checkout's URL, where there is one.
func (r *replica) act(ctx context.Context, a act) (told string, err error) {
	defer survive(&err)
	ctx = context.WithValue(ctx, canCrash{}, true)
	if a.What == "reconcile" {
		_, err := r.service.Reconcile(ctx, billing.ReconcileOptions{})
		return "", err
	}
	if a.What == "accept" {
		_, err := r.service.AcceptInvitation(ctx, a.Token, a.UserID)
		return "", err
	}
	access, err := r.service.Access(ctx, a.UserID, a.OrganizationID)
	if err != nil {
		return "", err
	}
	switch a.What {
	case "checkout":
		session, err := r.service.StartCheckout(ctx, access, billing.CheckoutRequest{PlanID: a.Plan, Interval: a.interval()})
		if err != nil {
			return "", err
		}
		return session.URL + " " + session.StripeSessionID, nil
	case "pack":
		session, err := r.service.StartPackCheckout(ctx, access, billing.CheckoutRequest{PackID: "credits_500"})
		if err != nil {
			return "", err
		}
		return session.URL + " " + session.StripeSessionID, nil
	case "return":
		_, err = r.service.CompleteCheckout(ctx, access, a.SessionID)
	case "refresh":
		err = r.service.RefreshSubscription(ctx, access)
	case "retry":
		_, err = r.service.RetrySeatSync(ctx, access)
	case "undo":
		_, err = r.service.UndoGathered(ctx, access)
	case "resync":
		_, err = r.service.Reconcile(ctx, billing.ReconcileOptions{OrganizationID: a.OrganizationID})
	default:
		err = r.change(ctx, a, access)
	}
	return "", err
}

// mailSent is what the storm is told of an e-mail.
type mailSent struct{ ID, To, Text string }

// parentMailer tells the storm of every e-mail.
type parentMailer struct{ parent string }

// Send implements [billing.Mailer].
func (m parentMailer) Send(ctx context.Context, o billing.Outgoing) error {
	body, err := json.Marshal(mailSent{ID: o.MessageID, To: o.To, Text: o.Text})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, m.parent+"/mail", bytes.NewReader(body))
	if err != nil {
		return err
	}
	taken, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer taken.Body.Close()
	if taken.StatusCode != http.StatusOK {
		return errors.New(taken.Status)
	}
	return nil
}
