package main

import (
	_ "embed"

	"usher/billing/catalog"
)

//go:embed plans.toml
var planFile []byte

// plansForSale returns the plans that the replicas sell: per seat and flat, monthly and yearly,
// with and without a trial.
func plansForSale() catalog.Catalog {
	plans, err := catalog.ParsePlans("plans.toml", planFile)
	if err != nil {
		panic(err) // the file is a part of the program
	}
	return plans
}

// addOnKey is the lookup key of a price that is not Usher's.
const addOnKey = "elsewhere_add_on_month"

// planKeys are the lookup keys of all prices of plans. They are picked by index.
var planKeys = []string{
	"usher_starter_month", "usher_pro_month", "usher_team_month", "usher_trial_month", "usher_keep_month",
	"usher_starter_year", "usher_pro_year", "usher_team_year", "usher_trial_year", "usher_keep_year",
}

// planIDs are picked by index.
var planIDs = []string{"starter", "pro", "starter", "pro", "team", "trial", "keep"}
