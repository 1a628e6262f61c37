package scenario

import (
	"fmt"

	"usher/billing/account"
	"usher/billing/catalog"
)

// Paths of the pages that scenarios lead to.
const (
	PageBilling   = "/organization?tab=billing"
	PageMembers   = "/organization?tab=members"
	PageGeneral   = "/organization?tab=general"
	PageDashboard = "/dashboard"
	PageInvoices  = "/billing/invoices"
	PageCredits   = "/billing/credits"
)

// Scenario is an organization in a named state.
type Scenario struct {
	Name     string // in forms and addresses: "card-declined"
	Group    string
	Title    string // also the name of the organization, unless make chooses another
	Sentence string // what its pages show
	As       string // the role of the person who signs in first
	Page     string // where to look
	// Needs returns what the plans lack for the scenario; nil: it works with any.
	Needs func(catalog.Catalog) string
	make  func(*maker) error
}

// Groups of scenarios, in the order of the board.
const (
	groupStart    = "Before and at the start"
	groupRunning  = "A plan that runs"
	groupSeats    = "Seats and people"
	groupPayments = "Payment trouble"
	groupEnds     = "Changes and ends"
	groupMoney    = "Money back and credits"
)

// Registry lists all scenarios in display order.
func Registry() []Scenario {
	var all []Scenario
	for _, part := range [][]Scenario{startStates(), runningStates(), seatStates(), paymentStates(), endStates(), moneyStates()} {
		all = append(all, part...)
	}
	for i := range all {
		if all[i].As == "" {
			all[i].As = account.RoleAdmin
		}
		if all[i].Page == "" {
			all[i].Page = PageBilling
		}
	}
	return all
}

// mainPlan returns the plan that most scenarios have: the highlighted one if it is sold per seat
// and month, otherwise the first such plan.
func mainPlan(plans catalog.Catalog) (main catalog.Plan, found bool) {
	for _, plan := range plans.Plans {
		if _, monthly := plan.Price(catalog.Monthly); !monthly || !plan.PerSeat {
			continue
		}
		if !found || plan.Highlighted && !main.Highlighted {
			main, found = plan, true
		}
	}
	return main, found
}

// smallerPlan returns a plan with a monthly price below that of the main plan.
func smallerPlan(plans catalog.Catalog) (catalog.Plan, bool) {
	main, _ := mainPlan(plans)
	most, _ := main.Price(catalog.Monthly)
	for _, plan := range plans.Plans {
		if price, monthly := plan.Price(catalog.Monthly); monthly && plan.PerSeat && price.Amount.Minor < most.Amount.Minor {
			return plan, true
		}
	}
	return catalog.Plan{}, false
}

// findPlan returns the first plan with a monthly price per seat that meets a condition.
func findPlan(plans catalog.Catalog, meets func(catalog.Plan) bool) (catalog.Plan, bool) {
	for _, plan := range plans.Plans {
		if _, monthly := plan.Price(catalog.Monthly); monthly && plan.PerSeat && meets(plan) {
			return plan, true
		}
	}
	return catalog.Plan{}, false
}

// needsMain is Needs of a scenario with the main plan.
func needsMain(plans catalog.Catalog) string {
	if _, found := mainPlan(plans); !found {
		return "a plan that is sold per seat and month"
	}
	return ""
}

func needsYearly(plans catalog.Catalog) string {
	main, _ := mainPlan(plans)
	if _, yearly := main.Price(catalog.Yearly); !yearly {
		return "a plan with a monthly and a yearly price"
	}
	return ""
}

func needsSmaller(plans catalog.Catalog) string {
	if _, found := smallerPlan(plans); !found {
		return "two plans that are sold per seat and month"
	}
	return needsMain(plans)
}

func needsCredits(plans catalog.Catalog) string {
	if main, _ := mainPlan(plans); main.Credits == 0 {
		return "a plan with credits"
	}
	return ""
}

func needsPack(plans catalog.Catalog) string {
	if len(plans.Packs) == 0 {
		return "a pack of credits"
	}
	return ""
}

// needs is Needs of a scenario with a plan that meets a condition, which is named by its key in a
// plan file.
func needs(key string, meets func(catalog.Plan) bool) func(catalog.Catalog) string {
	return func(plans catalog.Catalog) string {
		if _, found := findPlan(plans, meets); !found {
			return fmt.Sprintf("a plan per seat with %s in PLANS_FILE", key)
		}
		return ""
	}
}

func isCapped(p catalog.Plan) bool { return p.SeatMaximum >= len(cast()) && p.SeatMaximum <= 50 }

func releasesAtRenewal(p catalog.Plan) bool {
	price, _ := p.Price(catalog.Monthly)
	return p.ProrationOnDecrease == catalog.ProrationAtRenewal || price.ProrationOnDecrease == catalog.ProrationAtRenewal
}

func chargesAtOnce(p catalog.Plan) bool {
	price, _ := p.Price(catalog.Monthly)
	return p.ProrationOnIncrease == catalog.ProrationAlwaysInvoice || price.ProrationOnIncrease == catalog.ProrationAlwaysInvoice
}
