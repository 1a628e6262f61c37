package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// node is a machine with PostgreSQL and Patroni.
type node struct {
	*process        // Patroni
	name     string // in Patroni's cluster
	address  string // of PostgreSQL
	api      string // address of Patroni's REST API
	dataDir  string
}

// lose kills Patroni and PostgreSQL at once, as a power failure does.
func (n *node) lose() {
	postmaster := n.postmasterPID()
	n.signal(syscall.SIGKILL)
	if postmaster > 0 {
		_ = syscall.Kill(postmaster, syscall.SIGKILL)
	}
	<-n.ended
}

// postmasterPID returns the process id of the running PostgreSQL; 0 if there is none.
func (n *node) postmasterPID() int {
	text, err := os.ReadFile(filepath.Join(n.dataDir, "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, _ := strconv.Atoi(first)
	return pid
}

// startNodes starts both nodes: the first creates the cluster, the second copies it. A commit waits
// for the standby, so that nothing that was acknowledged is lost with the primary.
func (i *installation) startNodes(ctx context.Context) error {
	program, err := findProgram("pg_rewind") // Debian has all of them in one folder, and some on PATH
	if err != nil {
		return err
	}
	for n, node := range i.nodes {
		folder := filepath.Join(i.folder, "node-"+node.name)
		node.dataDir = filepath.Join(folder, "data")
		if err := os.Mkdir(folder, 0o700); err != nil {
			return err
		}
		if i.unprivileged != nil {
			if err := os.Chown(folder, int(i.unprivileged.Uid), int(i.unprivileged.Gid)); err != nil {
				return err
			}
		}
		config, err := i.write("patroni-"+node.name+".yml", i.patroniConfig(node, folder, filepath.Dir(program)))
		if err != nil {
			return err
		}
		if node.process, err = i.launch("patroni "+node.name, i.unprivileged, []string{"HOME=" + folder}, config); err != nil {
			return err
		}
		if n == 0 {
			err = i.await(ctx, "a primary", node.process, func() bool { return i.leader() == node })
		} else {
			err = i.awaitStandby(ctx, node)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// awaitStandby waits until a node replicates synchronously.
func (i *installation) awaitStandby(ctx context.Context, n *node) error {
	return i.await(ctx, "a synchronous standby", n.process, func() bool { return answers("http://" + n.api + "/synchronous") })
}

// patroniConfig returns a node's configuration. The times are the shortest that Patroni accepts.
func (i *installation) patroniConfig(n *node, folder, binDir string) string {
	return fmt.Sprintf(`scope: usher
name: %[1]s
restapi: {listen: "%[2]s", connect_address: "%[2]s"}
etcd3: {host: "%[3]s"}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 1
    retry_timeout: 3
    synchronous_mode: true
    postgresql:
      use_pg_rewind: true
      parameters: {max_connections: 100, shared_buffers: 64MB}
  initdb: [{encoding: UTF8}, data-checksums]
postgresql:
  listen: "%[4]s"
  connect_address: "%[4]s"
  data_dir: %[5]s
  bin_dir: %[6]s
  pgpass: %[7]s/pgpass
  authentication:
    superuser: {username: postgres}
    replication: {username: postgres}
  parameters: {unix_socket_directories: "%[7]s"}
  pg_hba:
    - local all all trust
    - host all all 127.0.0.1/32 trust
    - host replication all 127.0.0.1/32 trust
`, n.name, n.api, i.etcdFront, n.address, n.dataDir, binDir, folder)
}

// switchOver makes the standby the primary, as before the maintenance of a machine.
func (i *installation) switchOver(ctx context.Context) error {
	leader := i.leader()
	if leader == nil {
		return errors.New("there is no primary")
	}
	next := i.other(leader)
	body, err := json.Marshal(map[string]string{"leader": leader.name, "candidate": next.name})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+leader.api+"/switchover", bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("switchover: %s", response.Status)
	}
	i.say("%s is the primary after a switchover", next.name)
	return i.awaitStandby(ctx, leader)
}

// losePrimary kills everything on the primary's machine.
func (i *installation) losePrimary(ctx context.Context) error {
	lost := i.leader()
	if lost == nil {
		return errors.New("there is no primary")
	}
	lost.lose()
	i.say("%s is lost", lost.name)
	next := i.other(lost)
	return i.await(ctx, "a new primary", next.process, func() bool { return i.leader() == next })
}

// restoreNode starts the lost machine again. Patroni rewinds its cluster and makes it the standby.
func (i *installation) restoreNode(ctx context.Context) error {
	leader := i.leader()
	if leader == nil {
		return errors.New("there is no primary")
	}
	lost := i.other(leader)
	if err := lost.start(); err != nil {
		return err
	}
	return i.awaitStandby(ctx, lost)
}

func (i *installation) other(n *node) *node {
	if n == i.nodes[0] {
		return i.nodes[1]
	}
	return i.nodes[0]
}
