package stripelocal

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// callHandler makes an API call without a network, as an SDK does: with an idempotency key. It
// returns the id of the object.
func callHandler(tb testing.TB, s *Server, path, key string, form url.Values) string {
	tb.Helper()
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	req.SetBasicAuth("sk_test_123456789012", "")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Idempotency-Key", key)
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, req)
	var o struct{ ID string }
	if err := json.Unmarshal(w.Body.Bytes(), &o); err != nil || w.Code != http.StatusOK {
		tb.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	return o.ID
}

// subscribe creates n customers with a card and a paid subscription each, by API calls.
func subscribe(tb testing.TB, s *Server, n int) {
	tb.Helper()
	price := callHandler(tb, s, "/v1/prices", "price", url.Values{
		"currency": {"usd"}, "unit_amount": {"900"}, "recurring[interval]": {"month"}, "product_data[name]": {"Pro"},
	})
	for i := range n {
		customer := callHandler(tb, s, "/v1/customers", fmt.Sprintf("11111111-2222-3333-4444-c%011d", i), url.Values{
			"email": {fmt.Sprintf("member%d@example.com", i)}, "payment_method": {"pm_card_visa"},
			"invoice_settings[default_payment_method]": {"pm_card_visa"},
		})
		callHandler(tb, s, "/v1/subscriptions", fmt.Sprintf("11111111-2222-3333-4444-s%011d", i), url.Values{
			"customer": {customer}, "items[0][price]": {price}, "items[0][quantity]": {"2"}, "metadata[orgId]": {fmt.Sprint("org_", i)},
		})
	}
}

func heapBytes() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

var footprintSubscriptions = flag.Int("footprint-subscriptions", 10_000, "number of subscriptions in BenchmarkFootprint")

// cpuSeconds is the processor time of this process, which other programs disturb less than the
// clock's.
func cpuSeconds(tb testing.TB) float64 {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

// BenchmarkFootprint measures what subscriptions cost: memory, calls, state file and start.
//
//	go test ./stripelocal -run '^$' -bench Footprint -benchtime 1x
func BenchmarkFootprint(b *testing.B) {
	n := *footprintSubscriptions
	per := func(total float64) float64 { return total / float64(n) }
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "stripe.json")
		before := heapBytes()
		s, err := New(Options{StatePath: path})
		if err != nil {
			b.Fatal(err)
		}
		began, cpu := time.Now(), cpuSeconds(b)
		subscribe(b, s, n)
		b.ReportMetric(1/per(time.Since(began).Seconds()), "subscriptions/s")
		b.ReportMetric(1000*per(cpuSeconds(b)-cpu), "cpu-ms/subscription")
		b.ReportMetric(per(heapBytes()-before), "heapB/subscription")
		if err := s.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
		file, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(per(float64(file.Size())), "fileB/subscription")
		began, cpu = time.Now(), cpuSeconds(b)
		again, err := New(Options{StatePath: path})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(began).Seconds(), "start-s")
		b.ReportMetric(cpuSeconds(b)-cpu, "start-cpu-s")
		_ = again.Close(b.Context())
	}
}

// TestStateFileOfASubscription keeps what BenchmarkFootprint measures within 10 kB, as far as it is
// the same in every run.
func TestStateFileOfASubscription(t *testing.T) {
	t.Parallel()
	const n, limit = 300, 10_000
	s, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	subscribe(t, s, n)
	raw, err := s.snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if size := len(raw) / n; size > limit {
		t.Errorf("%d bytes of state file per subscription, more than %d", size, limit)
	} else {
		t.Logf("%d bytes of state file per subscription", size)
	}
	if size := reflect.TypeFor[Charge]().Size(); size > 288 { // a larger one takes 320 bytes of memory
		t.Errorf("a charge has %d bytes", size)
	}
}
