package billing_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/mail"
)

// This file tests the outbox of package mail with the rendered mails of the whole service.

func TestConcurrentlyQueuedMailIsSentOnce(t *testing.T) {
	env := newMailEnv(t)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() { env.queueMail(paymentFailedMail("invoice:in_1:failed")) })
	}
	group.Wait()
	env.service.SweepMail(t.Context())
	if got := env.mailer.messages(); len(got) != 1 || got[0].To != "ana@example.com" || got[0].Subject != "A payment for Lantern failed" {
		t.Errorf("sent %+v", got)
	}
	env.queueMail(paymentFailedMail("invoice:in_1:failed")) // also after the first was sent
	env.service.SweepMail(t.Context())
	env.wantStatus(mail.StatusSent, 1)
}

func TestMailOfRolledBackTransactionIsNotSent(t *testing.T) {
	env := newMailEnv(t)
	failure := errors.New("the change was refused")
	err := env.store.InTx(t.Context(), func(tx billing.Tx) error {
		if err := env.service.QueueMail(t.Context(), tx, paymentFailedMail("1")); err != nil {
			t.Error(err)
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Fatal(err)
	}
	env.service.SweepMail(t.Context())
	if got := env.mailer.messages(); len(got) != 0 {
		t.Errorf("sent %+v", got)
	}
}

func TestReplicasSendEachMailOnce(t *testing.T) {
	env := newMailEnv(t)
	const mails = 40
	for i := range mails {
		env.queueMail(paymentFailedMail(fmt.Sprintf("invoice:in_%d", i)))
	}
	var group sync.WaitGroup
	for range 3 {
		replica := env.newService(env.mailer)
		group.Go(func() { replica.SweepMail(t.Context()) })
	}
	group.Wait()
	seen := map[string]bool{}
	for _, m := range env.mailer.messages() {
		if seen[m.MessageID] || !strings.HasSuffix(m.MessageID, "@usher.test") {
			t.Errorf("duplicate or invalid message ID %s", m.MessageID)
		}
		seen[m.MessageID] = true
	}
	if len(seen) != mails {
		t.Errorf("%d of %d mails were sent", len(seen), mails)
	}
	env.wantStatus(mail.StatusSent, mails)
}

func TestMailIsRetried(t *testing.T) {
	env := newMailEnv(t)
	env.queueMail(paymentFailedMail("1"))
	env.mailer.setError(errors.New("no response"))
	env.service.SweepMail(t.Context())
	env.wantStatus(mail.StatusQueued, 1)
	env.mailer.setError(nil)
	env.service.SweepMail(t.Context())
	if len(env.mailer.messages()) != 0 {
		t.Fatal("retried before the back-off passed")
	}
	env.advance(10 * time.Second)
	env.service.SweepMail(t.Context())
	env.wantStatus(mail.StatusSent, 1)
}

func TestMailIsAbandoned(t *testing.T) {
	t.Run("after a permanent failure", func(t *testing.T) {
		env := newMailEnv(t)
		env.mailer.setError(fmt.Errorf("no such mailbox: %w", mail.ErrRefused))
		env.queueMail(paymentFailedMail("1"))
		env.service.SweepMail(t.Context())
		env.wantStatus(mail.StatusFailed, 1)
	})
	t.Run("after the last attempt", func(t *testing.T) {
		env := newMailEnv(t)
		env.mailer.setError(errors.New("no response"))
		env.queueMail(paymentFailedMail("1"))
		for range 12 {
			env.service.SweepMail(t.Context())
			env.advance(90 * time.Minute)
		}
		env.wantStatus(mail.StatusFailed, 1)
		var recorded string
		if err := env.store.DB().GetContext(t.Context(), &recorded, `select error from emails`); err != nil || !strings.Contains(recorded, "no response") {
			t.Errorf("recorded error %q, %v", recorded, err)
		}
	})
	t.Run("when it is outdated", func(t *testing.T) {
		env := newMailEnv(t)
		env.queueMail(paymentFailedMail("1"))
		env.advance(73 * time.Hour)
		env.service.SweepMail(t.Context())
		env.wantStatus(mail.StatusStale, 1)
		if len(env.mailer.messages()) != 0 {
			t.Error("outdated mail was sent")
		}
	})
}

// A worker that crashes after sending leaves its lease behind. The mail is sent again with the same
// message ID.
func TestMessageIDIsStableAfterCrash(t *testing.T) {
	env := newMailEnv(t)
	env.queueMail(paymentFailedMail("1"))
	// The worker that claims the mail crashes.
	claimed, err := env.store.Mails().ClaimDue(t.Context(), env.clock(), env.clock().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	env.service.SweepMail(t.Context())
	if len(env.mailer.messages()) != 0 {
		t.Fatal("sent during another worker's lease")
	}
	env.advance(2 * time.Minute)
	env.service.SweepMail(t.Context())
	if got := env.mailer.messages(); len(got) != 1 || got[0].MessageID != claimed.ID+"@usher.test" {
		t.Errorf("sent %+v, claimed %s", got, claimed.ID)
	}
}

func TestNoticesGoToBillingAdmins(t *testing.T) {
	env := newMailEnv(t)
	user, organization, err := env.service.Users.SignUp(t.Context(), account.SignUp{Name: "Ana", Email: "ana@example.com", Password: testPassword, Organization: "Lantern"})
	if err != nil {
		t.Fatal(err)
	}
	for name, role := range map[string]string{"bo": account.RoleBillingAdmin, "chidi": account.RoleMember} {
		_, err := env.service.Users.CreateMember(t.Context(), organization.ID, account.NewMember{Name: name, Email: name + "@example.com", Password: testPassword, RoleID: role})
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		err = env.store.InTx(t.Context(), func(tx billing.Tx) error {
			notice := paymentFailedMail("invoice:in_1")
			notice.OrganizationID = organization.ID
			return env.service.QueueNotice(t.Context(), tx, notice)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	env.service.SweepMail(t.Context())
	got := map[string]int{}
	for _, m := range env.mailer.messages() {
		got[m.To+": "+m.Subject]++
	}
	want := map[string]int{
		user.Email + ": Confirm your e-mail address":   1,
		user.Email + ": A payment for Lantern failed":  1,
		"bo@example.com: A payment for Lantern failed": 1,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("sent %v, want %v", got, want)
	}
}

func TestInvalidMailIsRefused(t *testing.T) {
	env := newMailEnv(t)
	for name, m := range map[string]mail.Message{
		"no kind":        {To: "ana@example.com", Key: "1"},
		"no key":         {Kind: mail.KindPaymentFailed, To: "ana@example.com"},
		"no recipient":   {Kind: mail.KindPaymentFailed, Key: "1"},
		"two recipients": {Kind: mail.KindPaymentFailed, To: "ana@example.com, bo@example.com", Key: "1"},
		"a header":       {Kind: mail.KindPaymentFailed, To: "ana@example.com\r\nBcc: bo@example.com", Key: "1"},
		"no link":        {Kind: mail.KindPasswordReset, To: "ana@example.com", Key: "1"},
	} {
		if err := env.service.QueueMail(t.Context(), env.store, m); err == nil {
			t.Errorf("%s: queued", name)
		}
	}
}

func TestMailIsKeptWithoutMailer(t *testing.T) {
	env := newMailEnv(t)
	env.service = env.newService(nil)
	env.queueMail(paymentFailedMail("1"), paymentFailedMail("2"))
	env.service.SweepMail(t.Context())
	env.wantStatus(mail.StatusUnsendable, 2)
	kept, err := env.service.Worker.UnsentMail(t.Context())
	if err != nil || len(kept) != 2 || !strings.Contains(kept[0].Text, "https://usher.test/organization?tab=billing") {
		t.Errorf("kept mails %+v, %v", kept, err)
	}
	env.newService(env.mailer).SweepMail(t.Context())
	if len(env.mailer.messages()) != 0 {
		t.Error("kept mail was sent after a mailer was configured")
	}
}
