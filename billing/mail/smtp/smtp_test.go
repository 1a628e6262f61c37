package smtp_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/billing/mail"
	"usher/billing/mail/smtp"
)

const password = "s3cret word"

var sentAt = time.Date(2026, time.December, 1, 14, 2, 0, 0, time.UTC)

// mailer returns a Mailer for the server; PORT in address is replaced by its port.
func mailer(t *testing.T, s *mailServer, address string, config *tls.Config) *smtp.Mailer {
	t.Helper()
	u, err := url.Parse(strings.Replace(address, "PORT", s.port(), 1))
	if err != nil {
		t.Fatal(err)
	}
	m, err := smtp.New(smtp.Options{
		URL: u, From: &netmail.Address{Name: "Usher, billing", Address: "usher@example.com"}, TLS: config,
		Now: func() time.Time { return sentAt }, Timeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func outgoing() mail.Outgoing {
	return mail.Outgoing{
		To: "ana@example.com", Subject: "Zahlung für Lantern fehlgeschlagen", Text: "Grüße\n.\nhttps://usher.test/" + strings.Repeat("x", 90) + "\n",
		HTML: "<p>Grüße</p>", MessageID: "eml_1@usher.test",
	}
}

// parts returns the text and HTML parts of a received e-mail.
func parts(t *testing.T, m receivedMail) (text, html string) {
	t.Helper()
	parsed, err := netmail.ReadMessage(strings.NewReader(m.content))
	if err != nil {
		t.Fatal(err)
	}
	kind, parameters, err := mime.ParseMediaType(parsed.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("content type %s, %v", kind, err)
	}
	reader := multipart.NewReader(parsed.Body, parameters["boundary"])
	var read []string
	// The preferred alternative is last, RFC 2046 section 5.1.4.
	for _, want := range []string{"text/plain", "text/html"} {
		part, err := reader.NextRawPart()
		if err != nil || !strings.HasPrefix(part.Header.Get("Content-Type"), want) {
			t.Fatalf("%v, want a part of %s", err, want)
		}
		content, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		read = append(read, strings.ReplaceAll(string(content), "\r\n", "\n"))
	}
	return read[0], read[1]
}

func TestSend(t *testing.T) {
	t.Parallel()
	server := &mailServer{}
	server.start(t)
	out := outgoing()
	if err := mailer(t, server, "smtp://127.0.0.1:PORT", nil).Send(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	mails := server.mails()
	if len(mails) != 1 {
		t.Fatalf("%d mails", len(mails))
	}
	got := mails[0]
	if !strings.HasPrefix(got.from, "MAIL FROM:<usher@example.com>") || got.to != "RCPT TO:<ana@example.com>" {
		t.Errorf("envelope %q, %q", got.from, got.to)
	}
	decoder := new(mime.WordDecoder)
	for name, want := range map[string]string{
		"Subject": out.Subject, "To": "<ana@example.com>", "From": `"Usher, billing" <usher@example.com>`, "Message-Id": "<eml_1@usher.test>",
		"Auto-Submitted": "auto-generated", "Date": "Tue, 01 Dec 2026 14:02:00 +0000",
	} {
		values := got.headerOf(t, name)
		if len(values) != 1 {
			t.Errorf("%s: %q", name, values)
			continue
		}
		if decoded, err := decoder.DecodeHeader(values[0]); err != nil || decoded != want {
			t.Errorf("%s: %q, want %q", name, decoded, want)
		}
	}
	for _, name := range []string{"User-Agent", "X-Mailer"} { // they name the library and its version
		if values := got.headerOf(t, name); len(values) > 0 {
			t.Errorf("%s: %q", name, values)
		}
	}
	text, html := parts(t, got)
	if strings.TrimSpace(text) != strings.TrimSpace(out.Text) || strings.TrimSpace(html) != out.HTML {
		t.Errorf("text %q, HTML %q", text, html)
	}
	for line := range strings.SplitSeq(got.content, "\n") {
		if len(line) > 998 {
			t.Errorf("a line of %d octets", len(line))
		}
	}
}

func TestCheckSendsNothing(t *testing.T) {
	t.Parallel()
	server := &mailServer{}
	server.start(t)
	if err := mailer(t, server, "smtp://127.0.0.1:PORT", nil).Check(t.Context()); err != nil {
		t.Error(err)
	}
	if mails := server.mails(); len(mails) != 0 {
		t.Errorf("%d mails", len(mails))
	}
	refusing := &mailServer{replies: map[string]string{"EHLO": "554 go away", "HELO": "554 go away"}}
	refusing.start(t)
	if err := mailer(t, refusing, "smtp://127.0.0.1:PORT", nil).Check(t.Context()); err == nil {
		t.Error("Check accepts a server that rejects")
	}
}

// Names are user input and must not add headers or commands.
func TestUserInputCannotInjectHeaders(t *testing.T) {
	t.Parallel()
	server := &mailServer{}
	server.start(t)
	m := mailer(t, server, "smtp://127.0.0.1:PORT", nil)
	out := outgoing()
	out.Subject = "Lantern\r\nBcc: evil@example.com\r\n\r\nAnother body"
	if err := m.Send(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	got := server.mails()[0]
	if got.headerOf(t, "Bcc") != nil || len(got.headerOf(t, "Subject")) != 1 || strings.Contains(got.content, "\nBcc:") {
		t.Errorf("injected: %s", got.content)
	}
	for _, address := range []string{"ana@example.com\r\nRCPT TO:<evil@example.com>", "ana@example.com> ORCPT=x", "", "ana@example.com, evil@example.com"} {
		out := outgoing()
		out.To = address
		if err := m.Send(t.Context(), out); !errors.Is(err, mail.ErrRefused) {
			t.Errorf("%q: %v", address, err)
		}
	}
	if n := len(server.mails()); n != 1 || server.gotCommand("RCPT TO:<evil") {
		t.Errorf("%d mails, commands %q", n, server.commands)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	serverTLS, clientTLS := certificate(t)
	for _, tc := range []struct {
		name, address      string
		implicit, starttls bool
		config             *tls.Config
		sent, secure       bool
		user               string
	}{
		{name: "smtps", address: "smtps://127.0.0.1:PORT", implicit: true, config: clientTLS, sent: true, secure: true},
		{name: "smtps, logged in", address: "smtps://ana:s3cret%20word@127.0.0.1:PORT", implicit: true, config: clientTLS, sent: true, secure: true, user: "ana"},
		{name: "smtps, not trusted", address: "smtps://127.0.0.1:PORT", implicit: true},
		{name: "starttls, logged in", address: "smtp://ana:s3cret%20word@127.0.0.1:PORT?tls=starttls", starttls: true, config: clientTLS, sent: true, secure: true, user: "ana"},
		{name: "starttls, not trusted", address: "smtp://127.0.0.1:PORT?tls=starttls", starttls: true},
		{name: "starttls, not offered", address: "smtp://ana:s3cret%20word@127.0.0.1:PORT?tls=starttls", config: clientTLS},
		{name: "loopback", address: "smtp://ana:s3cret%20word@127.0.0.1:PORT", starttls: true, sent: true, user: "ana"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			server := &mailServer{config: serverTLS, implicit: tc.implicit, starttls: tc.starttls}
			server.start(t)
			err := mailer(t, server, tc.address, tc.config).Send(t.Context(), outgoing())
			mails := server.mails()
			if (err == nil) != tc.sent || (len(mails) == 1) != tc.sent {
				t.Fatalf("%v, %d mails", err, len(mails))
			}
			if !tc.sent {
				if server.gotCommand("AUTH") || server.gotCommand("MAIL") {
					t.Errorf("went on without TLS: %q", server.commands)
				}
				return
			}
			if got := mails[0]; got.secure != tc.secure || got.user != tc.user || tc.user != "" && got.password != password {
				t.Errorf("%+v", got)
			}
		})
	}
}

// CRAM-MD5 proves the password with a hash that is broken.
func TestBrokenHashIsNotUsed(t *testing.T) {
	t.Parallel()
	server := &mailServer{mechanisms: "CRAM-MD5"}
	server.start(t)
	err := mailer(t, server, "smtp://ana:s3cret%20word@127.0.0.1:PORT", nil).Send(t.Context(), outgoing())
	if err == nil || errors.Is(err, mail.ErrRefused) || server.gotCommand("AUTH") {
		t.Errorf("%v, commands %q", err, server.commands)
	}
}

func TestReplies(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, command, reply string
		refused              bool // permanently
	}{
		{"no such mailbox", "RCPT", "550 5.1.1 no such mailbox", true},
		{"greylisted", "RCPT", "451 4.7.1 try again later", false},
		{"content refused", "DATA.", "554 5.7.1 looks like spam", true},
		{"busy", "DATA.", "452 4.3.1 no space left", false},
		{"sender refused", "MAIL", "550 5.7.1 not from here", false},
		{"log-in refused", "AUTH", "535 5.7.8 wrong password", false},
		{"not now", "GREETING", "421 4.3.2 not now", false},
		{"cut before", "GREETING", "cut", false},
		{"cut in the middle", "DATA.", "cut", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			server := &mailServer{replies: map[string]string{tc.command: tc.reply}}
			server.start(t)
			err := mailer(t, server, "smtp://ana:s3cret%20word@127.0.0.1:PORT", nil).Send(t.Context(), outgoing())
			if err == nil || errors.Is(err, mail.ErrRefused) != tc.refused {
				t.Fatalf("%v, permanent: %t", err, tc.refused)
			}
			for _, secret := range []string{password, "s3cret", "czNjcmV0"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error contains the password: %v", err)
				}
			}
		})
	}
}

// The server has accepted the e-mail. A retry because of a later failure would send it twice.
func TestFailureAfterAcceptanceIsIgnored(t *testing.T) {
	t.Parallel()
	server := &mailServer{replies: map[string]string{"RSET": "421 bye", "NOOP": "421 bye", "QUIT": "cut"}}
	server.start(t)
	if err := mailer(t, server, "smtp://127.0.0.1:PORT", nil).Send(t.Context(), outgoing()); err != nil {
		t.Error(err)
	}
}

func TestContextEndsHangingConnection(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"GREETING", "EHLO", "MAIL", "DATA."} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			server := &mailServer{replies: map[string]string{command: "hang"}}
			server.start(t)
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			began := time.Now()
			if err := mailer(t, server, "smtp://127.0.0.1:PORT", nil).Send(ctx, outgoing()); err == nil {
				t.Fatal("no error")
			}
			// The Mailer's own timeout is ten seconds.
			if took := time.Since(began); took > 8*time.Second {
				t.Errorf("took %s: the end of the context does not close the connection", took)
			}
		})
	}
}

func TestNewValidatesURL(t *testing.T) {
	t.Parallel()
	for address, wrong := range map[string]string{
		"smtp://mail.example.com":                            "",
		"smtps://ana:secret@mail.example.com:465":            "",
		"smtp://ana:secret@localhost:1025":                   "",
		"smtp://ana:secret@localhost:1025?tls=off":           "",
		"smtp://relay.example.com?tls=off":                   "",
		"smtp://ana:secret@mail.example.com?tls=off":         "readable by everybody",
		"smtp://mail.example.com?tls=maybe":                  "starttls or off",
		"smtps://mail.example.com?tls=starttls":              "only with smtp://",
		"smtp://mail.example.com:0":                          "port",
		"smtp://ana:secret@mail.example.com:99999?tls=maybe": "starttls or off",
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		_, err = smtp.New(smtp.Options{URL: u, From: &netmail.Address{Address: "usher@example.com"}})
		if (err == nil) != (wrong == "") || err != nil && !strings.Contains(err.Error(), wrong) {
			t.Errorf("%s: %v, want %q", address, err, wrong)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error contains the password", address)
		}
	}
}
