package billing_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/apperr"
	"usher/billing/catalog"
	"usher/billing/mail"
	"usher/db"
	"usher/db/dbtest"
	mailviews "usher/views/mail"
)

// mailEnv is the billing service on a PostgreSQL database, without Stripe and with a manual clock.
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

func (env *mailEnv) queryInt(query string, args ...any) int {
	env.t.Helper()
	var n int
	if err := env.store.DB().GetContext(env.t.Context(), &n, query, args...); err != nil {
		env.t.Fatal(err)
	}
	return n
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
		env.t.Fatalf("mails by status: %v, want %d %s", got, n, status)
	}
}

// recordingMailer records sent mail, or fails with the error that was set.
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

func paymentFailedMail(key string) mail.Message {
	return mail.Message{Kind: mail.KindPaymentFailed, To: "ana@example.com", Key: key, Data: mail.Data{Organization: "Lantern"}}
}

func wantCode(t *testing.T, err error, code apperr.Code) {
	t.Helper()
	if got := apperr.CodeOf(err); got != code {
		t.Errorf("%v: code %q, want %q", err, got, code)
	}
}
