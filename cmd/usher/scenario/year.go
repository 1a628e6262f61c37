package scenario

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/catalog"
	"usher/billing/mail"
	"usher/stripelocal"
)

// yearMonths is how many renewals a year of history has.
const yearMonths = 12

// yearStep is what happens in a month of the year, some days after the month began.
type yearStep struct {
	month, day int
	joins      string // a name; empty: nobody
	leaves     string
	consumes   int // percent of the month's credits
}

// yearSteps returns the changes of a year, in order.
func yearSteps() []yearStep {
	return []yearStep{
		{month: 0, day: 9, consumes: 22},
		{month: 1, day: 4, joins: "Fumiko Tanabe"},
		{month: 1, day: 12, consumes: 35},
		{month: 2, day: 6, joins: "Gus Papadakis"},
		{month: 2, day: 20, consumes: 61},
		{month: 3, day: 15, consumes: 40},
		{month: 4, day: 3, joins: "Hedda Nyström"},
		{month: 4, day: 9, joins: "Ilse Brandt"},
		{month: 5, day: 11, consumes: 74},
		{month: 6, day: 2, leaves: "Dana Whitfield"},
		{month: 6, day: 18, consumes: 30},
		{month: 7, day: 14, consumes: 18},
		{month: 8, day: 5, joins: "Jonas Weber"},
		{month: 8, day: 19, consumes: 66},
		{month: 9, day: 8, joins: "ليلى حداد"},
		{month: 9, day: 21, consumes: 83},
		{month: 10, day: 10, leaves: "Ilse Brandt"},
		{month: 10, day: 16, consumes: 45},
		{month: 11, day: 7, joins: "Kofi Mensah"},
		{month: 11, day: 13, consumes: 52},
		{month: 12, day: 2, joins: "Mina Rossi"},
		{month: 12, day: 5, consumes: 36},
	}
}

// yearClock is the time of a year that is being played.
type yearClock struct{ unix atomic.Int64 }

func (c *yearClock) now() time.Time { return time.Unix(c.unix.Load(), 0).UTC() }

// eventDelay postpones Stripe's events of the year: the year's own service reads the objects at
// their time, and the events come when the year is over.
const eventDelay = time.Minute

// year plays a year up to the present: the plan, its renewals, people who come and leave, and
// credits that are used. A service with the clock of the year does it, so that ledgers and audit
// log have the dates of then.
func (m *maker) year() error {
	start := m.now().AddDate(0, -yearMonths, -6).Truncate(24 * time.Hour).Add(9*time.Hour + 20*time.Minute)
	clock := &yearClock{}
	clock.unix.Store(start.Unix())
	service, err := m.board.options.ServiceAt(m.ctx, clock.now)
	if err != nil {
		return err
	}
	m.service = service
	if err := m.found(cast()); err != nil {
		return err
	}
	// The worker of the present would send a change with the time of the present, and the lines of
	// its invoice would not be tied to it.
	defer m.board.service.SeatSyncer.Hold(m.admin.Organization.ID)()
	if err := m.customer(start); err != nil {
		return err
	}
	fault, err := m.delayEvents()
	if err != nil {
		return err
	}
	defer m.board.options.Stripe.Faults().Remove(fault)
	if err := m.muteRenewals(); err != nil {
		return err
	}
	if err := errors.Join(m.create(m.main(), catalog.Monthly, tokenPays, nil), m.compare()); err != nil {
		return err
	}
	return m.playYear(clock, start)
}

// delayEvents postpones the events of the customer.
func (m *maker) delayEvents() (string, error) {
	return m.board.options.Stripe.Faults().Add(stripelocal.Fault{
		Kind: stripelocal.DelayDelivery, Customer: m.customerID, Calls: -1, Millis: int(eventDelay.Milliseconds()),
	})
}

// muteRenewals mutes the e-mails about renewals, which would all come with the events.
func (m *maker) muteRenewals() error {
	kinds := slices.DeleteFunc(billing.NoticeKinds(), func(kind mail.Kind) bool { return kind == mail.KindRenewed })
	return m.service.Contacts.ChooseNotices(m.ctx, m.admin, kinds)
}

func (m *maker) playYear(clock *yearClock, start time.Time) error {
	steps := yearSteps()
	for month := 0; month <= yearMonths; month++ {
		begins := start.AddDate(0, month, 0)
		if month > 0 {
			m.progress(fmt.Sprintf("%d of %d months", month, yearMonths))
			if err := m.advanceYear(clock, begins.Add(2*time.Hour)); err != nil {
				return err
			}
			if err := m.compare(); err != nil {
				return err
			}
		}
		for len(steps) > 0 && steps[0].month == month {
			if err := m.take(clock, begins, steps[0]); err != nil {
				return fmt.Errorf("month %d, day %d: %w", steps[0].month, steps[0].day, err)
			}
			steps = steps[1:]
		}
	}
	if err := m.advanceYear(clock, m.now()); err != nil {
		return err
	}
	m.service = m.board.service // the rest happens now
	return errors.Join(m.compare(), m.welcomeGuests())
}

func (m *maker) advanceYear(clock *yearClock, to time.Time) error {
	if err := m.advance(to); err != nil {
		return err
	}
	clock.unix.Store(to.Unix())
	return nil
}

func (m *maker) take(clock *yearClock, begins time.Time, step yearStep) error {
	at := begins.AddDate(0, 0, step.day).Add(time.Duration(step.day) * 37 * time.Minute)
	if err := m.advanceYear(clock, at); err != nil {
		return err
	}
	if step.consumes > 0 {
		return m.consumeInYear(step)
	}
	if err := errors.Join(m.changePeople(step), m.advanceYear(clock, at.Add(billing.DebounceQuiet+time.Second))); err != nil {
		return err
	}
	return m.until("the seats", func() (bool, error) {
		if err := m.service.SeatSyncer.Sync(m.ctx, m.admin.Organization.ID); err != nil {
			return false, err
		}
		o, err := m.service.Overviews.Get(m.ctx, m.admin)
		return err == nil && o.Seats.Status == billing.SyncOK, err
	})
}

func (m *maker) changePeople(step yearStep) error {
	if step.joins != "" {
		_, err := m.join(person{step.joins, account.RoleMember, true}, 10+step.month*31+step.day)
		return err
	}
	members, err := m.service.Members.List(m.ctx, m.admin)
	if err != nil {
		return err
	}
	for _, member := range members {
		if member.Name == step.leaves {
			return m.service.Members.Remove(m.ctx, m.admin, member.ID)
		}
	}
	return fmt.Errorf("there is no %s", step.leaves)
}

func (m *maker) consumeInYear(step yearStep) error {
	o, err := m.service.Overviews.Get(m.ctx, m.admin)
	if err != nil || o.Credits.Granted == 0 {
		return err
	}
	reasons := []string{"season poster", "seat map", "newsletter", "programme booklet"}
	_, err = m.service.Credits.Consume(m.ctx, m.admin, billing.Consumption{
		Amount: max(1, o.Credits.Granted*step.consumes/100), Reason: reasons[step.month%len(reasons)], IdempotencyKey: fmt.Sprintf("month %d", step.month),
	})
	return err
}
