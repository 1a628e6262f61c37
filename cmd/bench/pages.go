package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"time"

	"usher/billing"
	"usher/billing/stripegw"
	"usher/db"
	mailviews "usher/views/mail"
)

const (
	pagePath    = "/organization?tab=billing"
	invoicesPut = 6
	backlogSize = 100_000
)

// visitor is somebody who is signed in.
type visitor struct {
	UserID, OrganizationID string
	Cookie                 string // as the request's header has it
	Token                  string // the session's
}

// benchPages measures the billing tab beside a bare handler that asks the same of the domain and answers the same bytes: alone, and while a hundred
// thousand events wait.
func benchPages(ctx context.Context, o options) error {
	s, err := openStage(ctx, o)
	defer s.close() // what of it was opened
	if err != nil {
		return err
	}
	_, price, err := s.newTemplate(ctx)
	if err != nil {
		return err
	}
	if err := s.fill(ctx, price); err != nil {
		return err
	}
	v, err := s.signUp(ctx, price)
	if err != nil {
		return err
	}
	page, err := s.read(ctx, v)
	if err != nil {
		return err
	}
	bare, err := s.startBare(ctx, bareOrders{DSN: s.server.DSN(), Stripe: s.origin, Visitor: v, Page: page})
	if err != nil {
		return err
	}
	defer bare.stop()
	fmt.Printf("%d organizations, a page of %d bytes, %d rounds of %s each, in turn\n", o.organizations, len(page), o.rounds, o.length)
	if err := s.comparePages(ctx, bare.target, v); err != nil {
		return err
	}
	if err := s.pileUp(ctx); err != nil {
		return err
	}
	fmt.Printf("\nwhile %d events of one organization wait and are worked on\n", backlogSize)
	return s.comparePages(ctx, bare.target, v)
}

func (s *stage) comparePages(ctx context.Context, bare target, v visitor) error {
	fmt.Println("clients  pages/s  bare/s   ratio (least to most)  p50       p99       p99/p50  bare p99/p50  CPU/page  non-200")
	for _, clients := range []int{1, 16} {
		if err := s.comparePage(ctx, bare, v, clients); err != nil {
			return err
		}
	}
	var waiting int
	err := s.store.DB().GetContext(ctx, &waiting, `select count(*) from stripe_events where outcome = 'pending'`)
	fmt.Printf("events that wait at the end: %d\n", waiting)
	return err
}

func (s *stage) comparePage(ctx context.Context, bare target, v visitor, clients int) error {
	ask := func(c *client) (int, error) { return c.get(pagePath, v.Cookie) }
	var ours, theirs []measured
	var ratios []float64
	for round := range s.rounds + 1 {
		base, err := s.load(ctx, bare, clients, s.length, ask)
		if err != nil {
			return err
		}
		m, err := s.load(ctx, s.target(), clients, s.length, ask)
		if err != nil {
			return err
		}
		if round == 0 {
			continue // warm
		}
		ours, theirs, ratios = append(ours, m), append(theirs, base), append(ratios, m.rate/base.rate)
	}
	slices.Sort(ratios)
	m, base := median(ours), median(theirs)
	fmt.Printf("%7d  %7.0f  %7.0f  %4.0f %% (%.0f to %.0f)%9s%-8s  %-8s  %7.1f  %12.1f  %-8s  %d\n", clients, m.rate, base.rate,
		100*ratios[len(ratios)/2], 100*ratios[0], 100*ratios[len(ratios)-1], "", m.p50.Round(10*time.Microsecond), m.p99.Round(10*time.Microsecond),
		tail(m), tail(base), m.cpu.program.Round(time.Microsecond), m.refused)
	return nil
}

func tail(m measured) float64 { return float64(m.p99) / float64(max(m.p50, 1)) }

// signUp makes an account with a running plan and some invoices.
func (s *stage) signUp(ctx context.Context, price string) (v visitor, err error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return v, err
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := browser.PostForm(s.site+"/signup", url.Values{
		"name": {"Visitor"}, "email": {"visitor@example.com"}, "password": {"correct horse battery"}, "organization": {"Visited"},
	})
	if err != nil {
		return v, err
	}
	answer.Body.Close()
	site, err := url.Parse(s.site)
	if err != nil {
		return v, err
	}
	cookies := jar.Cookies(site)
	if answer.StatusCode != http.StatusSeeOther || len(cookies) != 1 {
		return v, fmt.Errorf("sign up: %s", answer.Status)
	}
	v.Cookie, v.Token = cookies[0].Name+"="+cookies[0].Value, cookies[0].Value
	row := s.store.DB().QueryRowContext(ctx, `select m.user_id, m.organization_id from organization_members m join users u on u.id = m.user_id where u.email = 'visitor@example.com'`)
	if err := row.Scan(&v.UserID, &v.OrganizationID); err != nil {
		return v, err
	}
	return v, s.store.InTx(ctx, func(q billing.Queries) error { return s.buy(ctx, q, v, price) })
}

func (s *stage) buy(ctx context.Context, q billing.Queries, v visitor, price string) error {
	begun := time.Now().AddDate(0, 0, -1)
	err := s.subscribe(ctx, q, subscriber{v.OrganizationID, "cus_visitor", "sub_visitor"}, price, begun)
	for n := range invoicesPut {
		at := begun.AddDate(0, -n, 0)
		err = errors.Join(err, q.PutInvoice(ctx, billing.Invoice{
			ID: fmt.Sprintf("in_visitor_%d", n), OrganizationID: v.OrganizationID, CustomerID: "cus_visitor", SubscriptionID: "sub_visitor",
			Account: s.account.ID, Livemode: s.account.Livemode, Number: fmt.Sprintf("USH-%04d", n), Status: "paid", Reason: "subscription_cycle", Currency: "usd",
			Total: 2900, AmountPaid: 2900, CreatedAt: at, FinalizedAt: &at, PaidAt: &at, Moment: at,
		}))
	}
	return err
}

// read gets the page once, to answer the same bytes by the bare handler.
func (s *stage) read(ctx context.Context, v visitor) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.site+pagePath, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Cookie", v.Cookie)
	answer, err := http.DefaultTransport.RoundTrip(request) // a redirect would not be the page
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err == nil && (answer.StatusCode != http.StatusOK || !bytes.Contains(page, []byte("USH-0000"))) {
		err = fmt.Errorf("GET %s: %s, and not the page with its invoices", pagePath, answer.Status)
	}
	return page, err
}

// pileUp has one organization's events wait: reminders to look at a customer whom nobody knows any more.
func (s *stage) pileUp(ctx context.Context) error {
	_, err := s.store.DB().ExecContext(ctx, `insert into stripe_events (id, type, api_version, livemode, account, created, received_at, object_id, object_type,
			customer_id, subscription_id, org_id, test_clock, organization_id, outcome, attempts, error, next_attempt_at, payload)
		select 'evt_backlog_' || n, 'customer.updated', '2024-06-20', false, '', now(), now(), 'cus_of_nobody', 'customer', 'cus_of_nobody', '', '', false,
			'org_1', 'pending', 0, '', now() - interval '1 hour',
			'{"id":"evt_backlog","object":"event","api_version":"2024-06-20","created":1700000000,"type":"customer.updated","data":{"object":{"id":"cus_of_nobody","object":"customer"}}}'
		from generate_series(1, $1::integer) n`, backlogSize)
	return err
}

// bareEnv holds what the bare handler's process is told at its start.
const bareEnv = "USHER_BENCH_BARE"

type bareOrders struct {
	Addr, DSN, Stripe string
	Visitor           visitor
	Page              []byte
}

// bareProcess is a handler that does what the page needs and nothing else: no routes, no sessions but the row, no templates, no headers.
type bareProcess struct {
	target
	command *exec.Cmd
}

func (s *stage) startBare(ctx context.Context, o bareOrders) (*bareProcess, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	o.Addr = listener.Addr().String()
	_ = listener.Close()
	told, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, os.Args[0])
	command.Env, command.Stderr = append(os.Environ(), bareEnv+"="+string(told)), os.Stderr
	if err := command.Start(); err != nil {
		return nil, err
	}
	b := &bareProcess{target{"http://" + o.Addr, command.Process.Pid}, command}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if answer, err := http.Get(b.site); err == nil {
			answer.Body.Close()
			return b, nil
		}
	}
	b.stop()
	return nil, errors.New("the bare handler is not ready")
}

func (b *bareProcess) stop() {
	_ = b.command.Process.Kill()
	_ = b.command.Wait()
}

// runBare is the bare handler's process.
func runBare(told string) error {
	var o bareOrders
	if err := json.Unmarshal([]byte(told), &o); err != nil {
		return err
	}
	store, err := db.Open(context.Background(), o.DSN)
	if err != nil {
		return err
	}
	service := billing.New(billing.Options{
		Store: store, Catalogue: billing.BuiltInPlans(), Renderer: mailviews.Renderer{}, KeyFingerprint: "bench",
		Gateway: stripegw.New(stripegw.Options{SecretKey: stripeKey, APIBase: o.Stripe, WebhookSecrets: []string{webhookSecret}}),
	})
	if err := service.Start(context.Background()); err != nil {
		return err
	}
	sessions := db.NewSessionStore(store.DB())
	return http.ListenAndServe(o.Addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := askDomain(r.Context(), service, sessions, o.Visitor); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(o.Page)
	}))
}

// askDomain asks what the billing tab asks.
func askDomain(ctx context.Context, service *billing.Service, sessions *db.SessionStore, v visitor) error {
	if _, _, err := sessions.FindCtx(ctx, v.Token); err != nil {
		return err
	}
	access, err := service.Access(ctx, v.UserID, v.OrganizationID)
	if err != nil {
		return err
	}
	_, overview := service.Overview(ctx, access)
	_, invoices := service.Invoices(ctx, access)
	_, surpluses := service.Surpluses(ctx, access)
	return errors.Join(overview, invoices, surpluses)
}
