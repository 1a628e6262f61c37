package main

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"

	"usher/stripelocal"
)

// call is what a project called, as often as count.
type call struct {
	call    string // method and path
	version string // of the API, as requested
	status  int
	count   int
	message string // of the last error
}

// recorder records the calls that are made with [peerKey].
type recorder struct {
	next http.Handler

	mu    sync.Mutex
	calls []call
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	out := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	r.next.ServeHTTP(out, req)
	if req.Header.Get("Authorization") == "Bearer "+peerKey {
		r.record(call{call: callOf(req), version: req.Header.Get("Stripe-Version"), status: out.status, message: out.message()})
	}
}

func (r *recorder) record(c call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	same := func(o call) bool { return o.call == c.call && o.version == c.version && o.status == c.status }
	i := slices.IndexFunc(r.calls, same)
	if i < 0 {
		i = len(r.calls)
		r.calls = append(r.calls, c)
	}
	r.calls[i].count++
	r.calls[i].message = c.message
}

// recorded returns the calls in the order of their paths.
func (r *recorder) recorded() []call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(slices.Values(r.calls), func(a, b call) int {
		_, pathA, _ := strings.Cut(a.call, " ")
		_, pathB, _ := strings.Cut(b.call, " ")
		return cmp.Or(cmp.Compare(pathA, pathB), cmp.Compare(a.call, b.call), cmp.Compare(a.version, b.version), a.status-b.status)
	})
}

// objectID matches a segment of a path that is an object's id. Names of collections have neither
// digits nor capitals.
var objectID = regexp.MustCompile(`^[a-z_]+_[A-Za-z0-9]*[A-Z0-9][A-Za-z0-9]*$`)

// callOf returns the method and the path, with {id} for each id.
func callOf(req *http.Request) string {
	segments := strings.Split(req.URL.Path, "/")
	for i, segment := range segments {
		if objectID.MatchString(segment) {
			segments[i] = "{id}"
		}
	}
	return req.Method + " " + strings.Join(segments, "/")
}

// statusWriter keeps the status, and the body of an error.
type statusWriter struct {
	http.ResponseWriter
	status int
	body   []byte
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status >= http.StatusBadRequest {
		w.body = append(w.body, p...)
	}
	return w.ResponseWriter.Write(p)
}

// message returns Stripe's message of an error, or "".
func (w *statusWriter) message() string {
	var body struct{ Error struct{ Message string } }
	_ = json.Unmarshal(w.body, &body)
	return body.Error.Message
}

// delivery is one of GET /_usher/deliveries.
type delivery struct {
	Type      string
	Status    string
	Attempts  int
	LastError string `json:"last_error"`
}

func deliveries(server *stripelocal.Server) (out []delivery, err error) {
	w := httptest.NewRecorder()
	server.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/_usher/deliveries", nil))
	return out, json.Unmarshal(w.Body.Bytes(), &out)
}
