package stripelocal

import (
	"encoding/json"
	"time"

	"usher/stripelocal/wire"
)

// maxCLIQueue limits the messages of a session that are not acknowledged.
const maxCLIQueue = 2000

// cliMessage is a message for Stripe's command line tool. Its body is rendered when it is sent, so
// that each attempt is signed anew and a queue is small.
type cliMessage struct {
	key    string // the tool acknowledges it with this id
	render func() []byte
}

// The messages are those of stripe/stripe-cli, pkg/websocket: webhook_messages.go,
// request_log_messages.go and messages.go.
type cliEndpoint struct {
	APIVersion *string `json:"api_version"`
}

type cliWebhookEvent struct {
	Type           string            `json:"type"`
	Endpoint       cliEndpoint       `json:"endpoint"`
	EventPayload   string            `json:"event_payload"`
	HTTPHeaders    map[string]string `json:"http_headers"`
	WebhookID      string            `json:"webhook_id"`
	ConversationID string            `json:"webhook_conversation_id"`
}

type cliRequestLog struct {
	Type         string `json:"type"`
	RequestLogID string `json:"request_log_id"`
	EventPayload string `json:"event_payload"`
}

// cliAnswer is a message of the tool: event_ack or webhook_response.
type cliAnswer struct {
	Type           string `json:"type"`
	ConversationID string `json:"webhook_conversation_id"`
	EventID        string `json:"event_id"`
	Status         int    `json:"status"`
}

// acknowledged is the key of the message that an event_ack is about.
func (a cliAnswer) acknowledged() string {
	if a.ConversationID != "" {
		return a.ConversationID
	}
	return a.EventID
}

// eventMessages are the messages of one event: for the account's version, which the tool takes
// without --latest, and for the latest version, which it takes with it. It ignores the other one.
func (r *request) eventMessages(s *cliSession, e *Event) []*cliMessage {
	latest := LatestAPIVersion()
	if !r.hasEvents(e.Type, APIVersion) {
		return []*cliMessage{r.eventMessage(s, e, &latest)}
	}
	return []*cliMessage{r.eventMessage(s, e, nil), r.eventMessage(s, e, &latest)}
}

func (r *request) eventMessage(s *cliSession, e *Event, version *string) *cliMessage {
	id, shown := r.ids.longID("wc_1"), APIVersion
	if version != nil {
		shown = *version
	}
	return &cliMessage{key: id, render: func() []byte {
		body := wire.Encode(r.renderEvent(e, shown))
		return mustJSON(cliWebhookEvent{
			Type: "webhook_event", Endpoint: cliEndpoint{version}, EventPayload: string(body), HTTPHeaders: map[string]string{
				"Accept": "*/*; q=0.5, application/xml", "Cache-Control": "no-cache",
				"Content-Type":     "application/json; charset=utf-8",
				"Stripe-Signature": signatureHeader(body, []Secret{{Value: s.secret}}, time.Now()),
				"User-Agent":       "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
			}, WebhookID: s.webhookID, ConversationID: id,
		})
	}}
}

func logMessage(id string, payload []byte) *cliMessage {
	return &cliMessage{key: id, render: func() []byte {
		return mustJSON(cliRequestLog{Type: "request_log_event", RequestLogID: id, EventPayload: string(payload)})
	}}
}

// mustJSON encodes a value of strings and numbers, which cannot fail.
func mustJSON(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}
