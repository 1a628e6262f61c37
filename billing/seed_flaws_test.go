package billing_test

import (
	"testing"

	"usher/billing"
	"usher/billing/account"
)

// TestSeedFlaws names the flaws of the product whose seat billing was asked for (second seed document) and shows that each is gone.
func TestSeedFlaws(t *testing.T) {
	for name, flaw := range map[string]func(*testing.T, *stage){
		"an error is never recorded":                     errorsAreRecorded,
		"the version is not checked again after a call":  versionIsCheckedAfterTheCall,
		"the oldest subscription of any status is taken": endedSubscriptionsAreLeft,
		"only some membership changes are synced":        everyChangeIsSynced,
		"ok is shown while a change waits":               noOKWhileAChangeWaits,
		"any price of the client is taken":               onlyPricesOfTheCatalogue,
	} {
		t.Run(name, func(t *testing.T) { flaw(t, openStage(t)) })
	}
}

func errorsAreRecorded(t *testing.T, s *stage) {
	s.subscribe("pro")
	s.join(1)
	s.due()
	s.faults.set(refuse)
	_ = s.sync()
	if seats := s.overview().Seats; seats.Status != billing.SyncError || seats.Error == "" || seats.Failures != 1 || seats.DueAt == nil {
		t.Errorf("after Stripe's no: %+v", seats)
	}
}

func versionIsCheckedAfterTheCall(t *testing.T, s *stage) {
	s.subscribe("pro")
	s.join(1)
	s.due()
	options := s.options(s.store)
	options.Gateway = beforeSeats{s.gateway(), func() { s.join(1) }}
	replica := billing.New(options)
	s.must(replica.Prices.Start(t.Context()))
	s.must(replica.SeatSyncer.Sync(t.Context(), s.access.Organization.ID))
	if state := s.seatState(); state.AppliedVersion == state.SyncVersion || state.DueAt == nil {
		t.Errorf("the answer to an older version counts for the newer: %+v", state)
	}
}

func endedSubscriptionsAreLeft(t *testing.T, s *stage) {
	first := s.subscribe("pro")
	s.postStripe("DELETE", "/v1/subscriptions/"+first.ID, nil)
	s.must(s.service.Subscriptions.Refresh(t.Context(), s.access))
	second := s.subscribe("pro")
	s.join(3)
	s.due()
	s.must(s.sync())
	if current := s.overview().Subscription; current.ID != second.ID || s.atStripe() != 4 {
		t.Errorf("%d seats at %s, want 4 at %s and not at %s", s.atStripe(), current.ID, second.ID, first.ID)
	}
}

func everyChangeIsSynced(t *testing.T, s *stage) {
	s.subscribe("pro")
	tr := troupe{s, s.access.Organization.ID}
	members := s.crowd(4, true)
	s.must(s.recount())
	s.due()
	s.must(s.sync())
	suspended := account.MemberSuspended
	for i, change := range []func(m account.Member) error{
		func(m account.Member) error { return s.service.Members.Remove(t.Context(), s.access, m.ID) },
		func(m account.Member) error { return s.service.Members.Leave(t.Context(), tr.enter(m.UserID)) },
		func(m account.Member) error {
			_, err := s.service.Members.Change(t.Context(), s.access, m.ID, account.MemberChange{Billable: ptr(false)})
			return err
		},
		func(m account.Member) error {
			_, err := s.service.Members.Change(t.Context(), s.access, m.ID, account.MemberChange{Status: &suspended})
			return err
		},
	} {
		s.must(change(members[i]))
		s.due()
		s.must(s.sync())
		if got := s.atStripe(); got != 4-i {
			t.Errorf("after change %d Stripe has %d seats, want %d", i, got, 4-i)
		}
	}
}

func noOKWhileAChangeWaits(t *testing.T, s *stage) {
	s.subscribe("pro")
	s.join(1)
	if status := s.overview().Seats.Status; status != billing.SyncPending {
		t.Errorf("a change waits, and the summary says %s", status)
	}
	s.removeMembers(1) // the number is the old one again, and so is what Stripe has
	if status := s.overview().Seats.Status; status != billing.SyncOK {
		t.Errorf("nothing waits, and the summary says %s", status)
	}
}

func onlyPricesOfTheCatalogue(t *testing.T, s *stage) {
	var own struct{ ID string }
	s.postStripe("POST", "/v1/prices", map[string][]string{
		"currency": {"usd"}, "unit_amount": {"1"}, "recurring[interval]": {"month"}, "product_data[name]": {"Cheap"},
	}, &own)
	for _, price := range []string{own.ID, "price_nobody", ""} {
		_, err := s.service.Checkouts.Start(t.Context(), s.access, billing.CheckoutRequest{PriceID: price})
		if err == nil {
			t.Errorf("a checkout for %q was opened", price)
		}
	}
}
