// Package dnstest is a small DNS server for tests, on a UDP port of the loopback interface.
package dnstest

import (
	"context"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// Server is a running DNS server that knows TXT records.
type Server struct {
	conn net.PacketConn

	lock      sync.Mutex
	records   map[string][][]string // by name, each record as its strings
	fails     bool
	silent    bool
	questions map[string]bool // names
}

// New starts a server that ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{conn: conn, records: map[string][][]string{}, questions: map[string]bool{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.serve()
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return s
}

// SetTXT makes the records those of a name such as example.com, each as its strings.
func (s *Server) SetTXT(name string, records ...[]string) {
	s.set(func() { s.records[name+"."] = records })
}

// Fail makes the server answer with SERVFAIL, or in earnest again.
func (s *Server) Fail(fails bool) { s.set(func() { s.fails = fails }) }

// BeSilent makes the server answer nothing.
func (s *Server) BeSilent() { s.set(func() { s.silent = true }) }

// Questions lists the names that were looked up.
func (s *Server) Questions() (names []string) {
	s.set(func() { names = slices.Sorted(maps.Keys(s.questions)) })
	return names
}

func (s *Server) set(change func()) {
	s.lock.Lock()
	defer s.lock.Unlock()
	change()
}

// Resolver asks this server.
func (s *Server) Resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", s.conn.LocalAddr().String())
	}}
}

func (s *Server) serve() {
	packet := make([]byte, 1500)
	for {
		n, from, err := s.conn.ReadFrom(packet)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(packet[:n]) != nil || len(m.Questions) != 1 {
			continue
		}
		reply, replies := s.answer(m)
		if packed, err := reply.Pack(); err == nil && replies {
			_, _ = s.conn.WriteTo(packed, from)
		}
	}
}

func (s *Server) answer(m dnsmessage.Message) (dnsmessage.Message, bool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	question := m.Questions[0]
	s.questions[question.Name.String()] = true
	reply := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, Authoritative: true}, Questions: m.Questions}
	records, known := s.records[question.Name.String()]
	switch {
	case s.fails:
		reply.RCode = dnsmessage.RCodeServerFailure
	case !known:
		reply.RCode = dnsmessage.RCodeNameError
	case question.Type == dnsmessage.TypeTXT:
		header := dnsmessage.ResourceHeader{Name: question.Name, Type: dnsmessage.TypeTXT, Class: dnsmessage.ClassINET}
		for _, texts := range records {
			reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.TXTResource{TXT: texts}})
		}
	}
	return reply, !s.silent
}
