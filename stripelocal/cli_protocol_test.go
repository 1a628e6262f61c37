package stripelocal_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/stripelocal"
)

// cliClient speaks the tool's protocol without the tool, and so can misbehave. The messages are
// those of stripe/stripe-cli: pkg/stripeauth/messages.go and pkg/websocket/webhook_messages.go.
type cliClient struct {
	t       *testing.T
	session cliSession
	conn    net.Conn
	in      *bufio.Reader
}

type cliSession struct {
	ID      string `json:"websocket_id"`
	URL     string `json:"websocket_url"`
	Feature string `json:"websocket_authorized_feature"`
	Secret  string `json:"secret"`
}

type cliEvent struct {
	Type     string `json:"type"`
	Endpoint struct {
		APIVersion *string `json:"api_version"`
	} `json:"endpoint"`
	Payload      string `json:"event_payload"`
	Conversation string `json:"webhook_conversation_id"`
	Webhook      string `json:"webhook_id"`
}

// authorizeCLI creates a session with a device's name, as stripe listen does.
func (l *testServer) authorizeCLI(key, device string) cliSession {
	l.t.Helper()
	status, body := l.call(key, "POST", "/v1/stripecli/sessions", url.Values{"device_name": {device}, "websocket_features[]": {"webhooks"}})
	var s cliSession
	if err := json.Unmarshal(body, &s); err != nil || status != http.StatusOK || s.Feature != "webhooks" {
		l.t.Fatalf("session: %d %s", status, body)
	}
	return s
}

// call makes an API call without an SDK.
func (l *testServer) call(key, method, path string, form url.Values, headers ...string) (int, []byte) {
	l.t.Helper()
	status, _, body := l.callWithHeader(key, method, path, form, headers...)
	return status, body
}

func (l *testServer) callWithHeader(key, method, path string, form url.Values, headers ...string) (int, http.Header, []byte) {
	l.t.Helper()
	req, err := http.NewRequest(method, l.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		l.t.Fatal(err)
	}
	if key != "" {
		req.SetBasicAuth(key, "")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		l.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return res.StatusCode, res.Header, body
}

// connectCLI connects to a session's WebSocket. It returns the response if that is refused.
func (l *testServer) connectCLI(s cliSession, id string) (*cliClient, *http.Response) {
	l.t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil || u.Scheme != "ws" {
		l.t.Fatalf("%v, URL %s", err, s.URL)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprintf(conn, "GET %s?websocket_feature=%s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nWebsocket-Id: %s\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", u.Path, s.Feature, u.Host, id)
	c := &cliClient{l.t, s, conn, bufio.NewReader(conn)}
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	return c, res
}

func (l *testServer) listenCLI(s cliSession) *cliClient {
	l.t.Helper()
	c, res := l.connectCLI(s, s.ID)
	if res.StatusCode != http.StatusSwitchingProtocols {
		l.t.Fatalf("connect: %s", res.Status)
	}
	return c
}

// frame reads a frame.
func (c *cliClient) frame() (opcode byte, payload []byte) {
	c.t.Helper()
	var head [2]byte
	_, err := io.ReadFull(c.in, head[:])
	n := int(head[1])
	if n == 126 && err == nil {
		var long [2]byte
		_, err = io.ReadFull(c.in, long[:])
		n = int(binary.BigEndian.Uint16(long[:]))
	}
	payload = make([]byte, n)
	if err == nil {
		_, err = io.ReadFull(c.in, payload)
	}
	if err != nil {
		c.t.Fatalf("no message: %v", err)
	}
	return head[0], payload
}

// next returns the next event of the account's version.
func (c *cliClient) next() (cliEvent, string) {
	c.t.Helper()
	for {
		var e cliEvent
		opcode, raw := c.frame()
		if err := json.Unmarshal(raw, &e); err != nil || opcode != 0x81 || e.Type != "webhook_event" {
			c.t.Fatalf("%v: %#x %s", err, opcode, raw)
		}
		if e.Endpoint.APIVersion == nil {
			return e, idOf(c.t, []byte(e.Payload))
		}
		c.acknowledge(e)
	}
}

func (c *cliClient) acknowledge(e cliEvent) {
	c.t.Helper()
	raw, _ := json.Marshal(map[string]string{
		"type": "event_ack", "event_id": idOf(c.t, []byte(e.Payload)), "webhook_conversation_id": e.Conversation, "webhook_id": e.Webhook,
	})
	out := binary.BigEndian.AppendUint16([]byte{0x81, 0x80 | 126}, uint16(len(raw)))
	if _, err := c.conn.Write(append(append(out, 0, 0, 0, 0), raw...)); err != nil {
		c.t.Fatal(err)
	}
}

func TestUnacknowledgedEventsAreSentAgain(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	session := l.authorizeCLI(testKey, "laptop")
	first := l.listenCLI(session)
	l.createCustomer()
	l.createCustomer()
	acknowledged, id1 := first.next()
	first.acknowledge(acknowledged)
	_, id2 := first.next()
	l.waitForCLI(func(s cliState) bool { return s.Acknowledged >= 2 })
	first.conn.Close()
	l.waitForCLI(func(s cliState) bool { return !s.Connected })
	l.createPrice("pro", 1000, "month") // while the tool is away

	second := l.listenCLI(session)
	if _, again := second.next(); again != id2 || again == id1 {
		t.Errorf("sent after the reconnect: %s, want %s, which was not acknowledged", again, id2)
	}
	if e, _ := second.next(); !strings.Contains(e.Payload, `"type":"product.created"`) {
		t.Errorf("missed while away: %s", e.Payload)
	}
}

type cliState struct {
	Device       string
	Connected    bool
	Waiting      int
	Acknowledged int
}

// waitForCLI waits until the only session fulfills a condition.
func (l *testServer) waitForCLI(fulfilled func(cliState) bool) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), time.Minute)
	defer cancel()
	for {
		var states []cliState
		raw := l.browse("GET", "/_usher/cli_sessions", nil).body
		if err := json.Unmarshal([]byte(raw), &states); err != nil {
			l.t.Fatal(err)
		}
		if len(states) == 1 && fulfilled(states[0]) {
			return
		}
		select {
		case <-ctx.Done():
			l.t.Fatalf("sessions: %s", raw)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestASecondConnectionReplacesTheFirst(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	session := l.authorizeCLI(testKey, "laptop")
	first, second := l.listenCLI(session), l.listenCLI(session)
	if opcode, _ := first.frame(); opcode != 0x88 {
		t.Errorf("the first connection got %#x, want a close", opcode)
	}
	l.createCustomer()
	if _, id := second.next(); id != l.eventOf("customer.created") {
		t.Errorf("the second connection got %s", id)
	}
}

func TestManyToolsGetEveryEventWithTheirSecret(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	secrets := map[string]bool{}
	var tools []*cliClient
	for i := range 20 {
		s := l.authorizeCLI(testKey, fmt.Sprintf("laptop%d", i))
		secrets[s.Secret] = true
		tools = append(tools, l.listenCLI(s))
	}
	l.createCustomer()
	for _, c := range tools {
		if _, id := c.next(); id != l.eventOf("customer.created") {
			t.Errorf("got %s", id)
		}
	}
	if again := l.authorizeCLI(testKey, "laptop3"); len(secrets) != 20 || again.Secret != tools[3].session.Secret || again.ID == tools[3].session.ID {
		t.Errorf("%d secrets of 20 devices; one of them again: %v", len(secrets), again)
	}
}

func TestUnknownWebSocketIDsAreRefused(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	session := l.authorizeCLI(testKey, "laptop")
	_, res := l.connectCLI(session, "cliws_no")
	body, _ := io.ReadAll(res.Body)
	var answer struct{ Error struct{ Message string } }
	if err := json.Unmarshal(body, &answer); err != nil || res.StatusCode/100 != 4 || answer.Error.Message != "Unknown WebSocket ID." {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	session.Feature = "request_logs"
	if _, res := l.connectCLI(session, session.ID); res.StatusCode != http.StatusBadRequest {
		t.Errorf("another feature: %s", res.Status)
	}
	if status, body := l.call(testKey, "GET", "/v1/stripecli/subscribe/acct_x", nil, "Websocket-Id", session.ID); status/100 != 4 {
		t.Errorf("no upgrade: %d %s", status, body)
	}
}

func TestSessionsAreChecked(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	for name, form := range map[string]url.Values{
		"no device":      {"websocket_features[]": {"webhooks"}},
		"no feature":     {"device_name": {"x"}},
		"thin events":    {"device_name": {"x"}, "websocket_features[]": {"v2_events"}},
		"broken filters": {"device_name": {"x"}, "websocket_features[]": {"request_logs"}, "filters": {"{"}},
	} {
		if status, body := l.call(testKey, "POST", "/v1/stripecli/sessions", form); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if status, _ := l.call("", "POST", "/v1/stripecli/sessions", nil); status != http.StatusUnauthorized {
		t.Errorf("no key: %d", status)
	}
	for i := range 101 {
		status, _ := l.call(testKey, "POST", "/v1/stripecli/sessions", url.Values{"device_name": {"x"}, "websocket_features[]": {"webhooks"}})
		if want := map[bool]int{true: 200, false: 429}[i < 100]; status != want {
			t.Fatalf("session %d: %d, want %d", i, status, want)
		}
	}
}

// A tool that does not read blocks no one, and its queue is limited.
func TestASlowToolBlocksNoOne(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	l.listenCLI(l.authorizeCLI(testKey, "laptop"))
	for range 1500 { // two messages each
		l.call(testKey, "POST", "/v1/customers", nil)
	}
	l.waitForCLI(func(s cliState) bool { return s.Waiting == 2000 })
}

func TestEventsAreRetriedAtOneEndpoint(t *testing.T) {
	t.Parallel()
	l := start(t, stripelocal.Options{})
	in := newWebhookReceiver(t, 0)
	l.EnsureWebhookEndpoint(in.url, testSecret, "product.created")
	customer := l.createCustomer()
	event := l.eventOf("customer.created")
	endpoint := l.api.WebhookEndpoints.List(nil)
	endpoint.Next()
	retry := func(form url.Values) int {
		status, body := l.call(testKey, "POST", "/v1/events/"+event+"/retry", form)
		if status == http.StatusOK && idOf(t, body) != event {
			t.Errorf("answered %s", body)
		}
		return status
	}
	if status := retry(url.Values{"webhook_endpoint": {endpoint.WebhookEndpoint().ID}}); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	if e := in.waitFor("customer.created"); !strings.Contains(string(e.Data.Raw), customer.ID) {
		t.Errorf("delivered %s", e.Data.Raw)
	}
	connect := l.create(testKey, "/v1/webhook_endpoints", url.Values{"url": {in.url}, "enabled_events[]": {"*"}, "connect": {"true"}})
	for _, form := range []url.Values{nil, {"webhook_endpoint": {"we_no"}}, {"webhook_endpoint": {connect}}, {"for_stripecli": {"true"}, "account": {"acct_other"}}} {
		if status := retry(form); status != http.StatusBadRequest {
			t.Errorf("%v: %d", form, status)
		}
	}
	if status, _ := l.call(testKey, "POST", "/v1/events/evt_no/retry", url.Values{"for_stripecli": {"true"}}); status != http.StatusNotFound {
		t.Errorf("no event: %d", status)
	}
}
