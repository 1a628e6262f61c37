package stripelocal

import (
	"net/url"
	"regexp"

	"usher/stripelocal/wire"
)

var eventTypePattern = regexp.MustCompile(`^(\*|[a-z_0-9]+(\.[a-z_0-9]+)+)$`)

// WebhookEndpoint is a URL that receives events.
type WebhookEndpoint struct {
	Base
	Description   string
	Disabled      bool
	EnabledEvents []string
	Metadata      map[string]string
	Secrets       []Secret // all unexpired ones sign
	URL           string
	APIVersion    string // empty is the account's
	Connect       bool   // for events of connected accounts, of which there are none
	Configured    bool   // by EnsureWebhookEndpoint; a reset keeps it
}

// Secret is a signing secret. A rotated secret also signs until it expires.
type Secret struct {
	Value     string
	ExpiresAt int64 // real time; 0 is never
}

// webhookEndpoints serves /v1/webhook_endpoints.
type webhookEndpoints struct{ *request }

func webhookEndpointResource() resource {
	return resource{
		objectType: "webhook_endpoint",
		render: renderFrom(func(s *store) *table[*WebhookEndpoint] { return s.WebhookEndpoints },
			func(_ *request, w *WebhookEndpoint) wire.Object { return renderEndpoint(w) }),
		routes: []route{
			on("POST /v1/webhook_endpoints", "url! enabled_events[]! api_version connect:bool description? metadata:map?", webhookEndpoints.create),
			on("GET /v1/webhook_endpoints", "limit:int starting_after ending_before", webhookEndpoints.list),
			on("GET /v1/webhook_endpoints/{id}", "", webhookEndpoints.get),
			on("POST /v1/webhook_endpoints/{id}", "url enabled_events[] description? disabled:bool metadata:map?", webhookEndpoints.update),
			on("DELETE /v1/webhook_endpoints/{id}", "", webhookEndpoints.delete),
		},
	}
}

func (h webhookEndpoints) create(in *input) (any, error) {
	if err := validateEndpoint(in.Params); err != nil {
		return nil, err
	}
	w := &WebhookEndpoint{APIVersion: in.String("api_version"), Connect: in.Bool("connect"), Metadata: in.Metadata()}
	w.setFields(in.Params)
	h.insert(w, "whsec_"+h.ids.token(32))
	o := renderEndpoint(w)
	o["secret"] = w.Secrets[0].Value
	return o, nil
}

func validateEndpoint(p wire.Params) error {
	if u, err := url.Parse(p.String("url")); p.Has("url") && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return wire.Invalid("url_invalid", "url", "Invalid URL: URLs must be publicly accessible and begin with http or https.")
	}
	if p.Has("api_version") && !isAPIVersion(p.String("api_version")) {
		return wire.Invalid("", "api_version", "Invalid Stripe API version: "+p.String("api_version"))
	}
	for _, name := range p.Strings("enabled_events") {
		if !eventTypePattern.MatchString(name) {
			return wire.Invalid("", "enabled_events", "Invalid enabled_events: "+name+" is no event type.")
		}
	}
	return nil
}

func (h webhookEndpoints) insert(w *WebhookEndpoint, secret string) {
	w.Base = Base{ID: h.ids.longID("we_1"), Created: h.now}
	w.Secrets = []Secret{{Value: secret}}
	h.store.WebhookEndpoints.insert(w)
	h.changed = true
}

func (w *WebhookEndpoint) setFields(p wire.Params) {
	p.SetString("url", &w.URL)
	p.SetString("description", &w.Description)
	p.SetBool("disabled", &w.Disabled)
	p.SetMetadata(&w.Metadata)
	if p.Has("enabled_events") {
		w.EnabledEvents = p.Strings("enabled_events")
	}
}

// ensure implements EnsureWebhookEndpoint.
func (h webhookEndpoints) ensure(address, secret string, events []string) {
	if len(events) == 0 {
		events = []string{"*"}
	}
	for _, w := range h.store.WebhookEndpoints.all {
		if w.URL == address && !w.Connect {
			w.Secrets, w.EnabledEvents, w.Disabled, w.Configured = []Secret{{Value: secret}}, events, false, true
			h.changed = true
			return
		}
	}
	h.insert(&WebhookEndpoint{URL: address, EnabledEvents: events, Metadata: map[string]string{}, Configured: true}, secret)
}

func (w *WebhookEndpoint) accepts(kind string) bool {
	return !w.Disabled && !w.Connect && matchesEventType(kind, w.EnabledEvents)
}

func (w *WebhookEndpoint) apiVersion() string {
	if w.APIVersion == "" {
		return APIVersion
	}
	return w.APIVersion
}

func (h webhookEndpoints) find(in *input) (*WebhookEndpoint, error) {
	w, ok := h.store.WebhookEndpoints.get(in.pathValue("id"))
	if !ok {
		return nil, wire.NotFound("webhook endpoint", in.pathValue("id"), "webhook_endpoint")
	}
	return w, nil
}

func (h webhookEndpoints) get(in *input) (any, error) {
	w, err := h.find(in)
	if err != nil {
		return nil, err
	}
	return renderEndpoint(w), nil
}

func (h webhookEndpoints) update(in *input) (any, error) {
	w, err := h.find(in)
	if err == nil {
		err = validateEndpoint(in.Params)
	}
	if err != nil {
		return nil, err
	}
	w.setFields(in.Params)
	return renderEndpoint(w), nil
}

func (h webhookEndpoints) delete(in *input) (any, error) {
	w, err := h.find(in)
	if err != nil {
		return nil, err
	}
	h.store.WebhookEndpoints.remove(w.ID)
	return wire.Object{"id": w.ID, "object": "webhook_endpoint", "deleted": true}, nil
}

func (h webhookEndpoints) list(in *input) (any, error) {
	return listing[*WebhookEndpoint]{
		resource: "webhook endpoint", table: h.store.WebhookEndpoints, rows: h.store.WebhookEndpoints.all, render: renderEndpoint,
	}.page(in)
}

func renderEndpoint(w *WebhookEndpoint) wire.Object {
	status := "enabled"
	if w.Disabled {
		status = "disabled"
	}
	return wire.Object{
		"id": w.ID, "object": "webhook_endpoint", "api_version": wire.StringOrNull(w.APIVersion), "application": nil,
		"created": w.Created, "description": wire.StringOrNull(w.Description), "enabled_events": w.EnabledEvents,
		"livemode": false, "metadata": w.Metadata, "status": status, "url": w.URL,
	}
}
