package billing_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/catalog"
	"usher/billing/mail"
	"usher/db"
	"usher/db/dbtest"
	mailviews "usher/views/mail"
)

// postOffice takes mail in, unless it is told to fail.
type recordingMailer struct {
	lock sync.Mutex
	sent []mail.Outgoing
	err  error
}

func (r *recordingMailer) Send(_ context.Context, m mail.Outgoing) error {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.err != nil {
		return r.err
	}
	r.sent = append(r.sent, m)
	return nil
}

func (r *recordingMailer) setError(err error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.err = err
}

func (r *recordingMailer) messages() []mail.Outgoing {
	r.lock.Lock()
	defer r.lock.Unlock()
	return append([]mail.Outgoing(nil), r.sent...)
}

// desk is the domain over a real PostgreSQL with a clock that is set by hand; Stripe has no part in it.
type mailEnv struct {
	t       *testing.T
	store   *db.Store
	mailer  *recordingMailer
	service *billing.Service
	lock    sync.Mutex
	now     time.Time
}

func newMailEnv(t *testing.T) *mailEnv {
	t.Helper()
	t.Parallel()
	store, err := db.Open(t.Context(), dbtest.New(t, db.Migrate))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	env := &mailEnv{t: t, store: store, mailer: &recordingMailer{}, now: time.Date(2026, time.December, 1, 14, 2, 0, 0, time.UTC)}
	env.service = env.newService(env.mailer)
	return env
}

func (env *mailEnv) newService(mailer mail.Sender) *billing.Service {
	return billing.New(billing.Options{
		Store: env.store, Catalog: catalog.BuiltInPlans(), Renderer: mailviews.Renderer{}, Mailer: mailer,
		BaseURL: "https://usher.test", Now: env.clock,
	})
}

func (env *mailEnv) clock() time.Time {
	env.lock.Lock()
	defer env.lock.Unlock()
	return env.now
}

func (env *mailEnv) advance(duration time.Duration) {
	env.lock.Lock()
	defer env.lock.Unlock()
	env.now = env.now.Add(duration)
}

func (env *mailEnv) queueMail(mails ...mail.Message) {
	env.t.Helper()
	err := env.store.InTx(env.t.Context(), func(tx billing.Tx) error {
		for _, m := range mails {
			if err := env.service.QueueMail(env.t.Context(), tx, m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		env.t.Fatal(err)
	}
}

func (env *mailEnv) outboxStatuses() map[mail.Status]int {
	env.t.Helper()
	var rows []struct {
		Status mail.Status `db:"status"`
		Count  int         `db:"count"`
	}
	if err := env.store.DB().SelectContext(env.t.Context(), &rows, `select status, count(*) from emails group by status`); err != nil {
		env.t.Fatal(err)
	}
	statuses := map[mail.Status]int{}
	for _, row := range rows {
		statuses[row.Status] = row.Count
	}
	return statuses
}

func (env *mailEnv) wantStatus(status mail.Status, n int) {
	env.t.Helper()
	if got := env.outboxStatuses(); len(got) != 1 || got[status] != n {
		env.t.Fatalf("outbox %v, want %d %s", got, n, status)
	}
}

func paymentFailedMail(key string) mail.Message {
	return mail.Message{Kind: mail.KindPaymentFailed, To: "ana@example.com", Key: key, Data: mail.Data{Organization: "Lantern"}}
}

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
	env.queueMail(paymentFailedMail("invoice:in_1:failed")) // nor later, when the first is long sent
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
			t.Errorf("message id %s", m.MessageID)
		}
		seen[m.MessageID] = true
	}
	if len(seen) != mails {
		t.Errorf("%d of %d were sent", len(seen), mails)
	}
	env.wantStatus(mail.StatusSent, mails)
}

func TestMailIsRetried(t *testing.T) {
	env := newMailEnv(t)
	env.queueMail(paymentFailedMail("1"))
	env.mailer.setError(errors.New("no answer"))
	env.service.SweepMail(t.Context())
	env.wantStatus(mail.StatusQueued, 1)
	env.mailer.setError(nil)
	env.service.SweepMail(t.Context())
	if len(env.mailer.messages()) != 0 {
		t.Fatal("tried again without a pause")
	}
	env.advance(10 * time.Second)
	env.service.SweepMail(t.Context())
	env.wantStatus(mail.StatusSent, 1)
}

func TestMailIsAbandoned(t *testing.T) {
	t.Run("after a refusal for good", func(t *testing.T) {
		env := newMailEnv(t)
		env.mailer.setError(fmt.Errorf("no such mailbox: %w", mail.ErrRefused))
		env.queueMail(paymentFailedMail("1"))
		env.service.SweepMail(t.Context())
		env.wantStatus(mail.StatusFailed, 1)
	})
	t.Run("after many attempts, the error kept", func(t *testing.T) {
		env := newMailEnv(t)
		env.mailer.setError(errors.New("no answer"))
		env.queueMail(paymentFailedMail("1"))
		for range 12 {
			env.service.SweepMail(t.Context())
			env.advance(90 * time.Minute)
		}
		env.wantStatus(mail.StatusFailed, 1)
		var kept string
		if err := env.store.DB().GetContext(t.Context(), &kept, `select error from emails`); err != nil || !strings.Contains(kept, "no answer") {
			t.Errorf("%q, %v", kept, err)
		}
	})
	t.Run("when it is old news", func(t *testing.T) {
		env := newMailEnv(t)
		env.queueMail(paymentFailedMail("1"))
		env.advance(73 * time.Hour)
		env.service.SweepMail(t.Context())
		env.wantStatus(mail.StatusStale, 1)
		if len(env.mailer.messages()) != 0 {
			t.Error("old news was sent")
		}
	})
}

// A worker that crashed after the mail was taken leaves its lease behind; the mail goes out again under the same id.
func TestMessageIDIsStableAfterCrash(t *testing.T) {
	env := newMailEnv(t)
	env.queueMail(paymentFailedMail("1"))
	claimed, err := env.store.Mails().ClaimDue(t.Context(), env.clock(), env.clock().Add(time.Minute)) // and then it crashes
	if err != nil {
		t.Fatal(err)
	}
	env.service.SweepMail(t.Context())
	if len(env.mailer.messages()) != 0 {
		t.Fatal("the lease did not hold")
	}
	env.advance(2 * time.Minute)
	env.service.SweepMail(t.Context())
	if got := env.mailer.messages(); len(got) != 1 || got[0].MessageID != claimed.ID+"@usher.test" {
		t.Errorf("sent %+v, claimed %s", got, claimed.ID)
	}
}

func TestNoticesGoToBillingAdmins(t *testing.T) {
	env := newMailEnv(t)
	user, organization, err := env.service.Users.SignUp(t.Context(), account.SignUp{Name: "Ana", Email: "ana@example.com", Password: "front of house", Organization: "Lantern"})
	if err != nil {
		t.Fatal(err)
	}
	for name, role := range map[string]string{"bo": account.RoleBillingAdmin, "chidi": account.RoleMember} {
		_, err := env.service.Users.CreateMember(t.Context(), organization.ID, account.NewMember{Name: name, Email: name + "@example.com", Password: "front of house", RoleID: role})
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
		user.Email + ": Please confirm your e-mail address": 1,
		user.Email + ": A payment for Lantern failed":       1,
		"bo@example.com: A payment for Lantern failed":      1,
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
		t.Errorf("%+v, %v", kept, err)
	}
	env.newService(env.mailer).SweepMail(t.Context())
	if len(env.mailer.messages()) != 0 {
		t.Error("what was kept goes out once a mail server is configured")
	}
}
