package scenario

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/stripelocal"
	devviews "usher/views/dev"
)

// Options configure a [Board]. Every field is required unless its comment gives a default.
type Options struct {
	Service *billing.Service // its background work runs
	// ServiceAt returns a service on the same database and Stripe with another clock.
	ServiceAt func(ctx context.Context, now func() time.Time) (*billing.Service, error)
	Stripe    *stripelocal.Server
	StripeURL string           // of its API
	StripeKey string           // any key of test mode
	Now       func() time.Time // the clock of Service
	Log       *slog.Logger
	// Guests are accounts that join the organization with a year of history; one that does not
	// exist is left out.
	Guests []Guest
	Crowd  int // people of the large organization
}

// Guest is an account that exists beside the scenarios.
type Guest struct{ Email, Role string }

// Board makes scenarios, each once, and knows who signs in. It is safe for concurrent use.
type Board struct {
	options Options
	service *billing.Service
	stripe  stripeAPI

	slots   chan struct{} // bounds how many are made at once
	running sync.WaitGroup
	ctx     context.Context // of all work; canceled by Close
	stop    context.CancelFunc

	founding sync.Mutex // of the board's organization
	dunning  sync.Mutex // of what follows the last retry, a setting of the account at Stripe

	mu     sync.Mutex
	making map[string]*making // by name; those of this process
}

// making is a scenario that is being made, or was.
type making struct {
	done   chan struct{}
	detail string
	err    error
}

// concurrent is how many scenarios are made at once. Most of the time they wait for events.
const concurrent = 3

// NewBoard returns a board. Nothing is made before it is asked for.
func NewBoard(o Options) *Board {
	ctx, stop := context.WithCancel(context.Background())
	return &Board{
		options: o, service: o.Service, stripe: newStripeAPI(o.StripeURL, o.StripeKey),
		slots: make(chan struct{}, concurrent), ctx: ctx, stop: stop, making: map[string]*making{},
	}
}

// Close stops what is being made and waits for it. What is interrupted is made anew the next time.
func (b *Board) Close(context.Context) error {
	b.stop()
	b.running.Wait()
	return nil
}

// List returns all scenarios with their state.
func (b *Board) List(ctx context.Context) ([]devviews.Scenario, error) {
	var rows []devviews.Scenario
	for _, s := range Registry() {
		row, err := b.describe(ctx, s)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (b *Board) describe(ctx context.Context, s Scenario) (devviews.Scenario, error) {
	row := devviews.Scenario{Name: s.Name, Group: s.Group, Title: s.Title, Sentence: s.Sentence, Page: s.Page, Role: s.As}
	if row.Lacks = b.lacks(s); row.Lacks != "" {
		return row, nil
	}
	b.mu.Lock()
	current := b.making[s.Name]
	if current != nil {
		row.Detail = current.detail
	}
	b.mu.Unlock()
	if current != nil {
		select {
		case <-current.done:
			if current.err != nil {
				row.State, row.Detail = devviews.ScenarioFailed, current.err.Error()
				return row, nil
			}
		default:
			row.State = devviews.ScenarioMaking
			return row, nil
		}
	}
	_, _, made, err := b.findFounder(b.newMaker(ctx, s))
	if made {
		row.State = devviews.ScenarioMade
	}
	return row, err
}

// lacks returns what the plans lack for a scenario; empty: nothing.
func (b *Board) lacks(s Scenario) string {
	if s.Needs == nil {
		return ""
	}
	return s.Needs(b.service.Prices.Catalog())
}

func find(name string) (Scenario, error) {
	for _, s := range Registry() {
		if s.Name == name {
			return s, nil
		}
	}
	return Scenario{}, apperr.Errorf(apperr.CodeInvalid, "There is no scenario %q.", name)
}

// Make begins to make a scenario, unless it exists or is being made, and returns at once. Errors:
// CodeInvalid for an unknown name; CodeConflict if the plans lack something for it.
func (b *Board) Make(name string) error {
	s, err := find(name)
	if err != nil {
		return err
	}
	if lacks := b.lacks(s); lacks != "" {
		return apperr.Errorf(apperr.CodeConflict, "This scenario needs %s.", lacks)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if current := b.making[name]; current != nil && !current.failed() {
		return nil
	}
	current := &making{done: make(chan struct{}), detail: "waiting"}
	b.making[name] = current
	b.running.Go(func() {
		defer close(current.done)
		current.err = b.run(s, current)
	})
	return nil
}

// MakeAll begins to make every scenario that the plans allow.
func (b *Board) MakeAll() error {
	for _, s := range Registry() {
		if b.lacks(s) != "" {
			continue
		}
		if err := b.Make(s.Name); err != nil {
			return err
		}
	}
	return nil
}

func (c *making) failed() bool {
	select {
	case <-c.done:
		return c.err != nil
	default:
		return false
	}
}

// run makes a scenario, unless an earlier process did.
func (b *Board) run(s Scenario, current *making) error {
	select {
	case b.slots <- struct{}{}:
		defer func() { <-b.slots }()
	case <-b.ctx.Done():
		return b.ctx.Err()
	}
	m := b.newMaker(b.ctx, s)
	m.progress = func(detail string) {
		b.mu.Lock()
		defer b.mu.Unlock()
		current.detail = detail
	}
	m.progress("")
	began := time.Now()
	_, _, made, err := b.findFounder(m)
	if made || err != nil {
		return err
	}
	if err := s.make(m); err != nil {
		b.options.Log.Warn("scenario not made", "scenario", s.Name, "err", err)
		return fmt.Errorf("make %s: %w", s.Name, err)
	}
	b.options.Log.Debug("scenario made", "scenario", s.Name, "duration", time.Since(began).String())
	return m.finish()
}

func (b *Board) newMaker(ctx context.Context, s Scenario) *maker {
	return &maker{ctx: ctx, board: b, service: b.service, stripe: b.stripe, scenario: s, progress: func(string) {}}
}

// Enter returns who signs in to a scenario with a role, where, and the page to look at. made is
// false while it is being made: Enter waits until ctx ends. Errors: as [Board.Make]; CodeNotFound
// if nobody has the role; the error of making it.
func (b *Board) Enter(ctx context.Context, name, role string) (entrance devviews.Entrance, made bool, err error) {
	if err := b.Make(name); err != nil {
		return entrance, false, err
	}
	b.mu.Lock()
	current := b.making[name]
	b.mu.Unlock()
	select {
	case <-current.done:
	case <-ctx.Done():
		return entrance, false, nil
	}
	if current.err != nil {
		return entrance, false, current.err
	}
	s, err := find(name)
	if err != nil {
		return entrance, false, err
	}
	return b.entrance(b.newMaker(context.WithoutCancel(ctx), s), role)
}

func (b *Board) entrance(m *maker, role string) (devviews.Entrance, bool, error) {
	founder, organization, made, err := b.findFounder(m)
	if err != nil || !made {
		return devviews.Entrance{}, false, err
	}
	if role == "" {
		role = m.scenario.As
	}
	userID, err := b.memberWith(m, founder, organization, role)
	page := m.scenario.Page
	if role == account.RoleMember { // sees the plan only
		page = PageDashboard
	}
	return devviews.Entrance{UserID: userID, OrganizationID: organization.ID, Page: page}, err == nil, err
}
