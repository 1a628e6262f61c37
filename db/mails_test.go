package db

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/catalog"
	"usher/billing/mail"
	"usher/billing/phrase"
)

func testMail(id, key, to string) mail.QueuedMessage {
	return mail.QueuedMessage{
		Message: mail.Message{Kind: mail.KindPaymentFailed, To: to, Key: key, StaleAt: at(1000)},
		ID:      id, Status: mail.StatusQueued, QueuedAt: at(0), NextAttemptAt: ptr(at(0)),
	}
}

func putMail(t testing.TB, store *Store, m mail.QueuedMessage) bool {
	t.Helper()
	fresh, err := store.Mails().Insert(t.Context(), m)
	must(t, err)
	return fresh
}

func TestMailRoundTrip(t *testing.T) {
	t.Parallel()
	store := newTestStore(t)
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	m := testMail("eml_1", "invoice:in_1:failed", "ana@example.com")
	m.OrganizationID, m.Subject, m.Attempts, m.Error = "org_1", "A payment failed", 3, "no answer"
	m.Data = mail.Data{
		Name: "Ana", Organization: "Lantern", OfImport: true, Inviter: "Bo", Role: "Member", Plan: "Pro", Interval: catalog.Yearly, FormerPlan: "Starter", FormerInterval: catalog.Monthly,
		Amount: catalog.Money{Minor: 261000, Currency: "usd"}, Step: "Use another card.", Card: "4242", Reason: "the card was declined", Seats: 9, FormerSeats: 8, Credits: 500, CodesLeft: 7, Provider: "accounts.example.com", SenderLanguage: "de", Passkey: "Door key", Protected: true,
		Lines: []phrase.Phrase{phrase.Of("%s joined", phrase.Name("Bo"))}, Changes: []string{"Ana added Bo"}, URL: "https://usher.test/x", Address: "ana@new.example", Endpoint: "https://example.com/hook", ExpiresAt: at(1), At: at(2), NextAt: at(3), PlanEndsAt: at(4),
	}
	wantFilled(t, m.Data)
	wantFilled(t, m, "SentAt") // only sent mail has it
	putMail(t, store, m)
	unsent, err := store.Mails().Unsent(t.Context(), 10)
	must(t, err)
	wantEqual(t, unsent, []mail.QueuedMessage{m})
}

// A message is in the language of the account with its address when it is sent, not when it was
// queued.
func TestMailHasTheLanguageOfItsRecipient(t *testing.T) {
	t.Parallel()
	store := newTestStore(t)
	must(t, store.Users().Insert(t.Context(), account.User{ID: "usr_1", Email: "Ana@Example.com", CreatedAt: testTime}))
	putMail(t, store, testMail("eml_1", "a", "ana@example.com"))
	putMail(t, store, testMail("eml_2", "b", "stranger@example.com"))
	must(t, store.Users().SetLanguage(t.Context(), "usr_1", "de"))
	languages := map[string]string{}
	for range 2 {
		m, err := store.Mails().ClaimDue(t.Context(), at(1), at(2))
		must(t, err)
		languages[m.ID] = m.Language
	}
	wantEqual(t, languages, map[string]string{"eml_1": "de", "eml_2": ""})
}

func TestMailIsUniquePerKeyAndRecipient(t *testing.T) {
	t.Parallel()
	store := newTestStore(t)
	for _, tc := range []struct {
		id, key, to string
		fresh       bool
	}{
		{"eml_1", "invoice:in_1", "ana@example.com", true},
		{"eml_2", "invoice:in_1", "ana@example.com", false},
		{"eml_3", "invoice:in_1", "ANA@example.com", false},
		{"eml_4", "invoice:in_1", "bo@example.com", true},
		{"eml_5", "invoice:in_2", "ana@example.com", true},
	} {
		wantEqual(t, putMail(t, store, testMail(tc.id, tc.key, tc.to)), tc.fresh)
	}
}

func TestMailIsQueuedOnceByParallelWriters(t *testing.T) {
	t.Parallel()
	store := newTestStore(t)
	var fresh atomic.Int32
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			err := store.InTx(t.Context(), func(tx billing.Tx) error {
				first, err := tx.Mails().Insert(t.Context(), testMail("eml_"+string(rune('a'+i)), "source", "ana@example.com"))
				if first {
					fresh.Add(1)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	wantEqual(t, fresh.Load(), 1)
	wantEqual(t, one[int](t, store, `select count(*) from emails`), 1)
}

func TestNoMailIsClaimedTwice(t *testing.T) {
	t.Parallel()
	store := newTestStore(t)
	const mails = 60
	for i := range mails {
		id := "eml_" + time.Duration(i).String()
		putMail(t, store, testMail(id, id, "ana@example.com"))
	}
	var lock sync.Mutex
	seen := map[string]int{}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for {
				m, err := store.Mails().ClaimDue(context.Background(), at(1), at(100))
				if err != nil {
					return
				}
				lock.Lock()
				seen[m.ID] += m.Attempts
				lock.Unlock()
			}
		})
	}
	group.Wait()
	wantEqual(t, len(seen), mails)
	for id, attempts := range seen {
		if attempts != 1 {
			t.Errorf("%s was claimed %d times", id, attempts)
		}
	}
}

func TestClaimDueMailOldestFirst(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	later := testMail("eml_later", "2", "ana@example.com")
	later.NextAttemptAt = ptr(at(50))
	kept := testMail("eml_kept", "3", "ana@example.com")
	kept.Status, kept.NextAttemptAt = mail.StatusUnsendable, nil
	putMail(t, store, later)
	putMail(t, store, kept)
	putMail(t, store, testMail("eml_due", "1", "ana@example.com"))

	claimed, err := store.Mails().ClaimDue(ctx, at(10), at(20))
	must(t, err)
	wantEqual(t, claimed.ID, "eml_due")
	_, err = store.Mails().ClaimDue(ctx, at(19), at(29))
	wantNotFound(t, err) // leased
	claimed, err = store.Mails().ClaimDue(ctx, at(20), at(30))
	must(t, err)
	wantEqual(t, claimed.Attempts, 2) // the lease expired: its worker has died
}

func TestFinishMail(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		finish  func(m mail.QueuedMessage) mail.QueuedMessage
		outcome mail.Status
	}{
		{"sent", sentMail, mail.StatusSent},
		{"failed", failedMail, mail.StatusFailed},
		{"sent, by a worker that outlived its lease", func(m mail.QueuedMessage) mail.QueuedMessage {
			m.Attempts--
			return sentMail(m)
		}, mail.StatusSent},
		{"failed, by a worker that outlived its lease", func(m mail.QueuedMessage) mail.QueuedMessage {
			m.Attempts--
			return failedMail(m)
		}, mail.StatusQueued},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			store, ctx := newTestStore(t), t.Context()
			secret := testMail("eml_1", "1", "ana@example.com")
			secret.Data.URL = "https://usher.test/reset/secret"
			putMail(t, store, secret)
			_, err := store.Mails().ClaimDue(ctx, at(1), at(1))
			must(t, err)
			m, err := store.Mails().ClaimDue(ctx, at(1), at(100))
			must(t, err)
			must(t, store.Mails().Finish(ctx, tc.finish(m)))
			wantEqual(t, one[string](t, store, `select status from emails`), string(tc.outcome))
			wantEqual(t, one[bool](t, store, `select data::text like '%secret%' from emails`), tc.outcome != mail.StatusSent)
		})
	}
}

func sentMail(m mail.QueuedMessage) mail.QueuedMessage {
	m.Status, m.Subject, m.NextAttemptAt, m.SentAt = mail.StatusSent, "Subject", nil, ptr(at(2))
	return m
}

func failedMail(m mail.QueuedMessage) mail.QueuedMessage {
	m.Status, m.Error, m.NextAttemptAt = mail.StatusFailed, "no such mailbox", nil
	return m
}

// A late result never changes a mail that was sent.
func TestSentMailStaysSent(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	putMail(t, store, testMail("eml_1", "1", "ana@example.com"))
	m, err := store.Mails().ClaimDue(ctx, at(1), at(1))
	must(t, err)
	must(t, store.Mails().Finish(ctx, sentMail(m)))
	must(t, store.Mails().Finish(ctx, failedMail(m)))
	wantEqual(t, one[string](t, store, `select status from emails`), "sent")
	_, err = store.Mails().ClaimDue(ctx, at(200), at(300))
	wantNotFound(t, err)
}

func TestUnsentMailNewestFirst(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	for _, id := range []string{"eml_c", "eml_a", "eml_b"} {
		putMail(t, store, testMail(id, id, "ana@example.com"))
	}
	unsent, err := store.Mails().Unsent(ctx, 2)
	must(t, err)
	wantEqual(t, []string{unsent[0].ID, unsent[1].ID}, []string{"eml_b", "eml_a"})
	wantEqual(t, len(unsent), 2)
}

func TestBillingManagers(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	insertUserAndOrganization(t, store, "usr_admin", "org_1")
	run(t, store, `insert into roles values ('role_buyer', 'org_1', 'Buyer', true, false), ('role_usher', 'org_1', 'Usher', false, true)`)
	add := func(id, role string, status account.MemberStatus) {
		t.Helper()
		if id != "usr_admin" {
			must(t, store.Users().Insert(ctx, account.User{ID: id, Email: id + "@example.com", Name: id, CreatedAt: at(0)}))
		}
		must(t, store.Members().Insert(ctx, account.Member{ID: "mem_" + id, OrganizationID: "org_1", UserID: id, Role: account.Role{ID: role},
			Status: status, JoinedAt: at(0)}))
	}
	add("usr_admin", account.RoleAdmin, account.MemberActive)
	add("usr_billing", account.RoleBillingAdmin, account.MemberActive)
	add("usr_buyer", "role_buyer", account.MemberActive)
	add("usr_gone", account.RoleAdmin, account.MemberSuspended)
	add("usr_member", account.RoleMember, account.MemberActive)
	add("usr_usher", "role_usher", account.MemberActive)
	contacts, err := store.Members().BillingManagers(ctx, "org_1")
	must(t, err)
	var ids []string
	for _, contact := range contacts {
		ids = append(ids, contact.ID)
	}
	wantEqual(t, ids, []string{"usr_admin", "usr_billing", "usr_buyer"})
}

func TestMailSchemaRefuses(t *testing.T) {
	t.Parallel()
	store, ctx := newTestStore(t), t.Context()
	putMail(t, store, testMail("eml_1", "1", "ana@example.com"))
	insertUserAndOrganization(t, store, "usr_1", "org_1")
	for _, tc := range []struct{ constraint, statement string }{
		{"emails_status_check", `update emails set status = 'lost', next_attempt_at = null`},
		{"emails_queued_check", `update emails set next_attempt_at = null`},
		{"emails_sent_check", `update emails set status = 'sent', next_attempt_at = null`},
		{"emails_organization_id_fkey", `update emails set organization_id = 'org_x'`},
		{"account_tokens_hash_check", `insert into account_tokens values ('token', 'reset', 'usr_1', 'a', now(), now(), null)`},
		{"account_tokens_purpose_check", `insert into account_tokens values (sha256('x'), 'gift', 'usr_1', 'a', now(), now(), null)`},
	} {
		t.Run(tc.constraint, func(t *testing.T) {
			wantConstraint(t, store.exec(ctx, "break", tc.statement), tc.constraint)
		})
	}
}

// Only e-mails that were not sent are discarded, and only those of the kind and key.
func TestDiscardMail(t *testing.T) {
	t.Parallel()
	store := newTestStore(t)
	queued, kept, sent := testMail("eml_1", "key", "ana@example.com"), testMail("eml_2", "key", "bo@example.com"), testMail("eml_3", "key", "chidi@example.com")
	kept.Status, kept.NextAttemptAt = mail.StatusUnsendable, nil
	sent.Status, sent.NextAttemptAt, sent.SentAt = mail.StatusSent, nil, ptr(at(1))
	other, confirm := testMail("eml_4", "other", "ana@example.com"), testMail("eml_5", "confirm", "ana@example.com")
	confirm.Kind = mail.KindActionRequired
	for _, m := range []mail.QueuedMessage{queued, kept, sent, other, confirm} {
		putMail(t, store, m)
	}
	for key, want := range map[string]int{"key": 2, "confirm": 0, "none": 0} {
		n, err := store.Mails().Discard(t.Context(), mail.KindPaymentFailed, key)
		must(t, err)
		wantEqual(t, n, want)
	}
	wantEqual(t, one[int](t, store, `select count(*) from emails where id in ('eml_3', 'eml_4', 'eml_5')`), 3)
}
