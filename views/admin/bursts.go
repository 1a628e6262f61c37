package admin

import (
	"time"

	"usher/billing"
)

// burstGap is the longest time between two events of one burst.
const burstGap = time.Minute

// burst is one row of the event list: an event, or several alike in a row. Newest first, never
// empty.
type burst []billing.StoredEvent

// bursts groups neighbors of the same type, organization and outcome. Events with an error stay
// alone, because their errors differ.
func bursts(events []billing.StoredEvent) []burst {
	var all []burst
	for _, event := range events {
		if n := len(all); n > 0 && all[n-1].continuesWith(event) {
			all[n-1] = append(all[n-1], event)
		} else {
			all = append(all, burst{event})
		}
	}
	return all
}

func (b burst) continuesWith(older billing.StoredEvent) bool {
	last := b[len(b)-1]
	return last.Type == older.Type && last.OrganizationID == older.OrganizationID && last.Outcome == older.Outcome &&
		last.Error == "" && older.Error == "" && last.ReceivedAt.Sub(older.ReceivedAt) <= burstGap
}

func (b burst) first() billing.StoredEvent { return b[0] }

// count says how many events there are, such as "6 events".
func (b burst) count() string { return plural(len(b), "event", "events") }
