package main

import (
	"bytes"
	"encoding/hex"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
)

// traceReceiver is a collector that keeps what it is sent (OTLP over HTTP).
type traceReceiver struct {
	url string

	mutex sync.Mutex
	spans []*tracev1.Span
	texts strings.Builder // every string that was sent
	keys  map[string]bool
}

func startTraceReceiver(t *testing.T) *traceReceiver {
	t.Helper()
	c := &traceReceiver{keys: map[string]bool{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request collector.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &request) != nil {
			http.Error(w, "no traces", http.StatusBadRequest)
			return
		}
		c.mutex.Lock()
		defer c.mutex.Unlock()
		c.keys[r.Header.Get("X-Key")] = true
		if err := protorange.Range(request.ProtoReflect(), c.keepText); err != nil {
			t.Error(err)
		}
		for _, of := range request.ResourceSpans {
			for _, scope := range of.ScopeSpans {
				c.spans = append(c.spans, scope.Spans...)
			}
		}
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

// keepText keeps a value if it is a string. Ids and times are left out: they are random bytes,
// which can be any text.
func (c *traceReceiver) keepText(values protopath.Values) error {
	if text, ok := values.Index(-1).Value.Interface().(string); ok {
		c.texts.WriteString(text + "\n")
	}
	return nil
}

// named returns the spans with a name.
func (c *traceReceiver) named(name string) (found []*tracev1.Span) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, span := range c.spans {
		if span.Name == name {
			found = append(found, span)
		}
	}
	return found
}

// children returns the sorted names of the spans below one, each once.
func (c *traceReceiver) children(parent *tracev1.Span) []string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	names := map[string]bool{}
	for _, span := range c.spans {
		if bytes.Equal(span.TraceId, parent.TraceId) && bytes.Equal(span.ParentSpanId, parent.SpanId) {
			names[span.Name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// A request leads to its statements and calls at Stripe in one trace, which has the id that the log
// has. Nothing that people typed is sent, and nobody outside can choose the trace.
func TestTracing(t *testing.T) {
	t.Parallel()
	collected := startTraceReceiver(t)
	s := startServer(t, "DATA_DIR="+newDataDir(t), "OTEL_EXPORTER_OTLP_ENDPOINT="+collected.url+"/", "OTEL_EXPORTER_OTLP_HEADERS=X-Key=a%20key")
	c := s.client(t)
	c.open("/signup").signUp("rosa@canary.example")
	c.open("/pricing?interval=year&seats=8").choosePro()
	s.client(t).open("/forgot").submit(`form[action="/forgot"]`, "email=rosa@canary.example")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/pricing?q=canary", nil)
	if err != nil {
		t.Fatal(err)
	}
	outside := strings.Repeat("ab", 16)
	request.Header.Set("traceparent", "00-"+outside+"-"+strings.Repeat("cd", 8)+"-01")
	if response, err := http.DefaultClient.Do(request); err != nil || response.Body.Close() != nil {
		t.Fatal(err)
	}
	eventually(t, "a job", func() bool { return len(collected.named("job recovery")) > 0 })
	eventually(t, "the request from outside", func() bool { return len(collected.named("GET /pricing")) >= 2 })

	checkout := collected.named("POST /billing/checkout")
	if len(checkout) != 1 {
		t.Fatalf("%d spans of the checkout", len(checkout))
	}
	children := collected.children(checkout[0])
	for _, want := range []string{"load session", "transaction", "stripe create customer", "stripe create checkout session"} {
		if !slices.Contains(children, want) {
			t.Errorf("the checkout has no span %q, only\n%s", want, strings.Join(children, "\n"))
		}
	}
	log, _ := s.stderr.read()
	if id := hex.EncodeToString(checkout[0].TraceId); !strings.Contains(log, "trace_id="+id) {
		t.Errorf("the log does not have trace %s", id)
	}
	for _, span := range collected.named("GET /pricing") {
		if hex.EncodeToString(span.TraceId) == outside {
			t.Error("a trace has the id that somebody outside sent")
		}
	}
	collected.mutex.Lock()
	defer collected.mutex.Unlock()
	if len(collected.keys) != 1 || !collected.keys["a key"] {
		t.Errorf("exports had the keys %q", slices.Collect(maps.Keys(collected.keys)))
	}
	if !strings.Contains(collected.texts.String(), "stripe create customer") {
		t.Error("the texts are not those of the spans")
	}
	for _, private := range []string{"canary", "rosa", "Rosa", "127.0.0.1", "insert into", "$1"} {
		if strings.Contains(collected.texts.String(), private) {
			t.Errorf("%q was sent to the collector", private)
		}
	}
}
