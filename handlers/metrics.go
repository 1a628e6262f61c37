package handlers

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"usher/billing"
	webhooks "usher/billing/webhook"
)

// StripeMetrics counts and times the requests to Stripe.
type StripeMetrics struct {
	requests *prometheus.CounterVec
	seconds  prometheus.Histogram
}

// NewStripeMetrics returns metrics without requests.
func NewStripeMetrics() *StripeMetrics {
	return &StripeMetrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "usher_stripe_requests_total", Help: "Requests to Stripe, by what they do and by the status of the response; 0: none came.",
		}, []string{"operation", "status"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "usher_stripe_request_duration_seconds", Help: "Time from sending a request to Stripe to the header of the response.",
			Buckets: []float64{.05, .1, .2, .4, .8, 1.6, 3.2, 6.4, 12.8, 25.6},
		}),
	}
}

// Observe counts a request. The status is 0 if no response came.
func (m *StripeMetrics) Observe(operation string, status int, took time.Duration) {
	m.requests.WithLabelValues(operation, strconv.Itoa(status)).Inc()
	m.seconds.Observe(took.Seconds())
}

// Describe implements [prometheus.Collector].
func (m *StripeMetrics) Describe(into chan<- *prometheus.Desc) {
	m.requests.Describe(into)
	m.seconds.Describe(into)
}

// Collect implements [prometheus.Collector].
func (m *StripeMetrics) Collect(into chan<- prometheus.Metric) {
	m.requests.Collect(into)
	m.seconds.Collect(into)
}

// WebhookMetrics counts the attempts to deliver outgoing webhooks.
type WebhookMetrics struct{ attempts *prometheus.CounterVec }

// NewWebhookMetrics returns metrics without attempts.
func NewWebhookMetrics() *WebhookMetrics {
	m := &WebhookMetrics{attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "usher_webhook_attempts_total", Help: "Attempts to deliver outgoing webhooks, by outcome: delivered, retried, or failed for good.",
	}, []string{"outcome"})}
	for _, outcome := range []string{webhooks.OutcomeDelivered, webhooks.OutcomeRetried, webhooks.OutcomeFailed} {
		m.attempts.WithLabelValues(outcome)
	}
	return m
}

// Observe counts an attempt.
func (m *WebhookMetrics) Observe(outcome string) { m.attempts.WithLabelValues(outcome).Inc() }

// Describe implements [prometheus.Collector].
func (m *WebhookMetrics) Describe(into chan<- *prometheus.Desc) { m.attempts.Describe(into) }

// Collect implements [prometheus.Collector].
func (m *WebhookMetrics) Collect(into chan<- prometheus.Metric) { m.attempts.Collect(into) }

// metrics are the Prometheus metrics of this site, named by
// https://prometheus.io/docs/practices/naming/. Each site has its own registry.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	handler  http.Handler
}

func newMetrics(o Options, security *securityLog) *metrics {
	registry := prometheus.NewRegistry()
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "usher_http_requests_total", Help: "HTTP requests.",
		}, []string{"method", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "usher_http_request_duration_seconds", Help: "Time from reading the request header to the end of the response.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20},
		}, []string{"route"}),
		handler: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "usher_build_info", Help: "The running program; its value is 1.", ConstLabels: prometheus.Labels{"version": o.Version},
	})
	build.Set(1)
	registry.MustRegister(m.requests, m.seconds, security.events, backlogCollector{o.Billing.Operations}, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if o.Stripe != nil {
		registry.MustRegister(o.Stripe)
	}
	if o.Webhooks != nil {
		registry.MustRegister(o.Webhooks)
	}
	if o.Pool != nil {
		registry.MustRegister(poolCollector{o.Pool})
	}
	registry.MustRegister(lagCollector{o.ReadLag})
	return m
}

// observe counts a response under the route's pattern; a path as label would create unbounded
// series.
func (m *metrics) observe(method, route string, status int, elapsed time.Duration) {
	if route == "" {
		route = "none"
	}
	if !knownMethods[method] {
		method = "other"
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(elapsed.Seconds())
}

// knownMethods bounds the label values: a client can send any method.
var knownMethods = map[string]bool{get: true, post: true, http.MethodHead: true}

// poolCollector shows the database connections of this replica.
type poolCollector struct{ stats func() billing.PoolStats }

// What poolCollector shows.
var (
	connectionsGauge = prometheus.NewDesc("usher_database_connections", "Database connections of this replica, by state; limit: as many are opened at most.", []string{"state"}, nil)
	waitsCounter     = prometheus.NewDesc("usher_database_connection_waits_total", "How often a connection was waited for.", nil, nil)
	waitedCounter    = prometheus.NewDesc("usher_database_connection_wait_seconds_total", "How long connections were waited for in all.", nil, nil)
)

// Describe implements [prometheus.Collector].
func (poolCollector) Describe(into chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{connectionsGauge, waitsCounter, waitedCounter} {
		into <- desc
	}
}

// Collect implements [prometheus.Collector].
func (c poolCollector) Collect(into chan<- prometheus.Metric) {
	pool := c.stats()
	for state, n := range map[string]int{"in_use": pool.InUse, "idle": pool.Idle, "limit": pool.Limit} {
		into <- prometheus.MustNewConstMetric(connectionsGauge, prometheus.GaugeValue, float64(n), state)
	}
	into <- prometheus.MustNewConstMetric(waitsCounter, prometheus.CounterValue, float64(pool.Waits))
	into <- prometheus.MustNewConstMetric(waitedCounter, prometheus.CounterValue, pool.Waited.Seconds())
}

// lagCollector shows how far the standby is behind.
type lagCollector struct {
	lag func() (time.Duration, bool) // nil: there is no standby
}

var lagGauge = prometheus.NewDesc("usher_read_database_lag_seconds", "How far the standby of READ_DATABASE_URL is behind; 0 without one, missing while that is not known.", nil, nil)

// Describe implements [prometheus.Collector].
func (lagCollector) Describe(into chan<- *prometheus.Desc) { into <- lagGauge }

// Collect implements [prometheus.Collector].
func (c lagCollector) Collect(into chan<- prometheus.Metric) {
	lag, known := time.Duration(0), true
	if c.lag != nil {
		lag, known = c.lag()
	}
	if known {
		into <- prometheus.MustNewConstMetric(lagGauge, prometheus.GaugeValue, lag.Seconds())
	}
}

// backlogCollector reads the backlog from the database at each scrape, so that every replica
// reports the same values.
type backlogCollector struct{ operations *billing.Operations }

// backlogTimeout bounds the queries; the default scrape time-out is ten seconds.
const backlogTimeout = 5 * time.Second

// Gauges of the backlog.
var (
	databaseGauge    = prometheus.NewDesc("usher_database_up", "1 if the gauges of the backlog could be read from the database; otherwise 0, and they are missing.", nil, nil)
	receivedGauge    = prometheus.NewDesc("usher_events_received_timestamp_seconds", "When the last Stripe event was received; 0 if none is stored.", nil, nil)
	missedGauge      = prometheus.NewDesc("usher_events_missed", "Events that the last whole comparison found at Stripe and that no webhook had delivered.", nil, nil)
	oldestJobGauge   = prometheus.NewDesc("usher_jobs_oldest_available_timestamp_seconds", "Since when the oldest River job waits that no process has taken; 0 if none waits.", nil, nil)
	eventsGauge      = prometheus.NewDesc("usher_events", "Stored Stripe events that are pending or failed, by outcome.", []string{"outcome"}, nil)
	oldestEventGauge = prometheus.NewDesc("usher_events_oldest_pending_timestamp_seconds", "When the oldest pending event was received; 0 if none is pending.", nil, nil)
	seatsGauge       = prometheus.NewDesc("usher_seat_syncs", "Organizations with a pending or failing seat sync, by state.", []string{"state"}, nil)
	duplicatesGauge  = prometheus.NewDesc("usher_duplicate_subscriptions_failed", "Duplicate subscriptions that could not be canceled and refunded.", nil, nil)
	secondGauge      = prometheus.NewDesc("usher_second_subscriptions", "Live subscriptions beside an organization's current one that an operator has to decide about.", nil, nil)
	mischargedGauge  = prometheus.NewDesc("usher_plan_changes_mischarged", "Plan changes of the last 90 days whose invoice has another amount than was confirmed.", nil, nil)
	mailsGauge       = prometheus.NewDesc("usher_emails", "E-mails that are queued or failed, by status.", []string{"status"}, nil)
	pricesGauge      = prometheus.NewDesc("usher_prices_not_offered", "Prices of the plan file that were not found at Stripe, or differ there in interval, currency or type.", nil, nil)
	driftsGauge      = prometheus.NewDesc("usher_drifts", "Differences from Stripe that the last whole comparison found and did not repair, by kind.", []string{"kind"}, nil)
	comparedGauge    = prometheus.NewDesc("usher_reconciled_timestamp_seconds", "When the last whole comparison with Stripe ended; 0 if none has.", nil, nil)
	changesGauge     = prometheus.NewDesc("usher_webhook_changes_oldest_timestamp_seconds", "When the oldest change was stored that is not published for outgoing webhooks; 0 if there is none.", nil, nil)
	deliveriesGauge  = prometheus.NewDesc("usher_webhook_deliveries_pending", "Messages that outgoing webhooks have not delivered yet.", nil, nil)
	oldestHookGauge  = prometheus.NewDesc("usher_webhook_deliveries_oldest_pending_timestamp_seconds", "When the oldest pending message was made; 0 if none is pending.", nil, nil)
	endpointsGauge   = prometheus.NewDesc("usher_webhook_endpoints", "Outgoing webhooks that are failing, or disabled after failures, by state.", []string{"state"}, nil)
	jobsGauge        = prometheus.NewDesc("usher_jobs", "River jobs, by state.", []string{"state"}, nil)
)

// Describe implements [prometheus.Collector].
func (backlogCollector) Describe(into chan<- *prometheus.Desc) {
	for _, gauge := range []*prometheus.Desc{databaseGauge, receivedGauge, missedGauge, oldestJobGauge, eventsGauge, oldestEventGauge, seatsGauge, duplicatesGauge, secondGauge, mischargedGauge, mailsGauge, pricesGauge, driftsGauge, comparedGauge, changesGauge, deliveriesGauge, oldestHookGauge, endpointsGauge, jobsGauge} {
		into <- gauge
	}
}

// Collect implements [prometheus.Collector]. While the database is unavailable the gauges are
// missing: zeros would hide the outage.
func (c backlogCollector) Collect(into chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), backlogTimeout)
	defer cancel()
	backlog, err := c.operations.Backlog(ctx)
	emit := func(gauge *prometheus.Desc, value int, labels ...string) {
		into <- prometheus.MustNewConstMetric(gauge, prometheus.GaugeValue, float64(value), labels...)
	}
	if err != nil {
		emit(databaseGauge, 0)
		return
	}
	emit(databaseGauge, 1)
	emit(receivedGauge, unixOrZero(backlog.LastReceived))
	emit(missedGauge, backlog.MissedEvents)
	emit(oldestJobGauge, unixOrZero(backlog.OldestJob))
	emit(eventsGauge, backlog.PendingEvents, "pending")
	emit(eventsGauge, backlog.FailedEvents, "failed")
	emit(oldestEventGauge, unixOrZero(backlog.OldestPending))
	emit(seatsGauge, backlog.PendingSeats, "pending")
	emit(seatsGauge, backlog.FailingSeats, "failing")
	emit(duplicatesGauge, backlog.FailedDuplicates)
	emit(secondGauge, backlog.SecondSubscriptions)
	emit(mischargedGauge, backlog.MischargedChanges)
	emit(mailsGauge, backlog.QueuedMails, "queued")
	emit(mailsGauge, backlog.FailedMails, "failed")
	emit(pricesGauge, backlog.PricesNotOffered)
	for _, kind := range billing.DriftKinds() {
		emit(driftsGauge, backlog.Drifts[kind], string(kind))
	}
	emit(comparedGauge, unixOrZero(backlog.ComparedAt))
	emit(changesGauge, unixOrZero(backlog.Webhooks.OldestChange))
	emit(deliveriesGauge, backlog.Webhooks.Pending)
	emit(oldestHookGauge, unixOrZero(backlog.Webhooks.OldestPending))
	emit(endpointsGauge, backlog.Webhooks.Failing, "failing")
	emit(endpointsGauge, backlog.Webhooks.Disabled, "disabled")
	for state, n := range backlog.Jobs {
		emit(jobsGauge, n, state)
	}
}

func unixOrZero(t *time.Time) int {
	if t == nil {
		return 0
	}
	return int(t.Unix())
}

// showMetrics serves the metrics to holders of the token. Without a configured token they are
// public in development and not found in production.
func (e *systemEndpoints) showMetrics(w http.ResponseWriter, r *http.Request) error {
	switch {
	case e.metricsToken == "" && !e.development:
		return errPageNotFound
	case e.metricsToken != "" && !hasBearerToken(r, e.metricsToken):
		w.Header().Set("WWW-Authenticate", "Bearer")
		return errMetricsToken
	}
	w.Header().Set("Cache-Control", "no-store")
	e.metrics.handler.ServeHTTP(w, r)
	return nil
}

// hasBearerToken reports whether a request carries the token (RFC 6750). It compares hashes in
// constant time, so that timing reveals neither the length nor a prefix.
func hasBearerToken(r *http.Request, token string) bool {
	given, ok := bearerToken(r)
	want, got := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(given))
	return ok && subtle.ConstantTimeCompare(want[:], got[:]) == 1
}
