package handlers

import (
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
)

// observe assigns the request id, counts the request and logs it once it is complete. It logs the
// route's pattern, never the path or the query: these can contain tokens and session ids.
func (s *server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := s.now()
		state := &requestState{requestID: s.newRequestID(), clientAddress: s.clientIP(r), userAgent: r.UserAgent(), response: page}
		w.Header().Set("X-Request-Id", state.requestID)
		recorder := &statusRecorder{ResponseWriter: w}
		defer func() {
			elapsed := s.now().Sub(started)
			s.metrics.observe(r.Method, state.route, recorder.status, elapsed)
			s.logRequest(r, state, recorder, elapsed.Microseconds())
			state.endSpan(recorder.status)
			s.security.recordError(r, state.err)
		}()
		r = r.WithContext(withRequestState(r.Context(), state))
		next.ServeHTTP(recorder, r)
	})
}

func (s *server) newRequestID() string {
	var random [8]byte
	if _, err := io.ReadFull(s.rand, random[:]); err != nil {
		panic("handlers: no randomness: " + err.Error()) // only a test's reader can fail
	}
	return "req_" + hex.EncodeToString(random[:])
}

func (s *server) logRequest(r *http.Request, t *requestState, recorder *statusRecorder, microseconds int64) {
	attrs := []slog.Attr{
		slog.String("request_id", t.requestID), slog.String("client_address", t.clientAddress), slog.String("method", r.Method), slog.String("route", t.route),
		slog.Int("status", recorder.status), slog.Int64("bytes", recorder.bytes), slog.Int64("duration_us", microseconds),
	}
	if t.identity.userID != "" {
		attrs = append(attrs, slog.String("user_id", t.identity.userID), slog.String("organization_id", t.identity.access.Organization.ID))
	}
	if t.identity.key != nil {
		attrs = append(attrs, slog.String("api_key_id", t.identity.key.ID), slog.String("organization_id", t.identity.access.Organization.ID))
	}
	if t.span != nil && t.span.SpanContext().IsSampled() {
		attrs = append(attrs, slog.String("trace_id", t.span.SpanContext().TraceID().String()))
	}
	if t.err != nil {
		attrs = append(attrs, slog.String("err", t.err.Error()))
	}
	s.log.LogAttrs(r.Context(), logLevel(r, t, recorder.status), "request completed", attrs...)
}

// logLevel returns error only for failures that an operator has to fix. Disconnected clients and
// rate-limited requests are not among them. Static files and probes are logged at debug level.
func logLevel(r *http.Request, t *requestState, status int) slog.Level {
	switch {
	case status < http.StatusBadRequest && r.Method == http.MethodGet && (t.response == asset || t.response == stateless):
		return slog.LevelDebug
	case status < http.StatusBadRequest && t.err != nil && problemOf(t.err).status != http.StatusUnauthorized:
		return slog.LevelWarn // the page was rendered from stored data
	case status < http.StatusInternalServerError || r.Context().Err() != nil:
		return slog.LevelInfo
	case status == http.StatusBadGateway || status == http.StatusServiceUnavailable:
		return slog.LevelWarn
	}
	return slog.LevelError
}

// statusRecorder records the status and size of a response for the log and the metrics.
type statusRecorder struct {
	http.ResponseWriter
	status int // 0: nothing sent yet
	bytes  int64
}

// WriteHeader records the first status.
func (w *statusRecorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write counts the bytes.
func (w *statusRecorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Unwrap gives http.ResponseController access to the connection.
func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// recoverPanics responds to a panic with the error page. If the response has begun, it aborts the
// connection.
func (s *server) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if recorder, ok := w.(*statusRecorder); cause == http.ErrAbortHandler || (ok && recorder.status != 0) {
				panic(http.ErrAbortHandler)
			}
			s.log.ErrorContext(r.Context(), "request panicked", "request_id", stateOf(r).requestID, "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
			s.answerPanic(w, r, cause)
		}()
		next.ServeHTTP(w, r)
	})
}

func (s *server) answerPanic(w http.ResponseWriter, r *http.Request, cause any) {
	out := newBufferedResponse()
	s.fail(out, r, fmt.Errorf("panic: %v", cause))
	s.send(w, r, out)
}
