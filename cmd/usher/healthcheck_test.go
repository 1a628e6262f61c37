package main

import (
	"strings"
	"testing"
)

func TestHealthcheck(t *testing.T) {
	server := startServer(t)
	_, port, _ := strings.Cut(strings.TrimPrefix(server.url, "http://"), ":")
	for _, flags := range [][]string{nil, {"--ready"}} {
		if code, _, stderr := runCommand(t, append([]string{"healthcheck"}, flags...), "ADDR=:"+port); code != exitOK {
			t.Errorf("healthcheck %v: exit code %d: %s", flags, code, stderr)
		}
	}
	if code := server.stop(); code != exitOK {
		t.Fatalf("the server's exit code is %d", code)
	}
	if code, _, stderr := runCommand(t, []string{"healthcheck"}, "ADDR=127.0.0.1:"+port); code != exitFailed || stderr == "" {
		t.Errorf("without a server: exit code %d: %s", code, stderr)
	}
}

func TestLocalAddress(t *testing.T) {
	for addr, want := range map[string]string{
		":4312": "localhost:4312", "0.0.0.0:4312": "localhost:4312", "[::]:4312": "localhost:4312",
		"10.1.2.3:80": "10.1.2.3:80", "[::1]:80": "[::1]:80", "usher.internal:80": "usher.internal:80",
	} {
		if got := localAddress(addr); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}
