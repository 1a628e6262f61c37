package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"usher/billing"
	"usher/billing/catalog"
	"usher/billing/stripegw"
	"usher/db"
	"usher/stripelocal"
)

// environment is what one batch is played in: a local Stripe, a database, two replicas, and the
// proxies that inject faults between them.
type environment struct {
	batch
	shard   *shard
	results *results
	client  *http.Client
	servers []*http.Server // closed at the end

	stripe       *stripelocal.Server
	stripeOrigin string
	faultProxy   *faultProxy // between the replicas and Stripe's API
	webhookProxy *webhookProxy
	gateway      *stripegw.Gateway
	account      billing.StripeAccount
	prices       []catalog.StripePrice // at the start
	plans        catalog.Catalog       // with the prices at Stripe

	store    *db.Store
	replicas []*replicaProcess
	mails    *mailbox
	sessions *checkoutSessions

	histories   []*history
	round       atomic.Int64 // the current one, from 0
	crashesLeft int          // of PostgreSQL, at most one a round

	// ledgerStart is the id of the last seat change before [environment.delaySeatResponses].
	// No quantity is changed at Stripe after it.
	ledgerStart int64
}

// replicaCount is the number of replicas that share one database.
const replicaCount = 2

// openEnvironment starts everything a batch needs. The replicas run until ctx ends. The environment
// must be closed even if an error is returned.
func openEnvironment(ctx context.Context, sh *shard, b batch) (*environment, error) {
	e := &environment{
		batch: b, shard: sh, results: newResults(), mails: newMailbox(), sessions: newCheckoutSessions(),
		crashesLeft: b.crashes, client: &http.Client{
			Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64},
		},
	}
	if err := e.openStripe(ctx); err != nil {
		return e, err
	}
	if err := e.openDatabase(ctx); err != nil {
		return e, err
	}
	return e, e.startReplicas(ctx)
}

func (e *environment) openStripe(ctx context.Context) (err error) {
	if e.stripe, err = stripelocal.New(stripelocal.Options{}); err != nil {
		return err
	}
	e.faultProxy = newFaultProxy(e.results)
	if e.stripeOrigin, err = e.serve(e.faultProxy.wrap(e.stripe.Handler())); err != nil {
		return err
	}
	e.stripe.SetOrigin(e.stripeOrigin)
	e.gateway = newGateway(e.stripeOrigin)
	if e.account, err = e.gateway.Account(ctx); err != nil {
		return err
	}
	return errors.Join(e.startOnMonthEnd(ctx), e.createAddOn(ctx), e.createCoupons(ctx), e.pushPlans(ctx))
}

// startOnMonthEnd lets every other batch begin on one of the last days of a long month, so that
// periods begin on days that other months do not have.
func (e *environment) startOnMonthEnd(context.Context) error {
	if e.seed/2%2 == 0 {
		return nil
	}
	now := e.stripe.Now().UTC()
	start := time.Date(now.Year(), now.Month()+1, 29+int(e.seed%3), 9, 0, 0, 0, time.UTC)
	for start.Day() < 29 { // the month is shorter
		start = start.AddDate(0, 0, 28)
	}
	e.stripe.AdvanceClock(start)
	return nil
}

// createAddOn creates a price of another application.
func (e *environment) createAddOn(ctx context.Context) error {
	return e.postStripe(ctx, "/v1/prices", url.Values{
		"currency": {"usd"}, "unit_amount": {"500"}, "recurring[interval]": {"month"}, "lookup_key": {addOnKey},
		"product_data[name]": {"Add-on of another application"},
	})
}

func (e *environment) postStripe(ctx context.Context, path string, form url.Values) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.stripeOrigin+path, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.SetBasicAuth(stripeKey, "")
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := e.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("POST %s: %s", path, response.Status)
	}
	return nil
}

func (e *environment) pushPlans(ctx context.Context) error {
	for _, desired := range stripegw.PlanPrices(plansForSale()) {
		price, _, err := e.gateway.EnsurePrice(ctx, desired)
		if err != nil {
			return err
		}
		e.prices = append(e.prices, price)
	}
	e.plans, _ = plansForSale().Resolved(e.prices)
	return nil
}

func (e *environment) openDatabase(ctx context.Context) error {
	dsn, err := e.shard.createDatabase(ctx, e.databaseName())
	if err != nil {
		return err
	}
	e.store, err = db.Open(ctx, dsn)
	return err
}

func (e *environment) databaseName() string { return fmt.Sprintf("simulation_%d", e.seed) }

func (e *environment) oracleDatabaseName() string { return fmt.Sprintf("oracle_%d", e.seed) }

func (e *environment) startReplicas(ctx context.Context) error {
	e.webhookProxy = newWebhookProxy(ctx, e)
	mux := http.NewServeMux()
	mux.Handle("POST /mail", e.mails)
	mux.Handle("POST /events", e.webhookProxy)
	parent, err := e.serve(mux)
	if err != nil {
		return err
	}
	for n := range replicaCount {
		replica, err := e.startReplica(ctx, n, parent)
		if err != nil {
			return err
		}
		e.replicas = append(e.replicas, replica)
	}
	e.stripe.EnsureWebhookEndpoint(parent+"/events", newSecret)
	return nil
}

// startReplica starts the nth replica. A replica that is to be killed is killed at a random point.
func (e *environment) startReplica(ctx context.Context, n int, parent string) (*replicaProcess, error) {
	config := replicaConfig{
		ClockOffset: time.Until(e.stripe.Now()).Round(time.Second),
		DSN:         e.shard.dsn(e.databaseName()), Stripe: e.stripeOrigin, Parent: parent, Seed: e.seed + uint64(n), Chance: crashChance,
	}
	if n < e.kills {
		config.KillAt = 200 + rand.New(rand.NewPCG(e.seed, uint64(n))).IntN(1500)
	}
	return startReplicaProcess(ctx, config, e.client, e.results)
}

// serve starts an HTTP server on a free loopback port and returns its origin.
func (e *environment) serve(handler http.Handler) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: handler}
	e.servers = append(e.servers, server)
	go func() { _ = server.Serve(listener) }()
	return "http://" + listener.Addr().String(), nil
}

// close waits for the replicas, whose context has ended, and removes the databases: those of a
// hundred batches would be gigabytes.
func (e *environment) close() {
	for _, replica := range e.replicas {
		<-replica.done
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if e.store != nil {
		_ = e.store.Close()
	}
	e.shard.dropDatabase(ctx, e.oracleDatabaseName())
	e.shard.dropDatabase(ctx, e.databaseName())
	for _, server := range e.servers {
		_ = server.Close()
	}
	if e.stripe != nil {
		_ = e.stripe.Close(ctx)
	}
}
