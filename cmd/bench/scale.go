package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// The sizes of the small database, which is the reference.
const (
	smallOrganizations = 1_000
	smallEvents        = 1_000
	smallMembers       = 20
)

// The large database has some large organizations, besides the visitor's.
const (
	visitorMembers     = 20_000
	largeOrganizations = 10
	membersOfLarge     = 2_000
)

const (
	eventDays          = 80 // received within; below the retention of 90 days
	eventsPerStatement = 100_000
	claims             = 200
	scaleClients       = 16
	megabyte           = 1 << 20
	membersPath        = "/organization?tab=members"
	memberSearchPath   = membersPath + "&q=Person+19"
)

// scaled is an environment with its size.
type scaled struct {
	*environment
	events  *eventTemplate
	visitor visitor
	filled  time.Duration
	results map[string][]float64 // by name: one of each round
}

// serverSettings are those that docs/operations.md recommends for a large database.
var serverSettings = []string{"shared_buffers = '1GB'", "max_wal_size = '8GB'", "checkpoint_timeout = '15min'"}

// benchScale measures a large database, in turn with a small one.
func benchScale(ctx context.Context, o options) error {
	o.settings = serverSettings
	small, err := openScaled(ctx, o.sized(smallOrganizations, smallEvents), smallMembers)
	defer small.close()
	if err != nil {
		return err
	}
	large, err := openScaled(ctx, o, smallMembers)
	defer large.close()
	if err != nil {
		return err
	}
	if err := large.addLargeOrganizations(ctx); err != nil {
		return err
	}
	for round := range o.rounds + 1 {
		for _, s := range []*scaled{small, large} {
			if err := s.measureRound(ctx, round > 0); err != nil { // the first warms up
				return err
			}
		}
	}
	printScale(small, large)
	if err := large.measureLargeOrganization(ctx); err != nil {
		return err
	}
	return errors.Join(small.printSizes(ctx), large.printSizes(ctx))
}

// sized returns the options with another size.
func (o options) sized(organizations, events int) options {
	o.organizations, o.events = organizations, events
	return o
}

// openScaled opens an environment and fills it. It must be closed even if an error is returned.
func openScaled(ctx context.Context, o options, members int) (*scaled, error) {
	s := &scaled{results: map[string][]float64{}}
	var err error
	if s.environment, err = openEnvironment(ctx, o); err != nil {
		return s, err
	}
	var priceID string
	if s.events, priceID, err = s.newEventTemplate(ctx); err != nil {
		return s, err
	}
	began := time.Now()
	if err = s.insertOrganizations(ctx, priceID); err != nil {
		return s, err
	}
	if s.visitor, err = s.signUp(ctx, priceID); err != nil {
		return s, err
	}
	if err = s.insertMembers(ctx, s.visitor.OrganizationID, 1, members); err != nil {
		return s, err
	}
	if err = s.insertOldEvents(ctx); err != nil {
		return s, err
	}
	s.filled = time.Since(began)
	fmt.Printf("%d organizations and %d events inserted in %s\n", o.organizations, o.events, s.filled.Round(time.Second))
	return s, nil
}

// addLargeOrganizations gives the first organizations many members.
func (s *scaled) addLargeOrganizations(ctx context.Context) error {
	for n := 1; n <= largeOrganizations; n++ {
		if err := s.insertMembers(ctx, organizationID(n), 1, membersOfLarge); err != nil {
			return err
		}
	}
	return s.tidy(ctx)
}

// tidy leaves PostgreSQL no work of the rows that were inserted, and the pages in memory that a
// server in use has there: all but those of old events, which are larger and have come last.
func (s *scaled) tidy(ctx context.Context) error {
	for _, statement := range []string{
		`vacuum analyze organization_members, users, seat_changes`, `checkpoint`, `create extension if not exists pg_prewarm`,
		`select pg_prewarm(oid, 'read') from pg_class
			where relnamespace = 'public'::regnamespace and relkind in ('r', 'i') and oid <> 'stripe_events'::regclass`,
	} {
		if _, err := s.store.DB().ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// measureLargeOrganization prints what the pages of the visitor's organization take with many
// members.
func (s *scaled) measureLargeOrganization(ctx context.Context) error {
	if err := s.insertMembers(ctx, s.visitor.OrganizationID, smallMembers+1, visitorMembers); err != nil {
		return err
	}
	if err := s.tidy(ctx); err != nil {
		return err
	}
	clear(s.results)
	for round := range s.rounds + 1 {
		if err := s.measurePages(ctx, s.adder(round > 0)); err != nil {
			return err
		}
	}
	fmt.Printf("\nAn organization with %d members there\n\n", visitorMembers)
	for _, name := range sortedKeys(s.results) {
		values := s.results[name]
		fmt.Printf("%-34s %10.2f (%.2f to %.2f)\n", name, middle(values), slices.Min(values), slices.Max(values))
	}
	return nil
}

// adder returns a function that adds a result, or none while it warms up.
func (s *scaled) adder(counts bool) func(string, float64) {
	return func(name string, value float64) {
		if counts {
			s.results[name] = append(s.results[name], value)
		}
	}
}

// insertMembers adds members to an organization, numbered from first to last, seats for them and
// lines of the seat ledger.
func (s *scaled) insertMembers(ctx context.Context, organizationID string, first, last int) error {
	for _, statement := range []string{
		`insert into users (id, email, name, password_hash, created_at)
			select 'usr_' || $1 || '_' || n, n || '@' || replace($1, '_', '-') || '.example.com', 'Person ' || n, '', now() from generate_series($2::integer, $3::integer) n`,
		`insert into organization_members (id, organization_id, user_id, role_id, billable, status, joined_at)
			select 'mem_' || $1 || '_' || n, $1, 'usr_' || $1 || '_' || n, 'member', true, 'active', now() from generate_series($2::integer, $3::integer) n`,
		`insert into seat_changes (organization_id, at, subject_user_id, reason, from_seats, to_seats, version)
			select $1, now(), 'usr_' || $1 || '_' || n, 'joined', n, n + 1, 0 from generate_series($2::integer, $3::integer) n`,
		`update billing_seat_state set desired_seats = desired_seats + $3::integer - $2::integer + 1, last_applied_seats = desired_seats + $3::integer - $2::integer + 1
			where organization_id = $1`,
		`update subscriptions set quantity = quantity + $3::integer - $2::integer + 1 where organization_id = $1`,
	} {
		if _, err := s.store.DB().ExecContext(ctx, statement, organizationID, first, last); err != nil {
			return fmt.Errorf("insert members: %w", err)
		}
	}
	return nil
}

// insertOldEvents copies a received event as often as wanted, to events of all organizations and
// times within the retention.
func (s *scaled) insertOldEvents(ctx context.Context) error {
	if status, err := s.postOne(); err != nil || status != 200 {
		return errors.Join(fmt.Errorf("post the first event: status %d", status), err)
	}
	for first := 1; first <= s.options.events; first += eventsPerStatement {
		last := min(first+eventsPerStatement-1, s.options.events)
		_, err := s.store.DB().ExecContext(ctx, `
			insert into stripe_events select copied.* from stripe_events t,
				generate_series($1::integer, $2::integer) n, lateral (select 1 + n % $3::integer as owner) o,
				lateral jsonb_populate_record(t, jsonb_build_object('id', 'evt_old_' || n, 'object_id', 'sub_' || owner, 'subscription_id', 'sub_' || owner,
					'customer_id', 'cus_' || owner, 'org_id', 'org_' || owner, 'organization_id', 'org_' || owner,
					'received_at', now() - make_interval(days => $5::integer) * (1 - n::float8 / $4::integer))) copied
			where t.id = (select id from stripe_events order by received_at desc limit 1)`,
			first, last, s.organizations, s.options.events, eventDays)
		if err != nil {
			return fmt.Errorf("insert events: %w", err)
		}
	}
	_, err := s.store.DB().ExecContext(ctx, `vacuum analyze stripe_events`)
	return err
}

func (s *scaled) postOne() (status int, err error) {
	c, err := dial(s.site)
	if err != nil {
		return 0, err
	}
	defer func() { _ = c.close() }()
	return c.postEvent(s.nextEvent())
}

// nextEvent returns an event of an organization with one member.
func (s *scaled) nextEvent() []byte {
	first := min(largeOrganizations, s.organizations-1)
	return s.events.next(first + 1 + rand.IntN(s.organizations-first))
}

// measureRound measures everything once.
func (s *scaled) measureRound(ctx context.Context, counts bool) error {
	add := s.adder(counts)
	webhooks, err := s.measure(ctx, s.usherTarget(), scaleClients, s.duration, func(c *client) (int, error) { return c.postEvent(s.nextEvent()) })
	if err != nil {
		return err
	}
	if webhooks.failed > 0 {
		return fmt.Errorf("%d webhooks failed", webhooks.failed)
	}
	add("webhooks per second, 16 clients", webhooks.rate)
	add("webhook p50, ms", milliseconds(webhooks.p50))
	add("webhook p99, ms", milliseconds(webhooks.p99))
	if err := s.measurePages(ctx, add); err != nil {
		return err
	}
	claim, err := s.measureClaims(ctx)
	add("claim of a pending event p50, ms", milliseconds(claim))
	return err
}

func (s *scaled) measurePages(ctx context.Context, add func(string, float64)) error {
	for _, page := range []struct{ name, path string }{
		{"billing tab", pagePath}, {"members tab", membersPath}, {"search of a member", memberSearchPath},
	} {
		m, err := s.measure(ctx, s.usherTarget(), 1, s.duration, func(c *client) (int, error) { return c.get(page.path, s.visitor.Cookie, "identity") })
		if err != nil {
			return err
		}
		if m.failed > 0 {
			return fmt.Errorf("%d requests of %s failed", m.failed, page.path)
		}
		add(page.name+" p50, ms", milliseconds(m.p50))
		add(page.name+" p99, ms", milliseconds(m.p99))
	}
	return nil
}

// measureClaims returns the median time to claim one of the pending events of many organizations.
// They are due in the future, so that Usher's worker leaves them alone.
func (s *scaled) measureClaims(ctx context.Context) (time.Duration, error) {
	due := time.Now().Add(24 * time.Hour)
	_, err := s.store.DB().ExecContext(ctx, `
		insert into stripe_events select copied.* from stripe_events t, generate_series(1, $1::integer) n,
			lateral jsonb_populate_record(t, jsonb_build_object('id', 'evt_due_' || n, 'outcome', 'pending', 'next_attempt_at', $2::timestamptz,
				'organization_id', 'org_' || n)) copied
		where t.id = (select id from stripe_events where outcome = 'applied' limit 1)`, claims, due)
	if err != nil {
		return 0, fmt.Errorf("insert pending events: %w", err)
	}
	var took []time.Duration
	for n := range claims {
		began := time.Now()
		if _, err := s.store.Events().ClaimDue(ctx, due, due.Add(time.Hour), ""); err != nil {
			return 0, fmt.Errorf("claim event %d: %w", n, err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	_, err = s.store.DB().ExecContext(ctx, `delete from stripe_events where id like 'evt\_due\_%'`)
	return took[len(took)/2], err
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// printScale prints the medians of both databases, and of the ratios of the rounds.
func printScale(small, large *scaled) {
	fmt.Printf("\n%d rounds of %s each, alternating, after one to warm up\n\n", small.rounds, small.duration)
	fmt.Printf("%-34s %10s %10s  %s\n", "", "small", "large", "large / small (min to max)")
	for _, name := range sortedKeys(small.results) {
		a, b := small.results[name], large.results[name]
		var ratios []float64
		for i := range a {
			ratios = append(ratios, b[i]/a[i])
		}
		slices.Sort(ratios)
		fmt.Printf("%-34s %10.2f %10.2f  %.2f (%.2f to %.2f)\n", name, middle(a), middle(b), ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1])
	}
}

func sortedKeys(m map[string][]float64) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func middle(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}

// printSizes prints the sizes of the largest tables, with their indexes.
func (s *scaled) printSizes(ctx context.Context) error {
	var lines []string
	err := s.store.DB().SelectContext(ctx, &lines, `
		select format('%s: %s MB, of which indexes %s MB', c.relname, pg_total_relation_size(c.oid) / $1::integer, pg_indexes_size(c.oid) / $1::integer)
		from pg_class c where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
		order by pg_total_relation_size(c.oid) desc limit 4`, megabyte)
	fmt.Printf("\n%d organizations: %s\n", s.organizations, strings.Join(lines, "; "))
	return err
}
