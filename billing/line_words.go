package billing

import (
	"slices"
	"time"

	"usher/billing/catalog"
	"usher/billing/phrase"
)

// seatText names the people whose seats changed, or the reason if there are none.
func seatText(e *ExplainedLine, changes []SeatChange, quantity int) phrase.Phrase {
	var joined, left []string
	for _, person := range e.People {
		if person.Left {
			left = append(left, person.Name)
		} else {
			joined = append(joined, person.Name)
		}
	}
	date := shortDate(e.Start, e.End)
	var parts []phrase.Phrase
	if len(joined) > 0 {
		parts = append(parts, phrase.Of("%s, from %s", phrase.In(phrase.Names(joined)), date))
	}
	if len(left) > 0 {
		parts = append(parts, phrase.Of("%s, until %s", phrase.In(phrase.Names(left)), date))
	}
	if len(parts) > 0 {
		return phrase.Join(parts)
	}
	for _, change := range slices.Backward(changes) {
		if change.Reason != "" && change.SubjectUserID == "" {
			return phrase.Of("%s: %s", date, phrase.In(ReasonPhrase(change.Reason)))
		}
	}
	return phrase.Of("%s, from %s", phrase.In(seatCount(quantity)), date)
}

// planChangeText describes a change of the plan, or of the interval only.
func (x lineExplainer) planChangeText(fromID, toID string, quantity int) phrase.Phrase {
	from, fromPrice, _ := x.Catalog.ByPrice(fromID)
	to, toPrice, _ := x.Catalog.ByPrice(toID)
	text := phrase.Of("%s to %s", phrase.Name(from.Name), phrase.Name(to.Name))
	if from.Name == to.Name || fromPrice.Interval != toPrice.Interval {
		text = phrase.Of("%s, %s, to %s, %s", phrase.Name(from.Name), phrase.In(intervalAdverb(fromPrice.Interval)),
			phrase.Name(to.Name), phrase.In(intervalAdverb(toPrice.Interval)))
	}
	if to.PerSeat {
		text = phrase.Of("%s for %s", phrase.In(text), phrase.In(peopleCount(quantity)))
	}
	return text
}

// shortDate is the date of a change; with the year if the period ends in another one.
func shortDate(t, periodEnd time.Time) phrase.Arg {
	if t.UTC().Year() != periodEnd.UTC().Year() {
		return phrase.Date(t)
	}
	return phrase.Day(t)
}

func seatCount(n int) phrase.Phrase { return phrase.Count(n, "%s seat", "%s seats") }

func peopleCount(n int) phrase.Phrase { return phrase.Count(n, "%s person", "%s people") }

func intervalAdverb(interval catalog.Interval) phrase.Phrase {
	if interval == catalog.Yearly {
		return phrase.Of("yearly")
	}
	return phrase.Of("monthly")
}
