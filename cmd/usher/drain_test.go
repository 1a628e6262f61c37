package main

import (
	"net/http"
	"testing"
)

// While the program drains, a balancer sees from /readyz that new requests belong elsewhere, and
// those that still come are served.
func TestDrainServesUntilTheDelayIsOver(t *testing.T) {
	t.Parallel()
	s := startServer(t, "SHUTDOWN_DELAY=4s")
	status := func(path string) int {
		response, err := http.Get(s.url + path)
		if err != nil {
			return 0
		}
		defer response.Body.Close()
		return response.StatusCode
	}
	if got := status("/readyz"); got != http.StatusOK {
		t.Fatalf("readyz before: %d", got)
	}
	stopped := make(chan int, 1)
	go func() { stopped <- s.stop() }()
	for got := http.StatusOK; got != http.StatusServiceUnavailable; {
		if got = status("/readyz"); got == 0 {
			t.Fatal("the listener closed before the balancer could know")
		}
	}
	if alive, page := status("/healthz"), status("/pricing"); alive != http.StatusOK || page != http.StatusOK {
		t.Errorf("while draining healthz answers %d and a page %d", alive, page)
	}
	if code := <-stopped; code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if got := status("/healthz"); got != 0 {
		t.Errorf("healthz after the end: %d", got)
	}
}
