package webhook

import (
	"context"
	"fmt"

	"usher/billing/account"
	"usher/billing/mail"
)

// notify queues an e-mail to every admin: the endpoint was disabled.
func (d *Deliverer) notify(ctx context.Context, tx Tx, e Endpoint) error {
	organization, err := tx.Organizations().Get(ctx, e.OrganizationID)
	if err != nil {
		return err
	}
	admins, err := tx.Members().ByKeys(ctx, e.OrganizationID, account.MemberKeys{RoleIDs: []string{account.RoleAdmin}})
	if err != nil {
		return err
	}
	m := mail.Message{
		Kind: mail.KindWebhookDisabled, OrganizationID: e.OrganizationID, Key: fmt.Sprintf("webhook:%s:%d", e.ID, e.DisabledAt.Unix()),
		Data: mail.Data{Organization: organization.Name, Endpoint: e.URL, URL: d.baseURL + "/organization/webhooks"},
	}
	if e.DisabledReason == DisabledFailing {
		m.Data.At = *e.FailingSince
	}
	for _, admin := range admins {
		if admin.Status != account.MemberActive {
			continue
		}
		m.To, m.Data.Name = admin.Email, admin.Name
		if err := d.outbox.Queue(ctx, tx, m); err != nil {
			return err
		}
	}
	return nil
}
