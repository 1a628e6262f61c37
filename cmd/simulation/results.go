package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
)

// results counts what happened in one batch, or in all of them. Its methods may be called
// concurrently; its fields are read after the batch has ended.
type results struct {
	mutex           sync.Mutex
	histories       int
	faults          map[string]int // by description
	actions         map[string]int // of people and support, by description
	verifiedEarly   int            // histories verified before the final reconciliation
	kills           int            // of replicas, by SIGKILL
	databaseCrashes int
	divergences     []string
	money           map[string]moneySum // checked, by description and currency
}

// moneySum is a number of records and the sum of their amounts, in the minor unit or in credits.
type moneySum struct {
	records int
	amount  int64
}

func newResults() *results {
	return &results{faults: map[string]int{}, actions: map[string]int{}, money: map[string]moneySum{}}
}

// countMoney adds what the money check has compared. currency is empty where there is none.
func (r *results) countMoney(description, currency string, amount int64, records int) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.addMoney(strings.TrimSpace(description+" "+currency), moneySum{records, amount})
}

func (r *results) addMoney(key string, sum moneySum) {
	total := r.money[key]
	r.money[key] = moneySum{total.records + sum.records, total.amount + sum.amount}
}

// countFault adds n occurrences of a fault.
func (r *results) countFault(description string, n int) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.faults[description] += n
}

// countAction adds an action that people or support performed.
func (r *results) countAction(description string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.actions[description]++
}

func (r *results) countKill() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.kills++
}

func (r *results) countDatabaseCrash() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.databaseCrashes++
}

func (r *results) diverged(description string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.divergences = append(r.divergences, description)
}

func (r *results) divergenceCount() int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return len(r.divergences)
}

// prefixDivergences adds a prefix to the divergences from an index on.
func (r *results) prefixDivergences(from int, prefix string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for i := from; i < len(r.divergences); i++ {
		r.divergences[i] = prefix + r.divergences[i]
	}
}

// add adds the results of a batch that has ended.
func (r *results) add(other *results) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.histories += other.histories
	r.verifiedEarly += other.verifiedEarly
	r.kills += other.kills
	r.databaseCrashes += other.databaseCrashes
	r.divergences = append(r.divergences, other.divergences...)
	for key, sum := range other.money {
		r.addMoney(key, sum)
	}
	for description, n := range other.faults {
		r.faults[description] += n
	}
	for description, n := range other.actions {
		r.actions[description] += n
	}
}

func (r *results) print(out io.Writer) {
	fmt.Fprintf(out, "histories               %d\n", r.histories)
	for _, description := range slices.Sorted(maps.Keys(r.faults)) {
		fmt.Fprintf(out, "fault                   %s: %d\n", description, r.faults[description])
	}
	for _, description := range slices.Sorted(maps.Keys(r.actions)) {
		fmt.Fprintf(out, "action                  %s: %d\n", description, r.actions[description])
	}
	for _, key := range slices.Sorted(maps.Keys(r.money)) {
		fmt.Fprintf(out, "money                   %s: %d records, amount %d\n", key, r.money[key].records, r.money[key].amount)
	}
	fmt.Fprintf(out, "verified by events only %d\n", r.verifiedEarly)
	fmt.Fprintf(out, "replicas killed         %d\n", r.kills)
	fmt.Fprintf(out, "PostgreSQL crashes      %d\n", r.databaseCrashes)
}
