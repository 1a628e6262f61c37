package scenario

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/catalog"
	"usher/stripelocal"
)

func seatStates() []Scenario {
	return []Scenario{
		{
			Name: "drift", Group: groupSeats, Title: "Seats changed at Stripe", Needs: needsMain,
			Sentence: "Somebody set another quantity in Stripe's Dashboard, and Stripe refuses every update of ours until the next start.",
			make:     drift,
		},
		{
			Name: "retrying", Group: groupSeats, Title: "Seat update retried", Needs: needsMain,
			Sentence: "A new person needs a seat and Stripe fails until the next start: the update is retried.",
			make:     retrying,
		},
		{
			Name: "unsynced-while-paused", Group: groupSeats, Title: "Pending seats while paused", Needs: needsMain,
			Sentence: "A person joined while the plan is paused: the seat waits for the plan.",
			make: func(m *maker) error {
				if err := m.trial(m.now().AddDate(0, 0, -9), "", pausing("7")); err != nil {
					return err
				}
				if err := m.advance(m.now()); err != nil {
					return err
				}
				if err := m.status(billing.StatusPaused); err != nil {
					return err
				}
				_, err := m.join(person{"Fumiko Tanabe", account.RoleMember, true}, 5)
				return err
			},
		},
		{
			Name: "invitations", Group: groupSeats, Title: "Invitations on their way", Needs: needsMain, Page: PageMembers,
			Sentence: "Three people are invited, two of them with a seat; one member takes none, one is suspended.",
			make:     invitations,
		},
		{
			Name: "at-renewal", Group: groupSeats, Title: "Seats released at the renewal",
			Needs:    needs(`proration_on_decrease = "at_renewal"`, releasesAtRenewal),
			Sentence: "A person left: the seat stays paid, and free, until the renewal.",
			make:     released,
		},
		{
			Name: "cap", Group: groupSeats, Title: "No seat left", Page: PageMembers,
			Needs:    needs("a seat_maximum from 5 to 50", isCapped),
			Sentence: "Every seat that the plan allows is taken: no one can be added.",
			make: func(m *maker) error {
				plan, _ := findPlan(m.plans(), isCapped)
				if err := m.found(append(cast(), crowd(plan.SeatMaximum-4)...)); err != nil {
					return err
				}
				return m.buy(plan, catalog.Monthly, cardPays)
			},
		},
		{
			Name: "crowd", Group: groupSeats, Title: "Large organization", Needs: needsMain, Page: PageMembers,
			Sentence: "Two thousand people, each with a seat.",
			make: func(m *maker) error {
				return m.bought(append(cast(), crowd(max(0, m.board.options.Crowd-len(cast())))...))
			},
		},
		{
			Name: "long-names", Group: groupSeats, Title: longOrganization, Needs: needsMain, Page: PageMembers,
			Sentence: "Long names of people and of the organization, with and without spaces.",
			make: func(m *maker) error {
				people := cast()
				people[0].name = "Adolph Blaine Charles David Earl Frederick Gerald Hubert Irvin Wolfeschlegelsteinhausenbergerdorff"
				people[2].name = strings.Repeat("Rhabarberbarbara", 6)
				return m.bought(people)
			},
		},
		{
			Name: "right-to-left", Group: groupSeats, Title: "مسرح الفانوس", Needs: needsMain, Page: PageMembers,
			Sentence: "Names in Arabic and Hebrew, beside Latin ones.",
			make: func(m *maker) error {
				people := append(cast(), person{"דינה כהן", account.RoleMember, true})
				people[0].name, people[2].name, people[3].name = "ليلى حداد", "יעל בן־דוד", "عبد الرحمن بن يوسف (Abe)"
				return m.bought(people)
			},
		},
	}
}

const longOrganization = "The Royal and Ancient Society for the Preservation of Candlelit Theatres, Llanfairpwllgwyngyll"

// refuseUpdates makes Stripe fail every update of the scenario's subscription.
func (m *maker) refuseUpdates() error {
	_, err := m.board.options.Stripe.Faults().Add(stripelocal.Fault{
		Kind: stripelocal.RateLimited, Method: http.MethodPost, Path: "/v1/subscriptions/" + m.subscriptionID, Calls: -1,
	})
	return err
}

func drift(m *maker) error {
	if err := m.bought(cast()); err != nil {
		return err
	}
	var current object
	if err := m.stripe.call(m.ctx, http.MethodGet, "/v1/subscriptions/"+m.subscriptionID, nil, &current); err != nil {
		return err
	}
	// Before the change, which would otherwise be corrected at once. It takes another path.
	if err := m.refuseUpdates(); err != nil {
		return err
	}
	if err := m.post("/v1/subscription_items/"+current.Items.Data[0].ID, url.Values{"quantity": {"9"}}, nil); err != nil {
		return err
	}
	return m.overview("the drift", func(o billing.Overview) bool { return o.Seats.Drift && o.Seats.Quantity == 9 })
}

func retrying(m *maker) error {
	if err := m.bought(cast()); err != nil {
		return err
	}
	if err := m.refuseUpdates(); err != nil {
		return err
	}
	if _, err := m.join(person{"Fumiko Tanabe", account.RoleMember, true}, 5); err != nil {
		return err
	}
	return m.overview("the failed update", func(o billing.Overview) bool { return o.Seats.Status == billing.SyncError })
}

func invitations(m *maker) error {
	if err := m.bought(observers()); err != nil {
		return err
	}
	for i, name := range []string{"noor", "oskar", "a-rather-long-address-of-somebody-in-the-box-office"} {
		_, err := m.service.Invitations.Invite(m.ctx, m.admin, account.NewInvitation{
			Email: name + "@" + m.domain, RoleID: account.RoleMember, Billable: i < 2,
		})
		if err != nil {
			return err
		}
	}
	members, err := m.service.Members.List(m.ctx, m.admin)
	if err != nil {
		return err
	}
	suspended := account.MemberSuspended
	for _, member := range members {
		if member.Name == "Gus Papadakis" {
			_, err := m.service.Members.Change(m.ctx, m.admin, member.ID, account.MemberChange{Status: &suspended})
			return err
		}
	}
	return errors.New("there is no member to suspend")
}

func released(m *maker) error {
	plan, _ := findPlan(m.plans(), releasesAtRenewal)
	if err := m.found(cast()); err != nil {
		return err
	}
	if err := m.buy(plan, catalog.Monthly, cardPays); err != nil {
		return err
	}
	members, err := m.service.Members.List(m.ctx, m.admin)
	if err != nil {
		return err
	}
	for _, member := range members {
		if member.Name == "Emre Aydın" {
			if err := m.service.Members.Remove(m.ctx, m.admin, member.ID); err != nil {
				return err
			}
		}
	}
	return m.overview("the free seat", func(o billing.Overview) bool { return o.Seats.PaidUntil != nil })
}
