package handlers

import (
	"net"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"usher/billing/apperr"
)

// startSpan begins the span of a request. Assets and probes have none. The header traceparent is
// read from a trusted proxy only: whoever sends it decides whether the trace is kept.
func (s *server) startSpan(r *http.Request, rt route) *http.Request {
	if rt.response == asset || rt.response == stateless && rt.policy != webhook {
		return r
	}
	ctx, state := r.Context(), stateOf(r)
	if peer, _, err := net.SplitHostPort(r.RemoteAddr); err == nil && s.isTrustedProxy(peer) {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
	}
	ctx, state.span = s.tracer.Start(ctx, rt.method+" "+rt.pattern, trace.WithSpanKind(trace.SpanKindServer))
	if state.span.IsRecording() {
		state.span.SetAttributes(semconv.HTTPRequestMethodKey.String(rt.method), semconv.HTTPRoute(rt.pattern), attribute.String("usher.request_id", state.requestID))
	}
	return r.WithContext(ctx)
}

// endSpan ends the span of the request, if it has one.
func (t *requestState) endSpan(status int) {
	if t.span == nil {
		return
	}
	t.span.SetAttributes(semconv.HTTPResponseStatusCode(status))
	if status >= http.StatusInternalServerError {
		t.span.SetStatus(codes.Error, string(apperr.CodeOf(t.err)))
	}
	t.span.End()
}
