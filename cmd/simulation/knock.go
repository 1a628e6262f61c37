package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const webhookPath = "/stripe/webhook"

// patience is more than a replica has with a body that does not end.
const patience = 12 * time.Second

// In place of a status.
const (
	noAnswer       = 0
	stillListening = -1
)

// try brings a payload once and returns the status.
func (c *courier) try(ctx context.Context, payload []byte, signature string) int {
	return c.knock(ctx, bytes.NewReader(payload), signature)
}

func (c *courier) knock(ctx context.Context, body io.Reader, signature string) int {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.anyFront()+webhookPath, body)
	if err != nil {
		return noAnswer
	}
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set("Stripe-Signature", signature)
	answer, err := c.world.client.Do(request)
	if err != nil {
		return noAnswer
	}
	answer.Body.Close()
	return answer.StatusCode
}

func (c *courier) anyFront() string {
	return c.world.replicas[rand.IntN(len(c.world.replicas))].front
}

// chunked brings a payload in pieces whose sum is not announced.
func (c *courier) chunked(ctx context.Context, payload []byte, signature string) int {
	return c.knock(ctx, pieces{bytes.NewReader(payload)}, signature)
}

// pieces hides how much there is.
type pieces struct{ of *bytes.Reader }

func (p pieces) Read(b []byte) (int, error) { return p.of.Read(b[:min(len(b), 700)]) }

// drip sends a byte now and then, for longer than a replica waits, and returns what is answered to that.
func (c *courier) drip(ctx context.Context, payload []byte, signature string) int {
	connection, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", strings.TrimPrefix(c.anyFront(), "http://"))
	if err != nil {
		return noAnswer
	}
	defer connection.Close()
	_, err = io.WriteString(connection, "POST "+webhookPath+" HTTP/1.1\r\nHost: usher.storm\r\nStripe-Signature: "+signature+"\r\nTransfer-Encoding: chunked\r\n\r\n")
	for began := time.Now(); err == nil && time.Since(began) < patience; time.Sleep(200 * time.Millisecond) { // the dripping itself
		_, err = fmt.Fprintf(connection, "1\r\n%c\r\n", payload[0])
	}
	return lastWord(connection)
}

// lastWord reads what was answered to somebody who has not come to an end.
func lastWord(connection net.Conn) int {
	_ = connection.SetReadDeadline(time.Now().Add(5 * time.Second))
	status := len("HTTP/1.1 ")
	answer := make([]byte, status+3)
	if _, err := io.ReadFull(connection, answer); err != nil {
		if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() {
			return stillListening
		}
		return noAnswer
	}
	code, _ := strconv.Atoi(string(answer[status:]))
	return code
}
