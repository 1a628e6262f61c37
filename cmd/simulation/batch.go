package main

// batch is the part of a simulation that is played at once in one environment.
type batch struct {
	number    int
	seed      uint64
	histories int
	only      uint64 // the seed of its only history; 0: seeds follow from the batch's seed
	kills     int    // of replicas
	crashes   int    // of PostgreSQL
}

// batches divides a simulation into batches.
func (o options) batches() []batch {
	count := (o.histories + o.batch - 1) / o.batch
	batches := make([]batch, count)
	for n := range batches {
		batches[n] = batch{
			number: n, seed: o.seed + uint64(n), histories: min(o.batch, o.histories-n*o.batch), only: o.only,
			kills: share(o.kills, n, count), crashes: share(o.crashes, n, count),
		}
		if o.only != 0 {
			batches[n].seed = o.only / seedsPerBatch
		}
	}
	return batches
}

// share returns the nth of count parts of a total, so that all parts add up to it.
func share(total, n, count int) int { return total*(n+1)/count - total*n/count }

// seedsPerBatch separates the seeds of different batches' histories.
const seedsPerBatch = 1_000_000

// historySeed returns the seed of the nth history.
func (b batch) historySeed(n int) uint64 {
	if b.only != 0 {
		return b.only
	}
	return b.seed*seedsPerBatch + uint64(n)
}

// hasBacklog reports whether another organization's backlog is processed beside the histories.
func (b batch) hasBacklog() bool { return b.number == 0 && b.only == 0 }

// losesEvents reports whether events are lost for good, and the reconciler therefore runs between
// the rounds. Neither happens in every other batch: there, events alone must lead to the right
// state, and the reconciler must not hide a wrong decision.
func (b batch) losesEvents() bool { return b.seed%2 == 0 }
