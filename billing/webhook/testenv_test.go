package webhook_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/billing/env"
	"usher/billing/mail"
	"usher/billing/secrets"
	"usher/billing/webhook"
	"usher/db"
	"usher/db/dbtest"
)

// testEnv is the package on PostgreSQL with a receiver that answers as a test says. The
// organizations org_1 and org_2 have an admin each.
type testEnv struct {
	t         *testing.T
	store     *db.Store
	endpoints *webhook.Endpoints
	publisher *webhook.Publisher
	deliverer *webhook.Deliverer
	receiver  *receiver
	objects   *objects
	offset    atomic.Int64 // added to the clock
	keys      []secrets.Key
	outcomes  sync.Map // outcome -> *atomic.Int64
}

// storage adapts the store.
type storage struct{ *db.Store }

func (s storage) InTx(ctx context.Context, f func(webhook.Tx) error) error {
	return s.Store.InTx(ctx, func(tx billing.Tx) error { return f(tx) })
}

func newTestEnv(t *testing.T) *testEnv {
	t.Helper()
	t.Parallel()
	store, err := db.Open(t.Context(), dbtest.New(t, db.Migrate))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	h := &testEnv{t: t, store: store, receiver: &receiver{}, objects: &objects{values: map[string]any{}}, keys: []secrets.Key{testKey(1)}}
	h.build()
	for _, n := range []string{"1", "2"} {
		h.must(store.Users().Insert(t.Context(), account.User{ID: "usr_" + n, Email: "admin" + n + "@example.com", Name: "Admin " + n, CreatedAt: h.now()}))
		h.must(store.Organizations().Insert(t.Context(), account.Organization{ID: "org_" + n, Name: "Theatre " + n, CreatedAt: h.now()}))
		h.must(store.Members().Insert(t.Context(), account.Member{
			ID: "mem_" + n, OrganizationID: "org_" + n, UserID: "usr_" + n, Role: account.Role{ID: account.RoleAdmin}, Status: account.MemberActive, JoinedAt: h.now(),
		}))
	}
	return h
}

// build makes the services with the keys of now.
func (h *testEnv) build() {
	e := env.New(h.now, h.now, nil, nil)
	keyring := secrets.NewKeyring(h.keys...)
	s := storage{h.store}
	h.endpoints = webhook.NewEndpoints(webhook.EndpointsOptions{Env: e, Store: s, Secrets: keyring})
	h.publisher = webhook.NewPublisher(e, s, h.objects)
	h.deliverer = webhook.NewDeliverer(webhook.DelivererOptions{
		Env: e, Store: s, Client: h.receiver, Secrets: keyring, Outbox: mail.NewOutbox(e, h.store, nil, nil, "https://usher.example"),
		BaseURL: "https://usher.example", Observe: h.observe,
	})
}

func testKey(fill byte) (key secrets.Key) {
	for i := range key {
		key[i] = fill*31 + byte(i)
	}
	return key
}

func (h *testEnv) now() time.Time {
	return time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(h.offset.Load()))
}

func (h *testEnv) advance(d time.Duration) { h.offset.Add(int64(d)) }

func (h *testEnv) observe(outcome string) {
	counter, _ := h.outcomes.LoadOrStore(outcome, &atomic.Int64{})
	counter.(*atomic.Int64).Add(1)
}

// observed returns how many attempts had an outcome.
func (h *testEnv) observed(outcome string) int64 {
	counter, found := h.outcomes.Load(outcome)
	if !found {
		return 0
	}
	return counter.(*atomic.Int64).Load()
}

func (h *testEnv) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// program is a key with the scope webhooks:write.
func program(organizationID string) account.Access {
	return account.Access{
		Organization: account.Organization{ID: organizationID}, ManagesWebhooks: true,
		Member: account.Member{Status: account.MemberActive, Role: account.Role{Name: "production"}},
	}
}

// create creates an endpoint and returns its id and secret.
func (h *testEnv) create(organizationID, url string, events ...webhook.EventType) (id, secret string) {
	h.t.Helper()
	draft := webhook.Draft{URL: url}
	for _, event := range events {
		draft.Events = append(draft.Events, string(event))
	}
	e, secret, err := h.endpoints.Create(h.t.Context(), program(organizationID), draft)
	h.must(err)
	return e.ID, secret
}

// change changes the seats of an organization and publishes. The receiver gets no message before
// deliver.
func (h *testEnv) change(organizationID string, value any) {
	h.t.Helper()
	h.objects.set(organizationID, value)
	h.touch(organizationID)
	h.must(h.publisher.Publish(h.t.Context(), organizationID))
}

// touch commits a change of an organization.
func (h *testEnv) touch(organizationID string) {
	h.t.Helper()
	h.must(h.store.InTx(h.t.Context(), func(tx billing.Tx) error {
		if _, err := tx.Organizations().Lock(h.t.Context(), organizationID); err != nil {
			return err
		}
		return tx.Seats().PutState(h.t.Context(), billing.SeatState{OrganizationID: organizationID, DesiredSeats: 1})
	}))
}

func (h *testEnv) deliver() {
	h.t.Helper()
	h.deliverer.DeliverAllDue(h.t.Context())
}

func (h *testEnv) endpoint(organizationID, id string) (webhook.Endpoint, []webhook.Delivery) {
	h.t.Helper()
	e, deliveries, err := h.endpoints.Get(h.t.Context(), program(organizationID), id)
	h.must(err)
	return e, deliveries
}

func (h *testEnv) count(query string, args ...any) int {
	h.t.Helper()
	var n int
	h.must(h.store.DB().GetContext(h.t.Context(), &n, query, args...))
	return n
}

func (h *testEnv) exec(query string, args ...any) {
	h.t.Helper()
	_, err := h.store.DB().ExecContext(h.t.Context(), query, args...)
	h.must(err)
}

// wantReceived checks the values that arrived at an address, in order.
func (h *testEnv) wantReceived(url string, want ...any) {
	h.t.Helper()
	if got := fmt.Sprintf("%v", h.receiver.values(url)); got != fmt.Sprintf("%v", want) {
		h.t.Fatalf("%s has received %s, want %v", url, got, want)
	}
}

// objects is what the API shows: one value of each organization for seats.changed.
type objects struct {
	lock      sync.Mutex
	values    map[string]any
	changesAt *time.Time
	loads     atomic.Int64
	onLoad    func()
}

func (o *objects) set(organizationID string, value any) {
	o.lock.Lock()
	defer o.lock.Unlock()
	o.values[organizationID] = value
}

func (o *objects) State(_ context.Context, organizationID string) (webhook.State, error) {
	o.loads.Add(1)
	if o.onLoad != nil {
		o.onLoad()
	}
	o.lock.Lock()
	defer o.lock.Unlock()
	return webhook.State{
		Objects: []webhook.Object{{Type: webhook.SeatsChanged, Data: map[string]any{"value": o.values[organizationID]}}}, ChangesAt: o.changesAt,
	}, nil
}

func (o *objects) Member(_ context.Context, _, memberID string) (any, error) {
	return nil, apperr.ErrNotFound
}

func (o *objects) RemovedMember(m account.Member) any {
	return map[string]any{"value": "without " + m.Name}
}

func (o *objects) Invoice(_ context.Context, _, invoiceID string) (any, error) {
	return map[string]any{"value": invoiceID}, nil
}

// receiver records requests and answers them.
type receiver struct {
	lock     sync.Mutex
	requests []webhook.Request
	accepted []webhook.Request
	// answer is called for each request; nil: 204.
	answer func(webhook.Request) (webhook.Response, error)
}

func (r *receiver) Post(_ context.Context, m webhook.Request) (webhook.Response, error) {
	r.lock.Lock()
	r.requests = append(r.requests, m)
	answer := r.answer
	r.lock.Unlock()
	response, err := webhook.Response{Status: 204}, error(nil)
	if answer != nil {
		response, err = answer(m)
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	if err == nil && response.Status/100 == 2 {
		r.accepted = append(r.accepted, m)
	}
	return response, err
}

func (r *receiver) respond(answer func(webhook.Request) (webhook.Response, error)) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.answer = answer
}

func (r *receiver) status(status int) {
	r.respond(func(webhook.Request) (webhook.Response, error) {
		return webhook.Response{Status: status, Text: "no"}, nil
	})
}

func (r *receiver) down() {
	r.respond(func(webhook.Request) (webhook.Response, error) {
		return webhook.Response{}, errors.New("connection refused")
	})
}

func (r *receiver) sent() []webhook.Request {
	r.lock.Lock()
	defer r.lock.Unlock()
	return append([]webhook.Request{}, r.requests...)
}

// body is what a receiver reads.
type body struct {
	Type           webhook.EventType
	Timestamp      time.Time
	OrganizationID string
	Data           struct{ Value any }
}

func (r *receiver) values(url string) []any {
	r.lock.Lock()
	defer r.lock.Unlock()
	got := []any{}
	for _, request := range r.accepted {
		var b body
		if err := json.Unmarshal([]byte(request.Body), &b); err != nil {
			panic(err)
		}
		if request.URL == url {
			got = append(got, b.Data.Value)
		}
	}
	return got
}

// verifies reports whether a request has a signature of a secret, as a receiver checks it.
func verifies(r webhook.Request, secret string) bool {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.%s", r.MessageID, r.Timestamp.Unix(), r.Body)
	for signature := range strings.FieldsSeq(r.Signature) {
		if version, text, _ := strings.Cut(signature, ","); version == "v1" && text == base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
			return true
		}
	}
	return false
}
