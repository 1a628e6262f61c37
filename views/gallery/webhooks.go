package gallery

import (
	"strings"
	"time"

	"usher/views/layout"
	organizationviews "usher/views/organization"
)

func webhookSpecimens() []Specimen {
	p := organizationviews.WebhooksPageProps{
		Layout: signedIn(layout.SectionOrganization), Organization: header(layout.TabGeneral),
		Events: []organizationviews.EventChoice{
			{Event: "entitlements.changed", Does: "Plan, access or seats changed", Chosen: true}, {Event: "invoice.paid", Does: "An invoice was paid", Chosen: true},
			{Event: "member.changed", Does: "A person joined, left or changed"},
		},
	}
	active := organizationviews.WebhookRow{
		ID: "whe_1", URL: "https://example.com/webhooks", Events: []string{"entitlements.changed", "invoice.paid"}, CreatedBy: "Ana Lima", CreatedAt: days(-40), SucceededAt: days(0),
	}
	failing, off, gone := active, active, active
	failing.ID, failing.URL, failing.FailingSince, failing.NextAt = "whe_2", "https://staging.example.com/"+strings.Repeat("hook", 30), days(-1), days(0)
	off.ID, off.FailingSince, off.DisabledAt = "whe_3", days(-6), days(-1)
	gone.ID, gone.DisabledAt, gone.Gone, gone.SucceededAt = "whe_4", days(-2), true, time.Time{}
	listed, created, wrong := p, p, p
	listed.Webhooks = []organizationviews.WebhookRow{active, failing, off, gone}
	listed.Layout.Notices = append(listed.Layout.Notices, organizationviews.WebhookDisabledNotice(english))
	created.Webhooks, created.Secret = listed.Webhooks[:1], "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDazfR1o4iW5A="
	wrong.URL, wrong.Errors = "http://10.0.0.1/", organizationviews.WebhookErrors{URL: "The address has to begin with https://.", Events: "Choose at least one event."}
	one := organizationviews.WebhookPageProps{Layout: p.Layout, Organization: p.Organization, Webhook: failing, Deliveries: []organizationviews.DeliveryRow{
		{ID: 4, MessageID: "msg_4", Event: "seats.changed", CreatedAt: days(0), Body: `{"type":"seats.changed"}`},
		{ID: 3, MessageID: "msg_3", Event: "entitlements.changed", CreatedAt: days(-1), Attempts: 7, Result: "The address answered 500.", Response: "Internal Server Error", Took: 320 * time.Millisecond, Body: `{"type":"entitlements.changed"}`},
		{ID: 2, MessageID: "msg_2", Event: "webhook.test", CreatedAt: days(-5), Attempts: 12, Failed: true, Result: "No answer within 10 seconds.", Took: 10 * time.Second, Body: `{"type":"webhook.test"}`},
		{ID: 1, MessageID: "msg_1", Event: "invoice.paid", CreatedAt: days(-9), Attempts: 1, Delivered: true, Result: "The address answered 204.", Took: 80 * time.Millisecond, Body: `{"type":"invoice.paid"}`},
	}}
	rotated, none := one, one
	rotated.Secret, rotated.Webhook = created.Secret, active
	rotated.Webhook.FormerUntil = days(1)
	none.Webhook, none.Deliveries = gone, nil
	return []Specimen{
		{Name: "webhooks-none", Title: "Webhooks, none yet", Page: organizationviews.WebhooksPage(p)},
		{Name: "webhooks", Title: "Webhooks", Page: organizationviews.WebhooksPage(listed)},
		{Name: "webhooks-created", Title: "A webhook created", Page: organizationviews.WebhooksPage(created)},
		{Name: "webhooks-refused", Title: "A webhook refused", Page: organizationviews.WebhooksPage(wrong)},
		{Name: "webhook", Title: "A webhook and its messages", Page: organizationviews.WebhookPage(one)},
		{Name: "webhook-secret", Title: "A webhook with a new secret", Page: organizationviews.WebhookPage(rotated)},
		{Name: "webhook-off", Title: "A webhook that is off", Page: organizationviews.WebhookPage(none)},
	}
}
