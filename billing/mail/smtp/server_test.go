package smtp_test

import (
	"bufio"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"
)

// mailServer is an SMTP server (RFC 5321) for tests with configurable failures.
type mailServer struct {
	t        *testing.T
	listener net.Listener
	config   *tls.Config
	implicit bool // TLS from the first byte
	starttls bool // is offered
	// The offered mechanisms of AUTH; empty: PLAIN LOGIN.
	mechanisms string
	// Command -> reply instead of the usual one; "DATA." is the content; "hang" and "cut" are
	// failures.
	replies map[string]string

	lock     sync.Mutex
	received []receivedMail
	commands []string
}

type receivedMail struct {
	from, to string
	content  string
	user     string
	password string
	secure   bool
}

func (s *mailServer) start(t *testing.T) {
	t.Helper()
	s.t = t
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if s.implicit {
		listener = tls.NewListener(listener, s.config)
	}
	s.listener = listener
	var connections sync.WaitGroup
	connections.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Go(func() { s.serve(connection) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		connections.Wait()
	})
}

func (s *mailServer) port() string {
	_, port, _ := net.SplitHostPort(s.listener.Addr().String())
	return port
}

func (s *mailServer) mails() []receivedMail {
	s.lock.Lock()
	defer s.lock.Unlock()
	return append([]receivedMail(nil), s.received...)
}

func (s *mailServer) gotCommand(command string) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, line := range s.commands {
		if strings.HasPrefix(line, command) {
			return true
		}
	}
	return false
}

// serve handles one connection.
func (s *mailServer) serve(connection net.Conn) {
	defer func() { _ = connection.Close() }()
	_ = connection.SetDeadline(time.Now().Add(20 * time.Second))
	talk := textproto.NewConn(connection)
	mail := receivedMail{secure: s.implicit}
	if !s.reply(talk, "GREETING", "220 mail.test ESMTP") {
		return
	}
	for {
		line, err := talk.ReadLine()
		if err != nil {
			return
		}
		s.lock.Lock()
		s.commands = append(s.commands, line)
		s.lock.Unlock()
		word := strings.ToUpper(strings.Fields(line + " x")[0])
		switch word {
		case "EHLO":
			if !s.reply(talk, word, s.extensions(mail.secure)...) {
				return
			}
		case "STARTTLS":
			_ = talk.PrintfLine("220 go ahead")
			secure := tls.Server(connection, s.config)
			if secure.Handshake() != nil {
				return
			}
			connection, talk, mail.secure = secure, textproto.NewConn(secure), true
		case "AUTH":
			if initial := strings.Fields(line); len(initial) == 3 {
				plain, _ := base64.StdEncoding.DecodeString(initial[2])
				parts := strings.Split(string(plain)+"\x00\x00", "\x00")
				mail.user, mail.password = parts[1], parts[2]
			}
			s.reply(talk, word, "235 welcome")
		case "MAIL":
			mail.from = line
			s.reply(talk, word, "250 ok")
		case "RCPT":
			mail.to = line
			s.reply(talk, word, "250 ok")
		case "DATA":
			if !s.reply(talk, word, "354 go on") || !s.readContent(talk, &mail) {
				return
			}
		case "QUIT":
			_ = talk.PrintfLine("221 bye")
			return
		default:
			s.reply(talk, word, "250 ok")
		}
	}
}

// readContent reads the content up to the terminating dot.
func (s *mailServer) readContent(talk *textproto.Conn, mail *receivedMail) bool {
	content, err := talk.ReadDotBytes()
	if err != nil {
		return false
	}
	mail.content = string(content)
	if _, refused := s.replies["DATA."]; !refused {
		s.lock.Lock()
		s.received = append(s.received, *mail)
		s.lock.Unlock()
	}
	return s.reply(talk, "DATA.", "250 taken")
}

func (s *mailServer) extensions(secure bool) []string {
	lines := []string{"250-mail.test", "250-8BITMIME", "250-AUTH " + cmp.Or(s.mechanisms, "PLAIN LOGIN")}
	if s.starttls && !secure {
		lines = append(lines, "250-STARTTLS")
	}
	return append(lines, "250 SIZE 10000000")
}

// reply sends the configured reply or lines. It returns false if the connection must be closed.
func (s *mailServer) reply(talk *textproto.Conn, command string, lines ...string) bool {
	switch planned := s.replies[command]; planned {
	case "":
	case "cut":
		return false
	case "hang":
		_, _ = talk.ReadLine() // until the client gives up
		return false
	default:
		lines = []string{planned}
	}
	for _, line := range lines {
		if talk.PrintfLine("%s", line) != nil {
			return false
		}
	}
	return true
}

// certificate returns a certificate for 127.0.0.1 and a client configuration that trusts it.
func certificate(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
}

// headerOf returns the values of a header field, unfolded.
func (m receivedMail) headerOf(t *testing.T, name string) []string {
	t.Helper()
	header, err := textproto.NewReader(bufio.NewReader(strings.NewReader(m.content + "\r\n"))).ReadMIMEHeader()
	if err != nil {
		t.Fatal(fmt.Errorf("%w in %s", err, m.content))
	}
	return header.Values(name)
}
