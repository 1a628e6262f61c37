package stripelocal

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"usher/stripelocal/wire"
)

// maxNamedAccounts limits the accounts that keys create.
const maxNamedAccounts = 1000

// accountKeyPattern matches a key of an account of its own.
var accountKeyPattern = regexp.MustCompile(`^[espr]k_test_acct_([A-Za-z0-9-]{1,40})_.+$`)

// accountNamePattern matches the name of such an account.
var accountNamePattern = regexp.MustCompile(`^[A-Za-z0-9-]{1,40}$`)

// keyAccount is the name of the account that a key has for itself; empty is the default account.
func keyAccount(key string) string {
	if found := accountKeyPattern.FindStringSubmatch(key); found != nil {
		return found[1]
	}
	return ""
}

// namedAccounts are the accounts of keys sk_test_acct_NAME_…: each is a server with data, clock,
// settings and faults of its own, behind the handler of the default one. A key creates its account
// with its first call.
type namedAccounts struct {
	options Options
	seed    []byte // of random ids

	mu     sync.Mutex
	byName map[string]*Server
	closed bool
}

// newNamedAccounts returns a set that creates no accounts.
func newNamedAccounts() *namedAccounts {
	return &namedAccounts{byName: map[string]*Server{}, closed: true}
}

// find returns an account that exists.
func (a *namedAccounts) find(name string) *Server {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.byName[name]
}

// all returns the accounts in any order.
func (a *namedAccounts) all() []*Server {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]*Server, 0, len(a.byName))
	for _, s := range a.byName {
		out = append(out, s)
	}
	return out
}

// open returns an account, and creates it if it does not exist.
func (a *namedAccounts) open(name, origin string) (*Server, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.byName[name]; s != nil {
		return s, nil
	}
	if a.closed || len(a.byName) >= maxNamedAccounts {
		return nil, wire.Invalid("", "", fmt.Sprintf("This local Stripe has %d accounts of keys sk_test_acct_NAME_…, and creates no more. POST /_usher/reset with all=true removes them.", len(a.byName)))
	}
	o := a.options
	o.Origin, o.StatePath = origin, namedStatePath(o.StatePath, name)
	seed := sha256.Sum256(append(slices.Clone(a.seed), name...))
	s, err := newServer(o, name, seed[:])
	if err != nil {
		return nil, fmt.Errorf("open account %s: %w", name, err)
	}
	a.byName[name] = s
	return s, nil
}

// namedStatePath is the state file of an account beside the default one's: stripe.acct_NAME.json
// beside stripe.json.
func namedStatePath(path, name string) string {
	if path == "" {
		return ""
	}
	ext := filepath.Ext(path)
	return strings.TrimSuffix(path, ext) + ".acct_" + name + ext
}

// load opens the accounts that have a state file, so that their webhooks and timers continue.
func (a *namedAccounts) load(origin string) error {
	path := a.options.StatePath
	if path == "" {
		return nil
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil // the folder is created with the first file
	}
	before, after, _ := strings.Cut(filepath.Base(namedStatePath(path, "*")), "*")
	for _, f := range files {
		name, ok := strings.CutPrefix(f.Name(), before)
		if name, ok = cutSuffix(name, after, ok); !ok || !accountNamePattern.MatchString(name) {
			continue
		}
		if _, err := a.open(name, origin); err != nil {
			return err
		}
	}
	return nil
}

func cutSuffix(s, suffix string, ok bool) (string, bool) {
	s, has := strings.CutSuffix(s, suffix)
	return s, ok && has
}

// removeAll closes all accounts without sending what is due, and removes their state files.
func (a *namedAccounts) removeAll() {
	a.mu.Lock()
	defer a.mu.Unlock()
	now, stop := context.WithCancel(context.Background())
	stop()
	for name, s := range a.byName {
		delete(a.byName, name)
		_ = s.Close(now) // what is due is not sent
		if path := namedStatePath(a.options.StatePath, name); path != "" {
			if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
				s.log.Error("state file not removed", "err", err)
			}
		}
	}
}

// close closes all accounts at the same time, and creates no more.
func (a *namedAccounts) close(ctx context.Context) error {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	accounts := a.all()
	errs := make([]error, len(accounts))
	var closing sync.WaitGroup
	for i, s := range accounts {
		closing.Go(func() { errs[i] = s.Close(ctx) })
	}
	closing.Wait()
	return errors.Join(errs...)
}

// hasPage reports whether a hosted page is about an object of this account.
func (s *Server) hasPage(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, checkout := s.store.CheckoutSessions.get(id)
	_, payment := s.store.PaymentIntents.get(id)
	_, setup := s.store.SetupIntents.get(id)
	_, invoice := s.store.Invoices.get(id)
	_, portal := s.store.PortalSessions.get(id)
	_, link := s.store.FileLinks.get(id)
	return checkout || payment || setup || invoice || portal || link
}

// accountView is an account in /_usher/accounts.
type accountView struct {
	ID   string `json:"id"`
	Name string `json:"name"` // empty: the default one
}

func (s *Server) accountView() accountView {
	s.mu.Lock()
	defer s.mu.Unlock()
	return accountView{s.store.Account.ID, s.name}
}

// showAccounts lists the accounts, the default one first.
func (c control) showAccounts(w http.ResponseWriter, _ *http.Request) {
	var views []accountView
	for _, s := range c.namedAccounts.all() {
		views = append(views, s.accountView())
	}
	slices.SortFunc(views, func(a, b accountView) int { return strings.Compare(a.Name, b.Name) })
	writeJSON(w, http.StatusOK, slices.Insert(views, 0, c.accountView()))
}
