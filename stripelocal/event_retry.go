package stripelocal

import "usher/stripelocal/wire"

// retry sends an event again: to a webhook endpoint, or to every stripe listen. It is what stripe
// events resend calls (source: stripe/stripe-cli, pkg/cmd/resource/events_resend.go); what it
// responds is inferred.
func (h events) retry(in *input) (any, error) {
	e, ok := h.store.Events.get(in.pathValue("id"))
	if !ok || e.expired(h.now) {
		return nil, wire.NotFound("event", in.pathValue("id"), "id")
	}
	if account := in.String("account"); account != "" && account != h.store.Account.ID {
		return nil, wire.Invalid("account_invalid", "account", "This local Stripe has no connected accounts: leave out account.")
	}
	var err error
	switch endpoint := in.String("webhook_endpoint"); {
	case endpoint != "":
		err = h.retryAt(e, endpoint)
	case in.Bool("for_stripecli"):
		h.cli.sendEvent(h.request, e)
	default:
		err = wire.Invalid("parameter_missing", "webhook_endpoint", "Name the webhook_endpoint that the event is sent to, or send for_stripecli=true.")
	}
	if err != nil {
		return nil, err
	}
	return h.renderEvent(e, APIVersion), nil
}

// retryAt makes a new delivery, even if the endpoint does not accept the event's type.
func (h events) retryAt(e *Event, endpoint string) error {
	w, ok := h.store.WebhookEndpoints.get(endpoint)
	switch {
	case !ok:
		return wire.NoSuch("webhook endpoint", endpoint, "webhook_endpoint")
	case w.Connect:
		return wire.Invalid("", "webhook_endpoint", "The webhook endpoint "+endpoint+" receives events of connected accounts, of which there are none.")
	case w.Disabled:
		return wire.Invalid("", "webhook_endpoint", "The webhook endpoint "+endpoint+" is disabled.")
	}
	h.webhooks.enqueue(h.deliveries.create(e, w))
	return nil
}
