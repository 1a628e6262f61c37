package stripegw

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// startSpan begins the span of a call within a trace. Nothing of it is sent to Stripe.
func startSpan(ctx context.Context, operation string) (context.Context, trace.Span) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, trace.SpanFromContext(context.Background()) // does nothing
	}
	return parent.TracerProvider().Tracer("usher/billing/stripegw").Start(ctx, "stripe "+operation, trace.WithSpanKind(trace.SpanKindClient))
}

// endSpan ends a call's span with what was observed. The ids of requests are those in Stripe's log.
func endSpan(span trace.Span, info callInfo, err error) {
	if info.status != 0 {
		span.SetAttributes(semconv.HTTPResponseStatusCode(info.status), attribute.Int("usher.stripe.attempts", info.attempts))
	}
	if info.requestID != "" {
		span.SetAttributes(attribute.String("usher.stripe.request_id", info.requestID))
	}
	if err != nil {
		span.SetStatus(codes.Error, "the call failed")
	}
	span.End()
}
