package handlers

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"usher/billing"
)

// metrics are what /metrics tells (https://prometheus.io/docs/practices/naming/). Each site has its own, nothing is registered globally.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	handler  http.Handler
}

func newMetrics(operations *billing.Operations) *metrics {
	registry := prometheus.NewRegistry()
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "usher_http_requests_total", Help: "Requests answered.",
		}, []string{"method", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "usher_http_request_duration_seconds", Help: "Time from a request's header to the end of its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20},
		}, []string{"route"}),
		handler: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
	}
	registry.MustRegister(m.requests, m.seconds, backlogCollector{operations},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// observe counts an answer under the route's pattern: paths would be a series each.
func (m *metrics) observe(method, route string, status int, took time.Duration) {
	if route == "" {
		route = "none"
	}
	if !knownMethods[method] {
		method = "other"
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

// knownMethods bounds the series: a method can be any word.
var knownMethods = map[string]bool{get: true, post: true, http.MethodHead: true}

// backlogCollector reads what waits when it is asked, so that every replica tells the same.
type backlogCollector struct{ operations *billing.Operations }

// backlogTimeout bounds the reading: a scrape has ten seconds by default.
const backlogTimeout = 5 * time.Second

// The gauges of the backlog.
var (
	eventsGauge      = prometheus.NewDesc("usher_events", "Events of Stripe that are not settled, by outcome.", []string{"outcome"}, nil)
	oldestEventGauge = prometheus.NewDesc("usher_events_oldest_pending_timestamp_seconds", "When the oldest pending event was received; 0: none is pending.", nil, nil)
	seatsGauge       = prometheus.NewDesc("usher_seat_syncs", "Organizations whose seats Stripe is to be told, or whose last attempt failed.", []string{"state"}, nil)
	duplicatesGauge  = prometheus.NewDesc("usher_surplus_subscriptions_failed", "Second subscriptions that could not be ended and refunded.", nil, nil)
	mailsGauge       = prometheus.NewDesc("usher_emails", "E-mails that are not sent, by status.", []string{"status"}, nil)
	jobsGauge        = prometheus.NewDesc("usher_jobs", "Alarms in the queue, by state.", []string{"state"}, nil)
)

// Describe implements [prometheus.Collector].
func (backlogCollector) Describe(into chan<- *prometheus.Desc) {
	for _, gauge := range []*prometheus.Desc{eventsGauge, oldestEventGauge, seatsGauge, duplicatesGauge, mailsGauge, jobsGauge} {
		into <- gauge
	}
}

// Collect implements [prometheus.Collector]. Without a database the whole scrape fails: numbers of nothing would look like peace.
func (c backlogCollector) Collect(into chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), backlogTimeout)
	defer cancel()
	backlog, err := c.operations.Backlog(ctx)
	if err != nil {
		into <- prometheus.NewInvalidMetric(eventsGauge, err)
		return
	}
	tell := func(gauge *prometheus.Desc, value int, labels ...string) {
		into <- prometheus.MustNewConstMetric(gauge, prometheus.GaugeValue, float64(value), labels...)
	}
	tell(eventsGauge, backlog.PendingEvents, "pending")
	tell(eventsGauge, backlog.FailedEvents, "failed")
	oldest := 0
	if backlog.OldestPending != nil {
		oldest = int(backlog.OldestPending.Unix())
	}
	tell(oldestEventGauge, oldest)
	tell(seatsGauge, backlog.PendingSeats, "waiting")
	tell(seatsGauge, backlog.FailingSeats, "failing")
	tell(duplicatesGauge, backlog.FailedDuplicates)
	tell(mailsGauge, backlog.QueuedMails, "queued")
	tell(mailsGauge, backlog.FailedMails, "failed")
	for state, n := range backlog.Jobs {
		tell(jobsGauge, n, state)
	}
}

// sendMetrics answers whoever has the token. Without one it is open in development, and not there in production.
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

// hasBearerToken tells whether a request carries a token (RFC 6750). Hashes are compared, so that neither the length nor the beginning shows in the time.
func hasBearerToken(r *http.Request, token string) bool {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	want, got := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(strings.TrimSpace(given)))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(want[:], got[:]) == 1
}
