package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// healthcheckTimeout is shorter than the time-out of container engines.
const healthcheckTimeout = 3 * time.Second

// runHealthcheck asks the server that runs with the same ADDR whether it is alive. The image has no
// other program that could. With --ready it asks whether requests can be served; an engine that
// restarts on that would restart during every outage of the database.
func runHealthcheck(ctx context.Context, inv *invocation) error {
	ready := inv.flags.Bool("ready", false, "ask /readyz, which needs the database")
	if err := inv.parseFlags(); err != nil {
		return err
	}
	config, err := loadConfig(inv.getenv, dotenvFile)
	if err != nil {
		return err
	}
	path := "/healthz"
	if *ready {
		path = "/readyz"
	}
	return checkHealth(ctx, "http://"+localAddress(config.Addr)+path)
}

// localAddress returns where this machine reaches a listener: an address without a host, or with an
// unspecified one, is every address.
func localAddress(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

func checkHealth(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, healthcheckTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}
