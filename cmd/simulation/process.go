package main

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"
)

// process is a replica that is started again whenever it ends.
type process struct {
	url     string // where the storm speaks to it
	front   string // where Stripe knocks
	orders  orders
	mutex   sync.Mutex
	command *exec.Cmd
	done    chan struct{}
}

func (w *world) startReplica(n int, parent string, killAt int) (*process, error) {
	addr, front, err := freeAddresses()
	if err != nil {
		return nil, err
	}
	p := &process{url: "http://" + addr, front: "http://" + front, done: make(chan struct{}), orders: orders{
		Addr: addr, Front: front, DSN: w.dsn, Stripe: w.origin, Parent: parent, Seed: w.seed + uint64(n), Chance: 0.01, KillAt: killAt,
	}}
	go w.keepAlive(p)
	return p, w.until("a replica", func() bool { return w.post(p.url+"/clock", p.orders.Ahead) == nil })
}

// freeAddresses finds two that nobody listens at: a replica comes back at those it had.
func freeAddresses() (string, string, error) {
	one, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	defer one.Close()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	defer other.Close()
	return one.Addr().String(), other.Addr().String(), nil
}

func (w *world) keepAlive(p *process) {
	defer close(p.done)
	for w.ctx.Err() == nil {
		p.mutex.Lock()
		told, _ := json.Marshal(p.orders)
		command := exec.CommandContext(w.ctx, os.Args[0])
		command.Env, command.Stderr = append(os.Environ(), replicaEnv+"="+string(told)), os.Stderr
		p.command = command
		p.orders.KillAt = 0
		p.mutex.Unlock()
		_ = command.Run()
		if w.ctx.Err() == nil {
			w.mutex.Lock()
			if ended(command) {
				w.killed++
			} else {
				w.gaveUp++
			}
			w.mutex.Unlock()
			time.Sleep(100 * time.Millisecond) // as whoever starts it again would
		}
	}
}
