package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"usher/stripelocal"
)

const (
	replicaCount  = 3
	stripeKey     = "sk_test_ha1234567890"
	webhookSecret = "whsec_ha"
	// startLimit is how long a part may take until it answers.
	startLimit = time.Minute
)

// installation is everything that runs.
type installation struct {
	options
	folder       string
	unprivileged *syscall.Credential
	etcd         *process
	nodes        []*node
	haproxy      *process
	pgbouncer    *process
	replicas     []*replica

	stripe       *stripelocal.Server
	stripeOrigin string
	webhooks     *webhookRecorder

	site      string // origin of the balancer
	primary   string // address of the balancer's way to the primary
	pooler    string // address of PgBouncer
	etcdPeer  string
	etcdFront string
}

// replica is one process of Usher.
type replica struct {
	*process
	address string
}

func newInstallation(o options) (*installation, error) {
	folder, err := os.MkdirTemp("", "usher-ha-")
	if err != nil {
		return nil, err
	}
	// PostgreSQL runs as another user if this process is root's.
	if err := os.Chmod(folder, 0o711); err != nil { // #nosec G302 -- its names can't be guessed
		return nil, err
	}
	i := &installation{options: o, folder: folder}
	addresses, err := freeAddresses(5 + 2*2 + replicaCount)
	if err != nil {
		return nil, err
	}
	i.site, i.primary, i.pooler, i.etcdPeer, i.etcdFront = "http://"+addresses[0], addresses[1], addresses[2], addresses[3], addresses[4]
	i.nodes = []*node{{name: "one", address: addresses[5], api: addresses[6]}, {name: "two", address: addresses[7], api: addresses[8]}}
	for n := range replicaCount {
		i.replicas = append(i.replicas, &replica{address: addresses[9+n]})
	}
	i.unprivileged, err = unprivileged()
	return i, err
}

// start starts everything, from the bottom to the top.
func (i *installation) start(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		i.startEtcd, i.startNodes, i.startHAProxy, i.createDatabase, i.startPgBouncer, i.startStripe, i.startReplicas,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// close ends everything and removes the folder.
func (i *installation) close() {
	for _, r := range i.replicas {
		if r.process != nil {
			r.stop()
		}
	}
	if i.stripe != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		_ = i.stripe.Close(ctx)
		cancel()
	}
	for _, p := range []*process{i.pgbouncer, i.haproxy} {
		if p != nil {
			p.kill()
		}
	}
	for _, n := range i.nodes {
		if n.process != nil {
			n.lose()
		}
	}
	if i.etcd != nil {
		i.etcd.kill()
	}
	_ = os.RemoveAll(i.folder)
}

// say prints a step if the command is verbose.
func (i *installation) say(format string, args ...any) {
	if i.verbose {
		fmt.Printf("%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
	}
}

// launch starts a program that its name begins with. Its log is in the folder.
func (i *installation) launch(name string, asUser *syscall.Credential, environment []string, args ...string) (*process, error) {
	program, _, _ := strings.Cut(name, " ")
	path, err := findProgram(program)
	if err != nil {
		return nil, err
	}
	p := &process{
		name: name, path: path, args: args, environment: environment, asUser: asUser,
		logFile: filepath.Join(i.folder, strings.ReplaceAll(name, " ", "-")+".log"),
	}
	return p, p.start()
}

// write writes a configuration that PostgreSQL's user can read.
func (i *installation) write(name, text string) (path string, err error) {
	path = filepath.Join(i.folder, name)
	return path, os.WriteFile(path, []byte(text), 0o644) // #nosec G306 -- it holds no secret
}

// await waits until a condition is true.
func (i *installation) await(ctx context.Context, what string, of *process, condition func() bool) error {
	for deadline := time.Now().Add(startLimit); !condition(); {
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not within %s\n%s", what, startLimit, of.logTail())
		}
		select {
		case <-time.After(100 * time.Millisecond): // polling interval
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (i *installation) startEtcd(ctx context.Context) (err error) {
	front, peer := "http://"+i.etcdFront, "http://"+i.etcdPeer
	i.etcd, err = i.launch("etcd", nil, nil, "--name=etcd", "--data-dir="+filepath.Join(i.folder, "etcd"), "--log-level=error",
		"--listen-client-urls="+front, "--advertise-client-urls="+front, "--listen-peer-urls="+peer,
		"--initial-advertise-peer-urls="+peer, "--initial-cluster=etcd="+peer)
	if err != nil {
		return err
	}
	return i.await(ctx, "etcd answers", i.etcd, func() bool { return answers(front + "/health") })
}

// startHAProxy starts the balancer: it sends requests to replicas that are ready, and connections
// to the node that Patroni says is the primary.
func (i *installation) startHAProxy(ctx context.Context) error {
	var b strings.Builder
	fmt.Fprintf(&b, `global
  maxconn 2000
defaults
  timeout connect 2s
  timeout client 60s
  timeout server 60s
frontend postgres
  mode tcp
  bind %s
  default_backend primary
backend primary
  mode tcp
  option httpchk GET /primary
  http-check expect status 200
  default-server inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions
`, i.primary)
	for _, n := range i.nodes {
		_, port, _ := net.SplitHostPort(n.api)
		fmt.Fprintf(&b, "  server %s %s check port %s\n", n.name, n.address, port)
	}
	fmt.Fprintf(&b, `frontend web
  mode http
  bind %s
  default_backend usher
backend usher
  mode http
  balance roundrobin
  option redispatch
  retries 3
  option httpchk GET /readyz
  http-check expect status 200
  default-server inter 300ms fall 1 rise 1
`, strings.TrimPrefix(i.site, "http://"))
	for n, r := range i.replicas {
		fmt.Fprintf(&b, "  server replica%d %s check\n", n+1, r.address)
	}
	config, err := i.write("haproxy.cfg", b.String())
	if err != nil {
		return err
	}
	if i.haproxy, err = i.launch("haproxy", nil, nil, "-db", "-f", config); err != nil {
		return err
	}
	return i.await(ctx, "HAProxy reaches the primary", i.haproxy, func() bool { return i.psql(ctx, "postgres", "select 1") == nil })
}

// psql runs statements at the primary, through HAProxy.
func (i *installation) psql(ctx context.Context, user string, statements ...string) error {
	program, err := findProgram("psql")
	if err != nil {
		return err
	}
	host, port, _ := net.SplitHostPort(i.primary)
	args := []string{"--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--host=" + host, "--port=" + port, "--username=" + user, "--dbname=postgres"}
	for _, statement := range statements {
		args = append(args, "--command="+statement)
	}
	// #nosec G204 -- the statements are constants
	if out, err := exec.CommandContext(ctx, program, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("psql: %w: %s", err, out)
	}
	return nil
}

func (i *installation) createDatabase(ctx context.Context) error {
	return i.psql(ctx, "postgres", "create role usher login", "create database usher owner usher")
}

// dsn returns the DSN of the database at an address.
func dsn(address string) string {
	host, port, _ := net.SplitHostPort(address)
	return fmt.Sprintf("host=%s port=%s user=usher dbname=usher sslmode=disable", host, port)
}

func (i *installation) startPgBouncer(context.Context) (err error) {
	host, port, _ := net.SplitHostPort(i.primary)
	_, listen, _ := net.SplitHostPort(i.pooler)
	config, err := i.write("pgbouncer.ini", fmt.Sprintf(`[databases]
* = host=%s port=%s user=usher
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 12
max_client_conn = 500
server_connect_timeout = 3
server_login_retry = 1
query_wait_timeout = 10
`, host, port, listen))
	if err != nil {
		return err
	}
	i.pgbouncer, err = i.launch("pgbouncer", i.unprivileged, nil, config)
	return err
}

// startStripe starts the local Stripe. Its webhooks go through a recorder to the balancer.
func (i *installation) startStripe(context.Context) (err error) {
	if i.stripe, err = stripelocal.New(stripelocal.Options{}); err != nil {
		return err
	}
	if i.stripeOrigin, err = serve(i.stripe.Handler()); err != nil {
		return err
	}
	i.stripe.SetOrigin(i.stripeOrigin)
	i.webhooks = newWebhookRecorder(i.site + "/stripe/webhook")
	recorder, err := serve(i.webhooks)
	if err != nil {
		return err
	}
	i.stripe.EnsureWebhookEndpoint(recorder+"/", webhookSecret)
	return nil
}

// serve serves on a free address until the program ends, and returns the origin.
func serve(handler http.Handler) (origin string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	return "http://" + listener.Addr().String(), nil
}

// environment returns the variables of every replica and command of Usher.
func (i *installation) environment() []string {
	return []string{
		"BASE_URL=" + i.site, "DATABASE_URL=" + dsn(i.pooler) + " statement_cache=off", "MIGRATE_DATABASE_URL=" + dsn(i.primary),
		"STRIPE_SECRET_KEY=" + stripeKey, "STRIPE_WEBHOOK_SECRET=" + webhookSecret, "STRIPE_API_BASE=" + i.stripeOrigin,
		"SHUTDOWN_DELAY=2s", "DATA_DIR=" + filepath.Join(i.folder, "data"),
	}
}

// runUsher runs a command of Usher and returns its output.
func (i *installation) runUsher(ctx context.Context, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, i.usher, args...) // #nosec G204 -- this program's commands
	command.Env = append(os.Environ(), i.environment()...)
	out, err := command.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		err = fmt.Errorf("usher %s: %w: %s", strings.Join(args, " "), err, failed.Stderr)
	}
	return out, err
}

func (i *installation) startReplicas(ctx context.Context) error {
	if _, err := i.runUsher(ctx, "plans", "push"); err != nil {
		return err
	}
	for n, r := range i.replicas {
		if err := i.startReplica(ctx, n, r, cmp.Or(i.former, i.usher)); err != nil {
			return err
		}
	}
	return i.await(ctx, "the balancer reaches the replicas", i.haproxy, func() bool { return answers(i.site + "/healthz") })
}

// startReplica starts a replica with a binary and waits until it is ready.
func (i *installation) startReplica(ctx context.Context, n int, r *replica, binary string) (err error) {
	if r.process == nil {
		r.process = &process{
			name: fmt.Sprint("replica ", n+1), environment: append(i.environment(), "ADDR="+r.address),
			logFile: filepath.Join(i.folder, fmt.Sprintf("replica-%d.log", n+1)),
		}
	}
	r.path = binary
	if err := r.start(); err != nil {
		return err
	}
	return i.await(ctx, r.name+" is ready", r.process, func() bool { return answers("http://" + r.address + "/readyz") })
}

// restartReplicas stops one replica after the other and starts it again with the present release.
// The first one that is new migrates the database.
func (i *installation) restartReplicas(ctx context.Context) error {
	for n, r := range i.replicas {
		i.say("restart %s", r.name)
		r.stop()
		if err := i.startReplica(ctx, n, r, i.usher); err != nil {
			return err
		}
	}
	return nil
}

// killReplica kills a replica, and starts it again after a while.
func (i *installation) killReplica(ctx context.Context) error {
	i.replicas[0].kill()
	select {
	case <-time.After(5 * time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	return i.startReplica(ctx, 0, i.replicas[0], i.usher)
}

// leader returns the node that is the primary; nil if none is.
func (i *installation) leader() *node {
	n := slices.IndexFunc(i.nodes, func(n *node) bool { return answers("http://" + n.api + "/primary") })
	if n < 0 {
		return nil
	}
	return i.nodes[n]
}
