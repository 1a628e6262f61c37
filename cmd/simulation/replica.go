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
	"usher/billing/job"
	"usher/billing/mail"
	"usher/billing/stripegw"
	"usher/db"
	mailviews "usher/views/mail"
)

// replicaEnv is the environment variable that holds a replica's configuration, a [replicaConfig].
const replicaEnv = "USHER_SIMULATION_REPLICA"

const (
	stripeKey = "sk_test_simulation1234567"
	siteURL   = "http://usher.example"
)

// replicaConfig configures a replica.
type replicaConfig struct {
	ControlAddr string // of the server through which the simulation controls the replica
	SiteAddr    string // of Usher's own server, which receives webhooks
	DSN         string
	Stripe      string // origin
	Parent      string // origin that receives e-mails
	ClockOffset time.Duration
	Seed        uint64  // of simulated crashes
	Chance      float64 // of a simulated crash at each crash point
	KillAt      int     // the number of the crash point at which the process is killed; 0: never
}

// replica is a process with the parts of `usher serve`: service, store, gateway, queue, background
// work and HTTP server. Beside them it has a control server, through which people's operations
// arrive.
type replica struct {
	store       *db.Store
	service     *billing.Service
	crashes     *crashes
	clockOffset atomic.Int64 // a [time.Duration]
}

// runReplica runs a replica until it fails and returns its exit status.
func runReplica(encoded string) int {
	var config replicaConfig
	err := json.Unmarshal([]byte(encoded), &config)
	if err == nil {
		err = serveReplica(context.Background(), config)
	}
	fmt.Fprintln(os.Stderr, "replica:", err)
	return 1
}

func serveReplica(ctx context.Context, config replicaConfig) error {
	r, err := newReplica(ctx, config)
	if err != nil {
		return err
	}
	queue, err := db.NewQueue(r.store, slog.New(slog.DiscardHandler), r.runJob)
	if err != nil {
		return err
	}
	site, err := r.site()
	if err != nil {
		return err
	}
	control, err := net.Listen("tcp", config.ControlAddr)
	if err != nil {
		return err
	}
	for r.service.Prices.Start(ctx) != nil { // injected errors of Stripe
	}
	webhooks, err := net.Listen("tcp", config.SiteAddr)
	if err != nil {
		return err
	}
	failed := make(chan error, 4)
	go func() { failed <- http.Serve(webhooks, site) }()
	go func() { failed <- r.service.Worker.Run(ctx) }()
	go func() { failed <- queue.Run(ctx) }()
	go func() { failed <- http.Serve(control, r.controlRoutes()) }()
	return <-failed
}

func newReplica(ctx context.Context, config replicaConfig) (*replica, error) {
	store, err := db.Open(ctx, config.DSN)
	if err != nil {
		return nil, err
	}
	r := &replica{store: store, crashes: newCrashes(config.Seed, config.Chance, config.KillAt)}
	r.clockOffset.Store(int64(config.ClockOffset))
	options := serviceOptions(crashingStore{store, store, r.crashes}, crashingGateway{newGateway(config.Stripe), r.crashes}, r.now)
	options.Mailer = parentMailer{config.Parent}
	r.service = billing.New(options)
	return r, nil
}

func (r *replica) now() time.Time { return time.Now().Add(time.Duration(r.clockOffset.Load())) }

func newGateway(origin string) *stripegw.Gateway {
	return stripegw.New(stripegw.Options{SecretKey: stripeKey, APIBase: origin, WebhookSecrets: secrets})
}

// serviceOptions returns the options that the replicas and the oracle have in common.
func serviceOptions(store billing.Store, gateway billing.Gateway, now func() time.Time) billing.Options {
	return billing.Options{
		Store: store, Gateway: gateway, Catalog: plansForSale(), KeyFingerprint: "simulation", Now: now,
		Renderer: mailviews.Renderer{}, BaseURL: siteURL, SuccessURL: siteURL + "/?success=true", CancelURL: siteURL,
		ReturnURL: siteURL, AllowedOrigins: []string{siteURL},
		EventCommitters: 1, // so that events are often stored together
	}
}

// runJob runs a job. After a simulated crash the queue retries it, as after a crash of the worker.
func (r *replica) runJob(ctx context.Context, a job.Job) (again time.Duration, err error) {
	defer recoverCrash(&err)
	return r.service.Worker.RunJob(withCrashes(ctx), a)
}

// parentMailer sends e-mails to the environment's mailbox.
type parentMailer struct{ parent string }

// Send implements [billing.Mailer].
func (m parentMailer) Send(ctx context.Context, o mail.Outgoing) error {
	body, err := json.Marshal(sentMail{ID: o.MessageID, To: o.To, Text: o.Text})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, m.parent+"/mail", bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}
