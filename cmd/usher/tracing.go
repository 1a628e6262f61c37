package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"usher/billing/apperr"
	"usher/billing/job"
)

// tracingConfig says where traces are sent, by the variables of OpenTelemetry
// (https://opentelemetry.io/docs/specs/otel/protocol/exporter/).
type tracingConfig struct {
	Endpoint string            // base URL of the collector; empty: nothing is traced
	Headers  map[string]string // sent with every export, for example a key of the collector
	Share    float64           // of the traces that begin here, from 0 to 1
}

// startTracing returns what makes spans and sends them to the collector, until the closers flush
// them. Spans hold routes, operations, statuses and request ids: no addresses, no texts of people,
// no parameters.
func startTracing(ctx context.Context, c tracingConfig, version string, log *slog.Logger, closers *closers) (trace.TracerProvider, error) {
	if c.Endpoint == "" {
		return noop.NewTracerProvider(), nil
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(c.Endpoint+"/v1/traces"), otlptracehttp.WithHeaders(c.Headers))
	if err != nil {
		return nil, fmt.Errorf("start tracing: %w", err)
	}
	// Later options win: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES.
	about, err := resource.New(ctx, resource.WithAttributes(semconv.ServiceName("usher"), semconv.ServiceVersion(version)), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("start tracing: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(c.Share))))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces not sent", "err", err) }))
	closers.add("traces", provider.Shutdown)
	return provider, nil
}

// traceJobs returns work with a span around each job.
func traceJobs(provider trace.TracerProvider, work func(context.Context, job.Job) (time.Duration, error)) func(context.Context, job.Job) (time.Duration, error) {
	tracer := provider.Tracer("usher/cmd/usher")
	return func(ctx context.Context, j job.Job) (time.Duration, error) {
		ctx, span := tracer.Start(ctx, "job "+string(j.Kind))
		defer span.End()
		again, err := work(ctx, j)
		if err != nil {
			span.SetStatus(codes.Error, string(apperr.CodeOf(err)))
		}
		span.SetAttributes(attribute.Bool("usher.job.again", again > 0))
		return again, err
	}
}

// parseHeaders reads name=value pairs, separated by commas, with percent-encoded values.
func parseHeaders(value string) (map[string]string, error) {
	headers := map[string]string{}
	for pair := range strings.SplitSeq(value, ",") {
		name, text, found := strings.Cut(strings.TrimSpace(pair), "=")
		text, err := url.PathUnescape(text)
		if !found || err != nil || name == "" || text == "" || strings.ContainsAny(name+text, "\r\n") {
			return nil, errors.New("not a list of name=value")
		}
		headers[name] = text
	}
	return headers, nil
}

func parseTraceEndpoint(value string) (string, error) {
	u, err := parseWebURL(value)
	if err != nil {
		return "", err
	}
	return strings.TrimRight(value, "/"), validate(check{u.RawQuery != "", "contains a query"})
}

func parseShare(value string) (float64, error) {
	share, err := strconv.ParseFloat(value, 64)
	return share, validate(check{err != nil || !(share >= 0 && share <= 1), "not a number within the limits"})
}
