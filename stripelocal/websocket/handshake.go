// Package websocket is the server's side of the WebSocket protocol (RFC 6455) for text messages:
// the handshake, frames, fragments, pings and the closing handshake, without extensions. Stripe's
// command line tool is the only client that it is made for. The package exists because stripelocal
// imports the standard library alone.
package websocket

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// acceptGUID is what the handshake's answer is computed with (RFC 6455, 1.3).
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// HandshakeError is why a request was not upgraded. Status is the HTTP status to answer with.
type HandshakeError struct {
	Status  int
	Problem string
}

func (e *HandshakeError) Error() string { return e.Problem }

// Accept upgrades a request, with the first of the given subprotocols that the client offers, if
// any. Nothing was written if it returns an error; a *HandshakeError is the client's fault.
func Accept(w http.ResponseWriter, req *http.Request, subprotocols ...string) (*Conn, error) {
	key, err := checkHandshake(req)
	if err != nil {
		return nil, err
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, fmt.Errorf("take over the connection: %w", err)
	}
	answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + acceptKey(key) + "\r\n"
	offered := tokens(req.Header, "Sec-WebSocket-Protocol")
	if at := slices.IndexFunc(subprotocols, func(p string) bool { return slices.Contains(offered, p) }); at >= 0 {
		answer += "Sec-WebSocket-Protocol: " + subprotocols[at] + "\r\n"
	}
	return start(conn, buffered.Reader, answer+"\r\n")
}

// checkHandshake returns the client's key (RFC 6455, 4.2.1).
func checkHandshake(req *http.Request) (string, error) {
	key := req.Header.Get("Sec-WebSocket-Key")
	nonce, err := base64.StdEncoding.DecodeString(key)
	switch {
	case req.Method != http.MethodGet || !hasToken(req.Header, "Upgrade", "websocket") || !hasToken(req.Header, "Connection", "upgrade"):
		return "", &HandshakeError{http.StatusUpgradeRequired, "This is a WebSocket: send a GET with Upgrade: websocket."}
	case req.Header.Get("Sec-WebSocket-Version") != "13":
		return "", &HandshakeError{http.StatusUpgradeRequired, "Sec-WebSocket-Version must be 13."}
	case err != nil || len(nonce) != 16:
		return "", &HandshakeError{http.StatusBadRequest, "Sec-WebSocket-Key must be 16 bytes in base64."}
	}
	return key, nil
}

func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + acceptGUID))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// start answers the handshake. The server's own deadlines of the request end here.
func start(conn net.Conn, in *bufio.Reader, answer string) (*Conn, error) {
	c := &Conn{conn: conn, in: in}
	err := conn.SetDeadline(time.Now().Add(writeTimeout))
	if err == nil {
		_, err = conn.Write([]byte(answer))
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("answer the handshake: %w", err)
	}
	return c, nil
}

// hasToken reports whether a header has a token in one of its lists, in any case.
func hasToken(h http.Header, name, token string) bool {
	return slices.ContainsFunc(tokens(h, name), func(t string) bool { return strings.EqualFold(t, token) })
}

func tokens(h http.Header, name string) []string {
	var out []string
	for _, line := range h.Values(name) {
		for part := range strings.SplitSeq(line, ",") {
			out = append(out, strings.TrimSpace(part))
		}
	}
	return out
}
