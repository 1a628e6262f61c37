package main

import (
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/mail"
	"net/textproto"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// mailCatcher is a mail server that keeps what it receives.
type mailCatcher struct {
	address string
	refuse  atomic.Bool // log-ins are refused
	lock    sync.Mutex
	mails   []caughtMail
}

type caughtMail struct {
	to, subject string
	text        string // as received, and decoded
}

func newMailCatcher(t *testing.T) *mailCatcher {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &mailCatcher{address: listener.Addr().String()}
	var connections sync.WaitGroup
	connections.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Go(func() { m.serve(connection) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		connections.Wait()
	})
	return m
}

// serve handles one connection (RFC 5321).
func (m *mailCatcher) serve(connection net.Conn) {
	defer func() { _ = connection.Close() }()
	_ = connection.SetDeadline(time.Now().Add(time.Minute))
	talk := textproto.NewConn(connection)
	reply := "220 mail.test ESMTP"
	for talk.PrintfLine("%s", reply) == nil {
		line, err := talk.ReadLine()
		if err != nil {
			return
		}
		reply = "250 ok"
		switch word := strings.ToUpper(strings.Fields(line + " x")[0]); {
		case word == "EHLO":
			reply = "250-mail.test\r\n250 AUTH PLAIN LOGIN"
		case word == "AUTH" && m.refuse.Load():
			reply = "535 5.7.8 not you"
		case word == "AUTH":
			reply = "235 welcome"
		case word == "QUIT":
			_ = talk.PrintfLine("221 bye")
			return
		case word == "DATA":
			_ = talk.PrintfLine("354 go on")
			content, err := talk.ReadDotBytes()
			if err != nil {
				return
			}
			m.keep(string(content))
		}
	}
}

func (m *mailCatcher) keep(content string) {
	caught := caughtMail{text: content}
	if message, err := mail.ReadMessage(strings.NewReader(content)); err == nil {
		caught.to = message.Header.Get("To")
		caught.subject, _ = new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject"))
		caught.text += "\n" + decodedParts(message.Header.Get("Content-Type"), message.Body)
	}
	m.lock.Lock()
	defer m.lock.Unlock()
	m.mails = append(m.mails, caught)
}

// decodedParts returns the texts of a body with several parts.
func decodedParts(contentType string, body io.Reader) (text string) {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ""
	}
	for parts := multipart.NewReader(body, params["boundary"]); ; {
		part, err := parts.NextPart() // decodes quoted-printable
		if err != nil {
			return text
		}
		content, _ := io.ReadAll(part)
		text += string(content) + "\n"
	}
}

func (m *mailCatcher) all() []caughtMail {
	m.lock.Lock()
	defer m.lock.Unlock()
	return append([]caughtMail(nil), m.mails...)
}
