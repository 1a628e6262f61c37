package catalog_test

import (
	"fmt"

	"usher/billing/catalog"
)

const planFile = `
currency = "EUR"

[[plan]]
id = "team"
name = "Team"
seat_minimum = 3

[[plan.price]]
interval = "month"
amount = "9.50"
lookup_key = "team_month"
`

func ExampleParsePlans() {
	plans, err := catalog.ParsePlans("plans.toml", []byte(planFile))
	if err != nil {
		fmt.Println(err)
		return
	}
	team, _ := plans.Plan("team")
	price, _ := team.Price(catalog.Monthly)
	fmt.Println(team.Name, price.Amount.Format(), "per seat and", price.Interval)
	fmt.Println("2 people pay for", team.Quantity(2), "seats")
	// Output:
	// Team €9.50 per seat and month
	// 2 people pay for 3 seats
}

func ExampleParsePlans_mistakes() {
	_, err := catalog.ParsePlans("plans.toml", []byte(`
[[plan]]
id = "team"
credits = -1

[[plan.price]]
interval = "week"
amount = "9,50"
lookup_key = "team_week"
`))
	fmt.Println(err)
	// Output:
	// plans.toml: plan 1 (team): name is missing
	// plans.toml: plan 1 (team): credits is -1, it must be from 0 to 1000000000
	// plans.toml: plan 1 (team), price 1 (week): interval "week" is not known: month or year
	// plans.toml: plan 1 (team), price 1 (week): amount 9,50 USD: not a decimal number such as 9 or 9.50
}

func ExampleCatalog_ByPrice() {
	plans, err := catalog.ParsePlans("plans.toml", []byte(planFile))
	if err != nil {
		fmt.Println(err)
		return
	}
	resolved, missing := plans.Resolved([]catalog.StripePrice{{
		ID: "price_1", ProductID: "prod_1", LookupKey: "team_month", Interval: catalog.Monthly,
		Amount: catalog.Money{Minor: 950, Currency: "eur"}, Active: true,
	}})
	plan, price, found := resolved.ByPrice("price_1")
	fmt.Println(plan.Name, price.Interval, found, len(missing))
	// Output: Team month true 0
}

func ExampleMoney_Format() {
	for _, m := range []catalog.Money{
		{Minor: 261000, Currency: "usd"}, {Minor: 7200, Currency: "eur"}, {Minor: 500, Currency: "jpy"},
	} {
		fmt.Println(m.Format(), m.FormatShort(), m.Decimal())
	}
	// Output:
	// $2,610.00 $2,610 2610.00
	// €72.00 €72 72.00
	// ¥500 ¥500 500
}
