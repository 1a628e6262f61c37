package handlers

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"usher/billing/apperr"
	webhooks "usher/billing/webhook"
	"usher/views/layout"
	"usher/views/locale"
	organizationviews "usher/views/organization"
)

// webhookPages list, create and change the organization's outgoing webhooks.
type webhookPages struct {
	*site
	webhooks *webhooks.Endpoints
}

const webhooksPath = "/organization/webhooks"

func (p *webhookPages) list(w http.ResponseWriter, r *http.Request) error {
	props := organizationviews.WebhooksPageProps{}
	for _, event := range webhooks.EventTypes() { // most want everything
		props.Events = append(props.Events, eventChoice(r, event, true))
	}
	return p.renderList(w, r, http.StatusOK, props)
}

// renderList adds the webhooks to what the page shows of a form.
func (p *webhookPages) renderList(w http.ResponseWriter, r *http.Request, status int, props organizationviews.WebhooksPageProps) error {
	endpoints, err := p.webhooks.List(r.Context(), accessOf(r))
	if err != nil {
		return err
	}
	props.Layout, props.Organization = p.layout(r, layout.SectionOrganization), organizationHeader(r, layout.TabGeneral)
	for _, e := range endpoints {
		props.Webhooks = append(props.Webhooks, webhookRow(e, p.now()))
	}
	return render(w, r, status, organizationviews.WebhooksPage(props))
}

// eventWords says when each event is sent.
var eventWords = map[webhooks.EventType]string{
	webhooks.EntitlementsChanged:  locale.Mark("Plan, access or seats changed"),
	webhooks.SubscriptionChanged:  locale.Mark("The subscription changed"),
	webhooks.SeatsChanged:         locale.Mark("Seats are needed, were paid for, or could not be updated"),
	webhooks.CreditsChanged:       locale.Mark("Credits were used or granted"),
	webhooks.InvoicePaid:          locale.Mark("An invoice was paid"),
	webhooks.InvoicePaymentFailed: locale.Mark("A payment failed"),
	webhooks.MemberChanged:        locale.Mark("A person joined, left or changed"),
}

func eventChoice(r *http.Request, event webhooks.EventType, chosen bool) organizationviews.EventChoice {
	return organizationviews.EventChoice{Event: string(event), Does: locale.Lookup(r.Context(), eventWords[event]), Chosen: chosen}
}

// create creates a webhook and shows its secret, once.
func (p *webhookPages) create(w http.ResponseWriter, r *http.Request) error {
	draft := webhooks.Draft{URL: r.PostFormValue("url"), Events: strings.Fields(strings.Join(r.PostForm["events"], " "))}
	_, secret, err := p.webhooks.Create(r.Context(), accessOf(r), draft)
	form := organizationviews.WebhooksPageProps{Secret: secret}
	for _, event := range webhooks.EventTypes() {
		form.Events = append(form.Events, eventChoice(r, event, err == nil || slices.Contains(draft.Events, string(event))))
	}
	switch {
	case err == nil:
		return p.renderList(w, r, http.StatusCreated, form)
	case !isRefusal(err):
		return err
	}
	invalid := fieldMessages(r.Context(), err)
	form.URL, form.Errors = draft.URL, organizationviews.WebhookErrors{URL: invalid["url"], Events: invalid["events"], Form: formMessage(r.Context(), err)}
	return p.renderList(w, r, refusalStatus(err), form)
}

func (p *webhookPages) show(w http.ResponseWriter, r *http.Request) error {
	return p.renderOne(w, r, "")
}

// renderOne shows a webhook, with its secret if that was just made.
func (p *webhookPages) renderOne(w http.ResponseWriter, r *http.Request, secret string) error {
	endpoint, deliveries, err := p.webhooks.Get(r.Context(), accessOf(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	props := organizationviews.WebhookPageProps{
		Layout: p.layout(r, layout.SectionOrganization), Organization: organizationHeader(r, layout.TabGeneral),
		Webhook: webhookRow(endpoint, p.now()), Secret: secret,
	}
	for _, d := range deliveries {
		props.Deliveries = append(props.Deliveries, deliveryRow(r, d))
	}
	return render(w, r, http.StatusOK, organizationviews.WebhookPage(props))
}

func webhookRow(e webhooks.Endpoint, now time.Time) organizationviews.WebhookRow {
	row := organizationviews.WebhookRow{
		ID: e.ID, URL: e.URL, CreatedBy: e.CreatedBy, CreatedAt: e.CreatedAt, SucceededAt: timeOrZero(e.SucceededAt), FailingSince: timeOrZero(e.FailingSince),
		DisabledAt: timeOrZero(e.DisabledAt), Gone: e.DisabledReason == webhooks.DisabledGone, FormerUntil: e.FormerSecretUntil(now),
	}
	if e.DueAt != nil && e.FailingSince != nil {
		row.NextAt = *e.DueAt
	}
	for _, event := range e.Events {
		row.Events = append(row.Events, string(event))
	}
	return row
}

func deliveryRow(r *http.Request, d webhooks.Delivery) organizationviews.DeliveryRow {
	return organizationviews.DeliveryRow{
		ID: d.ID, MessageID: d.MessageID, Event: string(d.Type), CreatedAt: d.CreatedAt, Attempts: d.Attempts,
		Delivered: d.Status == webhooks.DeliveryDelivered, Failed: d.Status == webhooks.DeliveryFailed, Result: deliveryResult(r, d),
		Response: d.Response, Took: time.Duration(d.TookMS) * time.Millisecond, Body: d.Body,
	}
}

// failureWords say why an attempt failed, where the status does not.
var failureWords = map[webhooks.Failure]string{
	webhooks.FailureRedirect:   locale.Mark("The address redirects. Redirects are not followed."),
	webhooks.FailureAddress:    locale.Mark("The address is in a private network."),
	webhooks.FailureName:       locale.Mark("The name of the address was not found."),
	webhooks.FailureTimeout:    locale.Mark("No answer within 10 seconds."),
	webhooks.FailureTLS:        locale.Mark("The certificate is not valid."),
	webhooks.FailureConnection: locale.Mark("The connection failed."),
	webhooks.FailureSecret:     locale.Mark("The signing secret can't be read. Replace it, or ask the operators."),
	webhooks.FailureDisabled:   locale.Mark("The webhook was turned off."),
}

// deliveryResult says how the last attempt ended.
func deliveryResult(r *http.Request, d webhooks.Delivery) string {
	result := ""
	if d.StatusCode != 0 {
		result = locale.T(r.Context(), "The address answered %s.", strconv.Itoa(d.StatusCode))
	}
	if words := failureWords[d.Failure]; words != "" {
		result = strings.TrimSpace(result + " " + locale.Lookup(r.Context(), words))
	}
	return result
}

// rotate replaces the secret and shows the new one, once.
func (p *webhookPages) rotate(w http.ResponseWriter, r *http.Request) error {
	_, secret, err := p.webhooks.Rotate(r.Context(), accessOf(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	return p.renderOne(w, r, secret)
}

func (p *webhookPages) test(w http.ResponseWriter, r *http.Request) error {
	err := p.webhooks.SendTest(r.Context(), accessOf(r), r.PathValue("id"))
	return p.backToWebhook(w, r, noticeWebhookTested, err)
}

func (p *webhookPages) enable(w http.ResponseWriter, r *http.Request) error {
	err := p.webhooks.Enable(r.Context(), accessOf(r), r.PathValue("id"))
	return p.backToWebhook(w, r, noticeWebhookEnabled, err)
}

func (p *webhookPages) resend(w http.ResponseWriter, r *http.Request) error {
	delivery, err := strconv.ParseInt(r.PostFormValue("delivery"), 10, 64)
	if err != nil {
		return apperr.ErrNotFound
	}
	err = p.webhooks.Resend(r.Context(), accessOf(r), r.PathValue("id"), delivery)
	return p.backToWebhook(w, r, noticeWebhookResent, err)
}

func (p *webhookPages) backToWebhook(w http.ResponseWriter, r *http.Request, notice string, err error) error {
	if err != nil {
		return err
	}
	redirect(w, r, webhooksPath+"/"+r.PathValue("id")+"?notice="+notice)
	return nil
}

func (p *webhookPages) remove(w http.ResponseWriter, r *http.Request) error {
	if err := p.webhooks.Delete(r.Context(), accessOf(r), r.PathValue("id")); err != nil {
		return err
	}
	redirect(w, r, webhooksPath+"?notice="+noticeWebhookDeleted)
	return nil
}
