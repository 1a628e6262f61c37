package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const proxiedName = "billing.example.com"

// reverseProxy is nginx or Caddy with its configuration of ops, in front of two replicas.
type reverseProxy struct {
	web, tls     string // addresses
	certificates *x509.CertPool
	output       *outputBuffer
	accessLog    func() string
	logs         func() string // everything it has logged
}

// startReverseProxy starts a program with a file of ops, in which only addresses, files and the
// certificate are other ones.
type startReverseProxy func(t *testing.T, replicas [2]string) *reverseProxy

var reverseProxies = map[string]startReverseProxy{"nginx": startNginx, "caddy": startCaddy}

// startNginx includes the file where Debian's configuration does. That compresses, too.
func startNginx(t *testing.T, replicas [2]string) *reverseProxy {
	t.Helper()
	p := &reverseProxy{web: freeAddress(t), tls: freeAddress(t)}
	folder := t.TempDir()
	certificate, key := p.writeCertificate(t, folder)
	writeConfiguration(t, filepath.Join(folder, "usher.conf"), "nginx.conf",
		"127.0.0.1:4312", replicas[0], "127.0.0.1:4313", replicas[1], "listen 80;", "listen "+p.web+";", "listen 443 ", "listen "+p.tls+" ",
		"/etc/ssl/billing.example.com/fullchain.pem", certificate, "/etc/ssl/billing.example.com/privkey.pem", key, "/var/log/nginx/", folder+"/")
	main := "daemon off;\nworker_processes 1;\npid nginx.pid;\nerror_log stderr;\nevents {}\nhttp {\ngzip on;\ngzip_types *;\naccess_log off;\ninclude usher.conf;\n"
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		main += kind + "_temp_path " + filepath.Join(folder, kind) + ";\n"
	}
	if os.Getuid() == 0 { // the folder is its own
		main = "user root;\n" + main
	}
	config := filepath.Join(folder, "nginx.conf")
	if err := os.WriteFile(config, []byte(main+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.start(t, exec.Command(findProgram(t, "nginx"), "-p", folder, "-c", config, "-e", "stderr"))
	p.accessLog = func() string { return readText(t, filepath.Join(folder, "usher.log")) }
	p.logs = func() string {
		stderr, _ := p.output.read()
		return p.accessLog() + readText(t, filepath.Join(folder, "usher-error.log")) + stderr
	}
	return p
}

func startCaddy(t *testing.T, replicas [2]string) *reverseProxy {
	t.Helper()
	p := &reverseProxy{web: freeAddress(t), tls: freeAddress(t)}
	folder := t.TempDir()
	certificate, key := p.writeCertificate(t, folder)
	config := filepath.Join(folder, "Caddyfile")
	_, webPort, _ := net.SplitHostPort(p.web)
	_, tlsPort, _ := net.SplitHostPort(p.tls)
	writeConfiguration(t, config, "Caddyfile", "127.0.0.1:4312", replicas[0], "127.0.0.1:4313", replicas[1],
		"\n{\n", fmt.Sprintf("\n{\n\tadmin off\n\tdefault_bind 127.0.0.1\n\thttp_port %s\n\thttps_port %s\n", webPort, tlsPort),
		"\n"+proxiedName+" {\n", fmt.Sprintf("\n%s {\n\ttls %s %s\n", proxiedName, certificate, key))
	command := exec.Command(findProgram(t, "caddy"), "run", "--config", config, "--adapter", "caddyfile")
	command.Env = append(os.Environ(), "HOME="+folder, "XDG_DATA_HOME="+folder, "XDG_CONFIG_HOME="+folder)
	p.start(t, command)
	p.logs = func() string {
		stderr, _ := p.output.read()
		return stderr
	}
	p.accessLog = p.logs
	return p
}

// findProgram returns the path of a program, which .ci/install puts beside the build.
func findProgram(t *testing.T, name string) string {
	t.Helper()
	beside, err := filepath.Abs(filepath.Join("..", "..", ".build", name))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{name, filepath.Join("/usr/sbin", name), beside} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	t.Fatalf("%s is missing: run .ci/install, as make test does", name)
	return ""
}

// writeConfiguration writes a file of ops with replacements. All of them have to be in the file.
func writeConfiguration(t *testing.T, path, name string, replacements ...string) {
	t.Helper()
	text := readText(t, filepath.Join("..", "..", "ops", name))
	for i := 0; i < len(replacements); i += 2 {
		if !strings.Contains(text, replacements[i]) {
			t.Fatalf("ops/%s has no %q", name, replacements[i])
		}
	}
	if err := os.WriteFile(path, []byte(strings.NewReplacer(replacements...).Replace(text)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// writeCertificate writes a certificate that only the clients of this proxy trust.
func (p *reverseProxy) writeCertificate(t *testing.T, folder string) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{proxiedName}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	privateDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, content []byte) string {
		path, text := filepath.Join(folder, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content})
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if kind == "CERTIFICATE" {
			p.certificates = x509.NewCertPool()
			p.certificates.AppendCertsFromPEM(text)
		}
		return path
	}
	return write("certificate.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", privateDER)
}

// start starts the program until the test ends, and waits until it listens.
func (p *reverseProxy) start(t *testing.T, command *exec.Cmd) {
	t.Helper()
	p.output = newOutputBuffer()
	command.Stdout, command.Stderr = p.output, p.output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM) // nginx ends its workers
		timer := time.AfterFunc(waitTimeout, func() { _ = command.Process.Kill() })
		_ = command.Wait()
		timer.Stop()
		if output, _ := p.output.read(); t.Failed() {
			t.Logf("%s:\n%s", command.Path, output)
		}
	})
	for _, address := range []string{p.web, p.tls} {
		eventually(t, command.Path+" to listen", func() bool {
			connection, err := net.Dial("tcp", address)
			if err == nil {
				_ = connection.Close()
			}
			return err == nil
		})
	}
}

// clientFrom returns a client with an address of this machine, which has 127.0.0.0/8.
func (p *reverseProxy) clientFrom(t *testing.T, address string) *client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: p.certificates}, ForceAttemptHTTP2: true, DisableCompression: true,
		DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
			addresses := map[string]string{proxiedName + ":80": p.web, proxiedName + ":443": p.tls}
			return dialer.DialContext(ctx, network, addresses[to])
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &client{t: t, http: &http.Client{Jar: jar, Timeout: time.Minute, Transport: transport}, base: "https://" + proxiedName}
}
