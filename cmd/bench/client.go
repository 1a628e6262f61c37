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

// client asks one thing after the other over one connection. It is as plain as pgbench, so that little of the machine goes to the asking.
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

// post delivers an event.
func (c *client) post(payload []byte) (status int, err error) {
	head := fmt.Appendf(nil, "POST /stripe/webhook HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\nStripe-Signature: %s\r\n\r\n",
		c.host, len(payload), signed(payload))
	return c.ask(append(head, payload...))
}

// get reads a page.
func (c *client) get(path, cookie string) (status int, err error) {
	return c.ask(fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\n\r\n", path, c.host, cookie))
}

// ask sends a request and reads the whole answer.
func (c *client) ask(request []byte) (status int, err error) {
	if err := c.connection.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return 0, err
	}
	if _, err := c.connection.Write(request); err != nil {
		return 0, err
	}
	answer, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}

// close may be called where nothing was dialed.
func (c *client) close() error {
	if c == nil {
		return nil
	}
	return c.connection.Close()
}
