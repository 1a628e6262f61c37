package main

import (
	"context"
	"fmt"
	"io"

	"usher/billing"
	"usher/billing/account"
	"usher/billing/apperr"
	"usher/cmd/usher/scenario"
)

// The demo organization exists only with a private PostgreSQL, and so only in development.
const (
	demoOrganization = "Lantern Theatre"
	demoPassword     = "usher-demo" // of every demo account
)

type demoPerson struct {
	name, email, role string
	billable          bool
}

// demoPeople returns the members of the demo organization. The first one signs up and creates it.
func demoPeople() []demoPerson {
	return []demoPerson{
		{"Rosa Amador", "admin@usher.example", account.RoleAdmin, true},
		{"Theo Lindgren", "billing@usher.example", account.RoleBillingAdmin, false},
		{"Amara Okoye", "member@usher.example", account.RoleMember, true},
		{"Dana Whitfield", "dana@usher.example", account.RoleMember, true},
		{"Emre Aydın", "emre@usher.example", account.RoleMember, true},
		{"Fumiko Tanabe", "fumiko@usher.example", account.RoleMember, true},
		{"ليلى حداد", "layla@usher.example", account.RoleMember, true},
		{"Gus Papadakis", "gus@usher.example", account.RoleMember, true},
		{"Hedda Nyström", "hedda@usher.example", account.RoleMember, true},
	}
}

// seedDemo creates the demo organization unless it exists.
func seedDemo(ctx context.Context, service *billing.Service) error {
	people := demoPeople()
	founder := people[0]
	_, organization, err := service.Users.CreateFounder(ctx, account.SignUp{
		Name: founder.name, Email: founder.email, Password: demoPassword, Organization: demoOrganization,
	})
	if apperr.CodeOf(err) == apperr.CodeConflict {
		return nil // exists from an earlier start
	}
	if err != nil {
		return fmt.Errorf("seed the demo organization: %w", err)
	}
	if _, err := service.Users.PromoteOperator(ctx, founder.email); err != nil {
		return fmt.Errorf("seed the demo organization: %w", err)
	}
	for _, person := range people[1:] {
		_, err := service.Users.CreateMember(ctx, organization.ID, account.NewMember{
			Name: person.name, Email: person.email, Password: demoPassword,
			RoleID: person.role, Billable: person.billable,
		})
		if err != nil {
			return fmt.Errorf("seed the demo organization: %w", err)
		}
	}
	return nil
}

// largeOrganization is how many people the large organization of the scenario board has. Tests have
// fewer.
var largeOrganization = 2000

// openScenarios opens the scenario board, in development with a local Stripe.
func (a *app) openScenarios() {
	if a.config.Production || a.local == nil {
		return
	}
	a.board = scenario.NewBoard(scenario.Options{
		Service: a.service, ServiceAt: a.serviceAt, Stripe: a.local.server, StripeURL: a.local.apiBase, StripeKey: localStripeKey,
		Now: a.local.now, Log: a.log, Guests: demoGuests(), Crowd: largeOrganization,
	})
	a.closers.add("scenario board", a.board.Close)
}

// demoGuests are the demo accounts whose log-ins are printed.
func demoGuests() []scenario.Guest {
	var guests []scenario.Guest
	for _, person := range demoPeople()[:3] {
		guests = append(guests, scenario.Guest{Email: person.email, Role: person.role})
	}
	return guests
}

func (a *app) hasDemoHistory() bool {
	return a.board != nil && a.database.private && a.config.DemoHistory
}

// addDemoHistory makes a second organization of the demo accounts in the background, with a year of
// history. The first one has no plan, so that one can be bought.
func (a *app) addDemoHistory() error {
	if !a.hasDemoHistory() {
		return nil
	}
	if err := a.board.Make(scenario.Year); apperr.CodeOf(err) != apperr.CodeConflict { // the plans lack what it needs
		return err
	}
	return nil
}

// printDemoHistory prints where the demo shows a year.
func printDemoHistory(w io.Writer) {
	fmt.Fprintf(w, "  The same accounts have %q with a year of history: choose it in the menu with the\n"+
		"  organization's name, a few seconds after the first start\n", scenario.YearTitle)
}

// printDemo prints how to sign in to the demo organization, with one account for each role.
func printDemo(w io.Writer) {
	fmt.Fprintf(w, "\n  Sign in to the demo organization %q with the password %s\n",
		demoOrganization, demoPassword)
	descriptions := map[string]string{
		account.RoleAdmin:        "admin, and operator of this installation",
		account.RoleBillingAdmin: "billing admin",
		account.RoleMember:       "member, sees the plan only",
	}
	for _, person := range demoPeople()[:3] {
		fmt.Fprintf(w, "    %-22s %s\n", person.email, descriptions[person.role])
	}
}
