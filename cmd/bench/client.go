package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// client sends one request after the other over one connection. It writes requests by hand, so that
// it uses as little CPU time as pgbench.
type client struct {
	connection net.Conn
	reader     *bufio.Reader
	host       string
}

func dial(site string) (*client, error) {
	host := strings.TrimPrefix(site, "http://")
	connection, err := net.DialTimeout("tcp", host, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &client{connection, bufio.NewReader(connection), host}, nil
}

// postEvent delivers a signed event.
func (c *client) postEvent(payload []byte) (status int, err error) {
	head := fmt.Appendf(nil, "POST /stripe/webhook HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json; charset=utf-8\r\n"+
		"Content-Length: %d\r\nStripe-Signature: %s\r\n\r\n", c.host, len(payload), sign(payload))
	return c.send(append(head, payload...))
}

// get requests a page. coding is the Accept-Encoding.
func (c *client) get(path, cookie, coding string) (status int, err error) {
	return c.send(fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\nAccept-Encoding: %s\r\n\r\n", path, c.host, cookie, coding))
}

// send sends a request, reads the whole response and returns its status.
func (c *client) send(request []byte) (status int, err error) {
	if err := c.connection.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return 0, err
	}
	if _, err := c.connection.Write(request); err != nil {
		return 0, err
	}
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

// close closes the connection. It does nothing on a nil client.
func (c *client) close() error {
	if c == nil {
		return nil
	}
	return c.connection.Close()
}
