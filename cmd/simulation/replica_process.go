package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// replicaProcess runs a replica as a child process and restarts it whenever it ends. A restarted
// replica listens on the same addresses.
type replicaProcess struct {
	controlURL string
	siteURL    string
	client     *http.Client
	results    *results
	done       chan struct{} // closed when the process has ended for good

	mutex  sync.Mutex
	config replicaConfig // of the next start
}

// restartDelay is what a supervisor would wait before it restarts a replica.
const restartDelay = 100 * time.Millisecond

// startReplicaProcess starts a replica on free addresses and waits until it responds. It runs until
// ctx ends.
func startReplicaProcess(ctx context.Context, config replicaConfig, client *http.Client, results *results) (*replicaProcess, error) {
	var err error
	if config.ControlAddr, config.SiteAddr, err = freeAddresses(); err != nil {
		return nil, err
	}
	p := &replicaProcess{
		controlURL: "http://" + config.ControlAddr, siteURL: "http://" + config.SiteAddr,
		client: client, results: results, done: make(chan struct{}), config: config,
	}
	go p.supervise(ctx)
	return p, p.setClockOffset(ctx, config.ClockOffset)
}

// freeAddresses returns two loopback addresses that are not in use.
func freeAddresses() (string, string, error) {
	first, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	defer first.Close()
	second, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	defer second.Close()
	return first.Addr().String(), second.Addr().String(), nil
}

func (p *replicaProcess) supervise(ctx context.Context) {
	defer close(p.done)
	for ctx.Err() == nil {
		command := p.command(ctx)
		_ = command.Run()
		if ctx.Err() != nil {
			return
		}
		if wasKilled(command) {
			p.results.countKill()
		} else {
			p.results.countFault("replicas: exited without a kill", 1)
		}
		time.Sleep(restartDelay)
	}
}

// command returns the next start of the replica. A replica is killed at most once.
func (p *replicaProcess) command(ctx context.Context) *exec.Cmd {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	config, _ := json.Marshal(p.config)
	p.config.KillAt = 0
	command := exec.CommandContext(ctx, os.Args[0])
	command.Env, command.Stderr = append(os.Environ(), replicaEnv+"="+string(config)), os.Stderr
	return command
}

// wasKilled reports whether a process that has ended was ended by SIGKILL.
func wasKilled(command *exec.Cmd) bool {
	if command.ProcessState == nil {
		return false // it did not start
	}
	status, ok := command.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// setClockOffset sets how far the replica's clock is ahead, for its next starts too.
func (p *replicaProcess) setClockOffset(ctx context.Context, offset time.Duration) error {
	p.mutex.Lock()
	p.config.ClockOffset = offset
	p.mutex.Unlock()
	return waitUntil(ctx, "a replica's clock", func() bool { return p.post(ctx, "/clock", offset, nil) == nil })
}

// stopCrashes stops all crashes and counts those that were simulated.
func (p *replicaProcess) stopCrashes(ctx context.Context) error {
	p.mutex.Lock()
	p.config.Chance, p.config.KillAt = 0, 0
	p.mutex.Unlock()
	crashes := map[string]int{}
	err := waitUntil(ctx, "a replica to stop crashing", func() bool {
		return p.post(ctx, "/stop-crashes", nil, &crashes) == nil
	})
	for point, n := range crashes {
		if point == eventsTogether {
			p.results.countFault("webhooks: "+point, n)
		} else {
			p.results.countFault("crashes: "+point, n)
		}
	}
	return err
}

// exhaustPool occupies the replica's database connections for a duration.
func (p *replicaProcess) exhaustPool(ctx context.Context, duration time.Duration) error {
	return p.post(ctx, "/exhaust-pool", duration, nil)
}

// perform performs an operation once and returns its result.
func (p *replicaProcess) perform(ctx context.Context, o operation) (result string, err error) {
	err = p.post(ctx, "/operation", o, &result)
	return result, err
}

// post sends JSON to the replica's control server and decodes the response, if result is not nil.
func (p *replicaProcess) post(ctx context.Context, path string, body, result any) error {
	encoded, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.controlURL+path, bytes.NewReader(encoded))
	if err != nil {
		return err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	received, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return errors.New(string(received))
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(received, result)
}
