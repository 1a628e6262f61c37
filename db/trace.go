package db

import (
	"context"

	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"usher/billing/apperr"
)

// startSpan begins the span of a statement or transaction within a trace, and returns what ends it.
// Outside of a trace it does nothing. The span has the operation's name, and neither SQL nor
// arguments.
func startSpan(ctx context.Context, operation string) (context.Context, func(error)) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, func(error) {}
	}
	ctx, span := parent.TracerProvider().Tracer("usher/db").Start(ctx, operation, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(semconv.DBSystemNamePostgreSQL, semconv.DBOperationName(operation)))
	return ctx, func(err error) {
		if err != nil && apperr.CodeOf(err) == apperr.CodeInternal {
			span.SetStatus(codes.Error, string(apperr.CodeInternal))
		}
		span.End()
	}
}
