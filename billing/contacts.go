package billing

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/mail"
)

// Contacts changes billing contacts and notice settings.
type Contacts struct {
	*core
	customers *Customers
	members   *account.Members
}

// maxContacts is the maximum number of billing contacts of an organization: each of them gets every
// notice.
const maxContacts = 10

// NoticeSettings says who gets the notices about an organization's billing, and which kinds.
type NoticeSettings struct {
	Contacts []string       // e-mail addresses; none: the managers get the notices
	Managers []account.User // members who may manage billing
	Muted    []mail.Kind    // kinds that are not sent
	Customer CustomerDetails
}

// Recipients returns the addresses that notices are sent to.
func (s NoticeSettings) Recipients() []string {
	if len(s.Contacts) > 0 {
		return s.Contacts
	}
	addresses := make([]string, len(s.Managers))
	for i, manager := range s.Managers {
		addresses[i] = manager.Email
	}
	return addresses
}

// NoticeKinds returns the kinds of e-mail about an organization's billing. Each can be muted; the
// notices of the organization's deletion and of a disabled webhook can't.
func NoticeKinds() []mail.Kind {
	return slices.DeleteFunc(mail.Kinds(), func(kind mail.Kind) bool {
		return kind == mail.KindDeletion || kind == mail.KindWebhookDisabled || kind.AboutPerson()
	})
}

// NoticeSettings reads the organization's settings. Error: CodeForbidden.
func (cs *Contacts) NoticeSettings(ctx context.Context, a account.Access) (NoticeSettings, error) {
	if err := a.RequireBilling(); err != nil {
		return NoticeSettings{}, err
	}
	c, err := noticeSettings(ctx, cs.store, a.Organization.ID)
	if err != nil {
		return c, err
	}
	c.Customer, _, err = apperr.Found(cs.store.Customers().Details(ctx, a.Organization.ID, cs.knownAccount()))
	return c, err
}

func noticeSettings(ctx context.Context, tx Tx, organizationID string) (c NoticeSettings, err error) {
	if c.Contacts, err = tx.Contacts().List(ctx, organizationID); err != nil {
		return c, fmt.Errorf("list billing contacts: %w", err)
	}
	if c.Managers, err = tx.Members().BillingManagers(ctx, organizationID); err != nil {
		return c, fmt.Errorf("list billing managers: %w", err)
	}
	if c.Muted, err = tx.Contacts().Muted(ctx, organizationID); err != nil {
		return c, fmt.Errorf("list muted notices: %w", err)
	}
	return c, nil
}

// Add adds a billing contact. Once there is one, notices go to the contacts instead of the members
// who manage billing, and the first contact becomes the customer's e-mail address at Stripe.
// Errors: CodeForbidden; CodeUnprocessable with the field email.
func (cs *Contacts) Add(ctx context.Context, a account.Access, email string) error {
	email = strings.TrimSpace(email)
	if !mail.ValidAddress(email) {
		return apperr.FieldError("email", "Enter an e-mail address such as billing@example.com.")
	}
	return cs.change(ctx, a, func(tx Tx) error {
		contacts, err := tx.Contacts().List(ctx, a.Organization.ID)
		if err != nil {
			return err
		}
		if len(contacts) >= maxContacts {
			return apperr.FieldError("email", "You already have %d addresses. Remove one first.", maxContacts)
		}
		if err := tx.Contacts().Add(ctx, a.Organization.ID, email); err != nil {
			return err
		}
		return cs.audit(ctx, tx, a.Did(account.ActContactAdded).To("", email))
	})
}

// Remove removes a billing contact. Error: CodeForbidden. An address that is no contact is no
// error.
func (cs *Contacts) Remove(ctx context.Context, a account.Access, email string) error {
	return cs.change(ctx, a, func(tx Tx) error {
		_, known, err := apperr.Found(struct{}{}, tx.Contacts().Remove(ctx, a.Organization.ID, email))
		if err != nil || !known {
			return err
		}
		return cs.audit(ctx, tx, a.Did(account.ActContactRemoved).To("", email))
	})
}

func (cs *Contacts) change(ctx context.Context, a account.Access, change func(Tx) error) error {
	err := cs.members.InLockedOrganization(ctx, a, inTx(func(tx Tx, actor account.Access) error {
		if err := actor.RequireBilling(); err != nil {
			return err
		}
		if err := change(tx); err != nil {
			return err
		}
		return cs.customers.scheduleUpdate(ctx, tx, a.Organization.ID)
	}))
	if err != nil {
		return fmt.Errorf("change billing contacts: %w", err)
	}
	return nil
}

// ChooseNotices enables the given kinds of notice and mutes all others. Errors: CodeForbidden;
// CodeInvalid for an unknown kind.
func (cs *Contacts) ChooseNotices(ctx context.Context, a account.Access, enabled []mail.Kind) error {
	kinds := NoticeKinds()
	for _, kind := range enabled {
		if !slices.Contains(kinds, kind) {
			return apperr.Errorf(apperr.CodeInvalid, "There is no notice of that name.")
		}
	}
	err := cs.members.InLockedOrganization(ctx, a, inTx(func(tx Tx, actor account.Access) error {
		if err := actor.RequireBilling(); err != nil {
			return err
		}
		muted := slices.DeleteFunc(kinds, func(kind mail.Kind) bool { return slices.Contains(enabled, kind) })
		before, err := tx.Contacts().Muted(ctx, a.Organization.ID)
		if err != nil {
			return err
		}
		if err := tx.Contacts().Mute(ctx, a.Organization.ID, muted); err != nil {
			return err
		}
		return cs.audit(ctx, tx, actor.Did(account.ActNoticesChanged).Changed(mutedValues(before), mutedValues(muted)))
	}))
	if err != nil {
		return fmt.Errorf("choose notices: %w", err)
	}
	return nil
}

func mutedValues(muted []mail.Kind) account.AuditValues {
	var names []string
	for _, kind := range muted {
		names = append(names, string(kind))
	}
	slices.Sort(names)
	return account.AuditValues{"muted": strings.Join(names, ", ")}
}
