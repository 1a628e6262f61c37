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
type postOffice struct {
	lock sync.Mutex
	sent []mail.Outgoing
	fail error
}

func (p *postOffice) Send(_ context.Context, m mail.Outgoing) error {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.fail != nil {
		return p.fail
	}
	p.sent = append(p.sent, m)
	return nil
}

func (p *postOffice) failWith(err error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.fail = err
}

func (p *postOffice) all() []mail.Outgoing {
	p.lock.Lock()
	defer p.lock.Unlock()
	return append([]mail.Outgoing(nil), p.sent...)
}

// desk is the domain over a real PostgreSQL with a clock that is set by hand; Stripe has no part in it.
type desk struct {
	t       *testing.T
	store   *db.Store
	office  *postOffice
	service *billing.Service
	lock    sync.Mutex
	now     time.Time
}

func openDesk(t *testing.T) *desk {
	t.Helper()
	t.Parallel()
	store, err := db.Open(t.Context(), dbtest.New(t, db.Migrate))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	d := &desk{t: t, store: store, office: &postOffice{}, now: time.Date(2026, time.December, 1, 14, 2, 0, 0, time.UTC)}
	d.service = d.replica(d.office)
	return d
}

func (d *desk) replica(mailer mail.Sender) *billing.Service {
	return billing.New(billing.Options{
		Store: d.store, Catalog: catalog.BuiltInPlans(), Renderer: mailviews.Renderer{}, Mailer: mailer,
		BaseURL: "https://usher.test", Now: d.clock,
	})
}

func (d *desk) clock() time.Time {
	d.lock.Lock()
	defer d.lock.Unlock()
	return d.now
}

func (d *desk) pass(duration time.Duration) {
	d.lock.Lock()
	defer d.lock.Unlock()
	d.now = d.now.Add(duration)
}

func (d *desk) queue(mails ...mail.Message) {
	d.t.Helper()
	err := d.store.InTx(d.t.Context(), func(tx billing.Tx) error {
		for _, m := range mails {
			if err := d.service.QueueMail(d.t.Context(), tx, m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) statuses() map[mail.Status]int {
	d.t.Helper()
	var rows []struct {
		Status mail.Status `db:"status"`
		Count  int         `db:"count"`
	}
	if err := d.store.DB().SelectContext(d.t.Context(), &rows, `select status, count(*) from emails group by status`); err != nil {
		d.t.Fatal(err)
	}
	statuses := map[mail.Status]int{}
	for _, row := range rows {
		statuses[row.Status] = row.Count
	}
	return statuses
}

func (d *desk) wantStatus(status mail.Status, n int) {
	d.t.Helper()
	if got := d.statuses(); len(got) != 1 || got[status] != n {
		d.t.Fatalf("outbox %v, want %d %s", got, n, status)
	}
}

func failedPayment(key string) mail.Message {
	return mail.Message{Kind: mail.KindPaymentFailed, To: "ana@example.com", Key: key, Data: mail.Data{Organization: "Lantern"}}
}

func TestQueuedTwentyTimesAtOnceMailedOnce(t *testing.T) {
	d := openDesk(t)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() { d.queue(failedPayment("invoice:in_1:failed")) })
	}
	group.Wait()
	d.service.SweepMail(t.Context())
	if got := d.office.all(); len(got) != 1 || got[0].To != "ana@example.com" || got[0].Subject != "A payment for Lantern failed" {
		t.Errorf("sent %+v", got)
	}
	d.queue(failedPayment("invoice:in_1:failed")) // nor later, when the first is long sent
	d.service.SweepMail(t.Context())
	d.wantStatus(mail.StatusSent, 1)
}

func TestMailOfATransactionThatFailsIsNotSent(t *testing.T) {
	d := openDesk(t)
	failure := errors.New("the change was refused")
	err := d.store.InTx(t.Context(), func(tx billing.Tx) error {
		if err := d.service.QueueMail(t.Context(), tx, failedPayment("1")); err != nil {
			t.Error(err)
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Fatal(err)
	}
	d.service.SweepMail(t.Context())
	if got := d.office.all(); len(got) != 0 {
		t.Errorf("sent %+v", got)
	}
}

func TestReplicasSendEachMailOnce(t *testing.T) {
	d := openDesk(t)
	const mails = 40
	for i := range mails {
		d.queue(failedPayment(fmt.Sprintf("invoice:in_%d", i)))
	}
	var group sync.WaitGroup
	for range 3 {
		replica := d.replica(d.office)
		group.Go(func() { replica.SweepMail(t.Context()) })
	}
	group.Wait()
	seen := map[string]bool{}
	for _, m := range d.office.all() {
		if seen[m.MessageID] || !strings.HasSuffix(m.MessageID, "@usher.test") {
			t.Errorf("message id %s", m.MessageID)
		}
		seen[m.MessageID] = true
	}
	if len(seen) != mails {
		t.Errorf("%d of %d were sent", len(seen), mails)
	}
	d.wantStatus(mail.StatusSent, mails)
}

func TestMailIsSentAgainAfterAFailure(t *testing.T) {
	d := openDesk(t)
	d.queue(failedPayment("1"))
	d.office.failWith(errors.New("no answer"))
	d.service.SweepMail(t.Context())
	d.wantStatus(mail.StatusQueued, 1)
	d.office.failWith(nil)
	d.service.SweepMail(t.Context())
	if len(d.office.all()) != 0 {
		t.Fatal("tried again without a pause")
	}
	d.pass(10 * time.Second)
	d.service.SweepMail(t.Context())
	d.wantStatus(mail.StatusSent, 1)
}

func TestMailIsGivenUp(t *testing.T) {
	t.Run("after a refusal for good", func(t *testing.T) {
		d := openDesk(t)
		d.office.failWith(fmt.Errorf("no such mailbox: %w", mail.ErrRefused))
		d.queue(failedPayment("1"))
		d.service.SweepMail(t.Context())
		d.wantStatus(mail.StatusFailed, 1)
	})
	t.Run("after many attempts, the error kept", func(t *testing.T) {
		d := openDesk(t)
		d.office.failWith(errors.New("no answer"))
		d.queue(failedPayment("1"))
		for range 12 {
			d.service.SweepMail(t.Context())
			d.pass(90 * time.Minute)
		}
		d.wantStatus(mail.StatusFailed, 1)
		var kept string
		if err := d.store.DB().GetContext(t.Context(), &kept, `select error from emails`); err != nil || !strings.Contains(kept, "no answer") {
			t.Errorf("%q, %v", kept, err)
		}
	})
	t.Run("when it is old news", func(t *testing.T) {
		d := openDesk(t)
		d.queue(failedPayment("1"))
		d.pass(73 * time.Hour)
		d.service.SweepMail(t.Context())
		d.wantStatus(mail.StatusStale, 1)
		if len(d.office.all()) != 0 {
			t.Error("old news was sent")
		}
	})
}

// A worker that crashed after the mail was taken leaves its lease behind; the mail goes out again under the same id.
func TestMailAfterACrashHasTheSameMessageID(t *testing.T) {
	d := openDesk(t)
	d.queue(failedPayment("1"))
	claimed, err := d.store.Mails().ClaimDue(t.Context(), d.clock(), d.clock().Add(time.Minute)) // and then it crashes
	if err != nil {
		t.Fatal(err)
	}
	d.service.SweepMail(t.Context())
	if len(d.office.all()) != 0 {
		t.Fatal("the lease did not hold")
	}
	d.pass(2 * time.Minute)
	d.service.SweepMail(t.Context())
	if got := d.office.all(); len(got) != 1 || got[0].MessageID != claimed.ID+"@usher.test" {
		t.Errorf("sent %+v, claimed %s", got, claimed.ID)
	}
}

func TestNoticesGoToBillingContacts(t *testing.T) {
	d := openDesk(t)
	user, organization, err := d.service.Users.SignUp(t.Context(), account.SignUp{Name: "Ana", Email: "ana@example.com", Password: "front of house", Organization: "Lantern"})
	if err != nil {
		t.Fatal(err)
	}
	for name, role := range map[string]string{"bo": account.RoleBillingAdmin, "chidi": account.RoleMember} {
		_, err := d.service.Users.CreateMember(t.Context(), organization.ID, account.NewMember{Name: name, Email: name + "@example.com", Password: "front of house", RoleID: role})
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		err = d.store.InTx(t.Context(), func(tx billing.Tx) error {
			notice := failedPayment("invoice:in_1")
			notice.OrganizationID = organization.ID
			return d.service.QueueNotice(t.Context(), tx, notice)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	d.service.SweepMail(t.Context())
	got := map[string]int{}
	for _, m := range d.office.all() {
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

func TestMailThatCouldNeverBeSentIsRefused(t *testing.T) {
	d := openDesk(t)
	for name, m := range map[string]mail.Message{
		"no kind":        {To: "ana@example.com", Key: "1"},
		"no key":         {Kind: mail.KindPaymentFailed, To: "ana@example.com"},
		"no recipient":   {Kind: mail.KindPaymentFailed, Key: "1"},
		"two recipients": {Kind: mail.KindPaymentFailed, To: "ana@example.com, bo@example.com", Key: "1"},
		"a header":       {Kind: mail.KindPaymentFailed, To: "ana@example.com\r\nBcc: bo@example.com", Key: "1"},
		"no link":        {Kind: mail.KindPasswordReset, To: "ana@example.com", Key: "1"},
	} {
		if err := d.service.QueueMail(t.Context(), d.store, m); err == nil {
			t.Errorf("%s: queued", name)
		}
	}
}

func TestWithoutAMailerMailIsKept(t *testing.T) {
	d := openDesk(t)
	d.service = d.replica(nil)
	d.queue(failedPayment("1"), failedPayment("2"))
	d.service.SweepMail(t.Context())
	d.wantStatus(mail.StatusUnsendable, 2)
	kept, err := d.service.Worker.UnsentMail(t.Context())
	if err != nil || len(kept) != 2 || !strings.Contains(kept[0].Text, "https://usher.test/organization?tab=billing") {
		t.Errorf("%+v, %v", kept, err)
	}
	d.replica(d.office).SweepMail(t.Context())
	if len(d.office.all()) != 0 {
		t.Error("what was kept goes out once a mail server is configured")
	}
}
