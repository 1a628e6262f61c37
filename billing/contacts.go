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

// Contacts changes billing contacts.
type Contacts struct {
	*core
	customers *Customers
	members   *account.Members
}

// maxContacts bounds the billing contacts of an organization: a notice goes to each of them.
const maxContacts = 10

// NoticeSettings says who gets the notices about an organization's money, and which.
type NoticeSettings struct {
	Contacts []string       // addresses apart from members; none: the managers
	Managers []account.User // who may manage billing
	Muted    []mail.Kind    // switched off
	Customer CustomerDetails
}

// Recipients are the addresses that notices go to.
func (c NoticeSettings) Recipients() []string {
	if len(c.Contacts) > 0 {
		return c.Contacts
	}
	addresses := make([]string, len(c.Managers))
	for i, manager := range c.Managers {
		addresses[i] = manager.Email
	}
	return addresses
}

// NoticeKinds are the kinds of e-mail about an organization's money. Each can be switched off; that the organization is to be deleted is told
// in any case.
func NoticeKinds() []mail.Kind {
	return slices.DeleteFunc(mail.Kinds(), func(kind mail.Kind) bool {
		return kind == mail.KindInvitation || kind == mail.KindVerifyEmail || kind == mail.KindPasswordReset || kind == mail.KindDeletion
	})
}

// NoticeSettings reads who gets the notices. Error: CodeForbidden.
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
		return c, fmt.Errorf("list who manages billing: %w", err)
	}
	if c.Muted, err = tx.Contacts().Muted(ctx, organizationID); err != nil {
		return c, fmt.Errorf("list muted notices: %w", err)
	}
	return c, nil
}

// AddContact has the notices go to one more address. The first one added takes them over from the members who manage billing, and becomes the
// address of the customer at Stripe. Errors: CodeForbidden; CodeUnprocessable with the field email.
func (cs *Contacts) Add(ctx context.Context, a account.Access, email string) error {
	email = strings.TrimSpace(email)
	if !mail.ValidAddress(email) {
		return apperr.FieldError("email", "Please give an e-mail address, such as billing@example.com.")
	}
	return cs.change(ctx, a, func(tx Tx) error {
		held, err := tx.Contacts().List(ctx, a.Organization.ID)
		if err != nil {
			return err
		}
		if len(held) >= maxContacts {
			return apperr.FieldError("email", "There are %d billing contacts already. Please remove one first.", maxContacts)
		}
		return tx.Contacts().Add(ctx, a.Organization.ID, email)
	})
}

// RemoveContact has no more notices go to an address. Errors: CodeForbidden; one that is no contact is no error.
func (cs *Contacts) Remove(ctx context.Context, a account.Access, email string) error {
	return cs.change(ctx, a, func(tx Tx) error {
		_, _, err := apperr.Found(struct{}{}, tx.Contacts().Remove(ctx, a.Organization.ID, email))
		return err
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

// ChooseNotices switches the notices on that are wanted, and all others off. Errors: CodeForbidden; CodeInvalid for a kind that is no notice.
func (cs *Contacts) ChooseNotices(ctx context.Context, a account.Access, wanted []mail.Kind) error {
	kinds := NoticeKinds()
	for _, kind := range wanted {
		if !slices.Contains(kinds, kind) {
			return apperr.Errorf(apperr.CodeInvalid, "There is no notice of that name.")
		}
	}
	err := cs.members.InLockedOrganization(ctx, a, inTx(func(tx Tx, actor account.Access) error {
		if err := actor.RequireBilling(); err != nil {
			return err
		}
		muted := slices.DeleteFunc(kinds, func(kind mail.Kind) bool { return slices.Contains(wanted, kind) })
		return tx.Contacts().Mute(ctx, a.Organization.ID, muted)
	}))
	if err != nil {
		return fmt.Errorf("choose notices: %w", err)
	}
	return nil
}
