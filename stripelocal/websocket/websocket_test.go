package websocket_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"usher/stripelocal/websocket"
)

// testClient is a client that can violate the protocol.
type testClient struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// serve answers each message with itself until an error, which it reports.
func serve(t *testing.T, idle time.Duration) (address string, ended <-chan error) {
	errs := make(chan error, 10)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		c, err := websocket.Accept(w, req, "b", "a")
		if err != nil {
			var refusal *websocket.HandshakeError
			if errors.As(err, &refusal) {
				http.Error(w, refusal.Problem, refusal.Status)
			}
			errs <- err
			return
		}
		for {
			message, err := c.Read(idle)
			if err == nil {
				err = c.Write(message)
			}
			if err != nil {
				errs <- err
				return
			}
		}
	}))
	t.Cleanup(web.Close)
	return web.Listener.Addr().String(), errs
}

const handshake = "GET /x HTTP/1.1\r\nHost: test\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: c, a\r\n\r\n"

func dial(t *testing.T, address, request string) (*testClient, *http.Response) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	c := &testClient{t, conn, bufio.NewReader(conn)}
	c.write([]byte(request))
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, res
}

func connect(t *testing.T, idle time.Duration) (*testClient, <-chan error) {
	t.Helper()
	address, ended := serve(t, idle)
	c, res := dial(t, address, handshake)
	if res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("handshake: %s", res.Status)
	}
	return c, ended
}

func (c *testClient) write(raw []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(raw); err != nil {
		c.t.Fatal(err)
	}
}

// frame is a masked frame.
func frame(first byte, payload string) []byte {
	out := []byte{first}
	switch n := len(payload); {
	case n < 126:
		out = append(out, 0x80|byte(n))
	case n < 1<<16:
		out = binary.BigEndian.AppendUint16(append(out, 0x80|126), uint16(n))
	default:
		out = binary.BigEndian.AppendUint64(append(out, 0x80|127), uint64(n))
	}
	key := []byte{1, 2, 3, 4}
	out = append(out, key...)
	for i := range len(payload) {
		out = append(out, payload[i]^key[i%4])
	}
	return out
}

// read reads a frame of the server.
func (c *testClient) read() (first byte, payload string) {
	c.t.Helper()
	head := make([]byte, 2)
	c.readFull(head)
	n := int(head[1])
	switch n {
	case 126:
		long := make([]byte, 2)
		c.readFull(long)
		n = int(binary.BigEndian.Uint16(long))
	case 127:
		long := make([]byte, 8)
		c.readFull(long)
		n = int(binary.BigEndian.Uint64(long))
	}
	body := make([]byte, n)
	c.readFull(body)
	return head[0], string(body)
}

func (c *testClient) readFull(into []byte) {
	c.t.Helper()
	if _, err := io.ReadFull(c.in, into); err != nil {
		c.t.Fatal(err)
	}
}

func (c *testClient) wantFrame(first byte, payload string) {
	c.t.Helper()
	if f, p := c.read(); f != first || p != payload {
		c.t.Fatalf("frame %#x of %d bytes, want %#x of %d", f, len(p), first, len(payload))
	}
}

func TestHandshake(t *testing.T) {
	t.Parallel()
	address, _ := serve(t, time.Minute)
	_, res := dial(t, address, handshake)
	// The key and its answer are RFC 6455's example, section 1.3.
	if res.StatusCode != 101 || res.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || res.Header.Get("Sec-WebSocket-Protocol") != "a" {
		t.Errorf("%s %v", res.Status, res.Header)
	}
	for _, c := range []struct {
		from, to string
		status   int
	}{
		{"Upgrade: WebSocket\r\n", "", 426}, {"Connection: keep-alive, Upgrade\r\n", "", 426}, {"GET", "POST", 426},
		{"Version: 13", "Version: 8", 426}, {"dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=", 400}, {"dGhlIHNhbXBsZSBub25jZQ==", "%", 400},
	} {
		if _, res := dial(t, address, strings.Replace(handshake, c.from, c.to, 1)); res.StatusCode != c.status {
			t.Errorf("%q instead of %q: %s, want %d", c.to, c.from, res.Status, c.status)
		}
	}
}

func TestMessagesOfEveryLength(t *testing.T) {
	t.Parallel()
	c, _ := connect(t, time.Minute)
	for _, n := range []int{0, 1, 125, 126, 65535, 65536, websocket.MaxMessageBytes} {
		text := strings.Repeat("é", n/2) + strings.Repeat("e", n%2)
		c.write(frame(0x81, text))
		c.wantFrame(0x81, text)
	}
}

func TestFragmentsWithAPingBetween(t *testing.T) {
	t.Parallel()
	c, ended := connect(t, time.Minute)
	c.write(frame(0x01, "caf\xc3")) // a character may be divided
	c.write(frame(0x89, "are you there"))
	c.write(frame(0x8A, "an unsolicited pong"))
	c.write(frame(0x80, "\xa9"))
	c.wantFrame(0x8A, "are you there")
	c.wantFrame(0x81, "café")
	c.write(frame(0x88, "\x03\xe8bye"))
	c.wantFrame(0x88, "\x03\xe8bye")
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Errorf("after the client's close: %v", err)
	}
}

func TestViolationsCloseWithTheirCode(t *testing.T) {
	t.Parallel()
	unmasked := []byte{0x81, 0x01, 'x'}
	for name, c := range map[string]struct {
		send []byte
		code uint16
	}{
		"not masked":             {unmasked, 1002},
		"reserved bit":           {frame(0xC1, "x"), 1002},
		"unknown opcode":         {frame(0x83, "x"), 1002},
		"unknown control opcode": {frame(0x8B, "x"), 1002},
		"fragmented ping":        {frame(0x09, "x"), 1002},
		"long ping":              {frame(0x89, strings.Repeat("x", 126)), 1002},
		"continuation of none":   {frame(0x80, "x"), 1002},
		"text inside a message":  {append(frame(0x01, "x"), frame(0x81, "y")...), 1002},
		"binary":                 {frame(0x82, "x"), 1003},
		"not UTF-8":              {frame(0x81, "\xff"), 1007},
		"too long":               {frame(0x81, strings.Repeat("x", websocket.MaxMessageBytes+1))[:20], 1009},
		"too long in fragments":  {append(frame(0x01, strings.Repeat("x", websocket.MaxMessageBytes)), frame(0x80, "x")...), 1009},
		"negative length":        {append([]byte{0x81, 0xFF}, "\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04"...), 1009},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, ended := connect(t, time.Minute)
			client.write(c.send)
			first, payload := client.read()
			if first != 0x88 || len(payload) < 2 || binary.BigEndian.Uint16([]byte(payload)) != c.code {
				t.Errorf("answered %#x %q, want a close with %d", first, payload, c.code)
			}
			if err := <-ended; err == nil || errors.Is(err, io.EOF) {
				t.Errorf("the reader got %v", err)
			}
		})
	}
}

func TestSilentConnectionsEnd(t *testing.T) {
	t.Parallel()
	c, ended := connect(t, 50*time.Millisecond)
	var timeout net.Error
	if err := <-ended; !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("ended with %v", err)
	}
	if _, err := c.in.ReadByte(); err == nil {
		t.Error("the connection is open")
	}
}
