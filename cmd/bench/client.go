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

// client posts one event after the other over one connection. It is as plain as pgbench, so that little of the machine goes to the asking.
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

// post returns the answer's status.
func (c *client) post(payload []byte) (int, error) {
	if err := c.connection.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return 0, err
	}
	head := fmt.Appendf(nil, "POST /stripe/webhook HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\nStripe-Signature: %s\r\n\r\n",
		c.host, len(payload), signed(payload))
	if _, err := c.connection.Write(append(head, payload...)); err != nil {
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
