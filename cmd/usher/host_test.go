package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

// A name that a stranger owns is refused, whatever it resolves to.
func TestForeignHostsAreRefused(t *testing.T) {
	handler := refuseForeignHosts(&url.URL{Scheme: "https", Host: "demo.example.net"}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for host, want := range map[string]int{
		"localhost:4312": 200, "LOCALHOST": 200, "app.localhost:4312": 200, "127.0.0.1:4312": 200, "[::1]:4312": 200, "192.0.2.7": 200,
		"demo.example.net": 200, "Demo.Example.net:443": 200, "stripe:12111": 200, "host.docker.internal:4312": 200,
		"attacker.example": 421, "attacker.example:4312": 421, "127.0.0.1.attacker.example": 421, "localhost.attacker.example.": 421,
		"demo.example.net.attacker.example": 421, "localhost@attacker.example": 421,
	} {
		r := httptest.NewRequest(http.MethodGet, "/dev/mail", nil)
		r.Host = host
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: status %d, want %d", host, w.Code, want)
		}
	}
}

func TestDevelopmentRefusesForeignHosts(t *testing.T) {
	dataDir := newDataDir(t)
	s := startServer(t, "DATA_DIR="+dataDir)
	apiBase, err := readAddressFile(localStripeFile(Config{DataDir: dataDir}))
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{s.url + "/dev/mail", apiBase + "/"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "attacker.example"
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("%s: status %d", address, answer.StatusCode)
		}
	}
}
