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

// In place of an HTTP status.
const (
	noResponse   = 0
	stillReading = -1 // the replica waits for the rest of the request
)

// webhookClient delivers webhooks to random replicas. A delivery method returns the response's
// status.
type webhookClient struct {
	client   *http.Client
	replicas func() []*replicaProcess
}

// deliver delivers a payload as Stripe does.
func (c *webhookClient) deliver(ctx context.Context, payload []byte, signature string) int {
	return c.post(ctx, bytes.NewReader(payload), signature)
}

func (c *webhookClient) post(ctx context.Context, body io.Reader, signature string) int {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.anyReplica()+webhookPath, body)
	if err != nil {
		return noResponse
	}
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set("Stripe-Signature", signature)
	response, err := c.client.Do(request)
	if err != nil {
		return noResponse
	}
	response.Body.Close()
	return response.StatusCode
}

func (c *webhookClient) anyReplica() string {
	replicas := c.replicas()
	return replicas[rand.IntN(len(replicas))].siteURL
}

// deliverChunked delivers a payload in chunks, without a Content-Length.
func (c *webhookClient) deliverChunked(ctx context.Context, payload []byte, signature string) int {
	return c.post(ctx, chunkReader{bytes.NewReader(payload)}, signature)
}

// chunkReader hides the length of its content from [http.NewRequestWithContext].
type chunkReader struct{ content *bytes.Reader }

// Read implements [io.Reader].
func (r chunkReader) Read(b []byte) (int, error) { return r.content.Read(b[:min(len(b), 700)]) }

// slowBodyDuration is longer than a replica reads a request's body.
const slowBodyDuration = 12 * time.Second

// deliverSlowly sends a byte every 200 ms, for longer than a replica reads, and returns the status
// of the response to that.
func (c *webhookClient) deliverSlowly(ctx context.Context, payload []byte, signature string) int {
	address := strings.TrimPrefix(c.anyReplica(), "http://")
	connection, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return noResponse
	}
	defer connection.Close()
	_, err = io.WriteString(connection, "POST "+webhookPath+" HTTP/1.1\r\nHost: "+strings.TrimPrefix(siteURL, "http://")+
		"\r\nStripe-Signature: "+signature+"\r\nTransfer-Encoding: chunked\r\n\r\n")
	for start := time.Now(); err == nil && time.Since(start) < slowBodyDuration; time.Sleep(200 * time.Millisecond) {
		_, err = fmt.Fprintf(connection, "1\r\n%c\r\n", payload[0])
	}
	return readStatus(connection)
}

// readStatus reads the status of the response to a request that is not complete.
func readStatus(connection net.Conn) int {
	_ = connection.SetReadDeadline(time.Now().Add(5 * time.Second))
	protocol := len("HTTP/1.1 ")
	line := make([]byte, protocol+3)
	if _, err := io.ReadFull(connection, line); err != nil {
		if netErr, ok := errors.AsType[net.Error](err); ok && netErr.Timeout() {
			return stillReading
		}
		return noResponse
	}
	status, _ := strconv.Atoi(string(line[protocol:]))
	return status
}
