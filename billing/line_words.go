package billing

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// seatText names the people whose seats changed, or the reason if there are none.
func seatText(e *ExplainedLine, changes []SeatChange, quantity int) string {
	var joined, left []string
	for _, person := range e.People {
		if person.Left {
			left = append(left, person.Name)
		} else {
			joined = append(joined, person.Name)
		}
	}
	date := shortDate(e.Start, e.End)
	var parts []string
	if len(joined) > 0 {
		parts = append(parts, listNames(joined)+", from "+date)
	}
	if len(left) > 0 {
		parts = append(parts, listNames(left)+", until "+date)
	}
	if len(parts) > 0 {
		return strings.Join(parts, "; ")
	}
	for _, change := range slices.Backward(changes) {
		if change.Reason != "" && change.SubjectUserID == "" {
			return strings.ToUpper(change.Reason[:1]) + change.Reason[1:] + ", " + date
		}
	}
	return seatCount(quantity) + ", from " + date
}

// planChangeText describes a change of the plan, or of the interval only.
func (x lineExplainer) planChangeText(fromID, toID string, quantity int) string {
	from, fromPrice, _ := x.Catalog.ByPrice(fromID)
	to, toPrice, _ := x.Catalog.ByPrice(toID)
	text := from.Name + " to " + to.Name
	if from.Name == to.Name || fromPrice.Interval != toPrice.Interval {
		text = fmt.Sprintf("%s, %s, to %s, %s", from.Name, intervalAdverb(fromPrice.Interval), to.Name, intervalAdverb(toPrice.Interval))
	}
	if to.PerSeat {
		text += " for " + peopleCount(quantity)
	}
	return text
}

// shortDate formats the date of a change; with the year if the period ends in another one.
func shortDate(t, periodEnd time.Time) string {
	if t.UTC().Year() != periodEnd.UTC().Year() {
		return dateOf(t)
	}
	return t.UTC().Format("2 Jan")
}

// namesShown is how many people a text names before it counts the others.
const namesShown = 3

// listNames lists names: "Bo", "Bo and Cy", "Bo, Cy and 3 more".
func listNames(names []string) string {
	switch {
	case len(names) == 1:
		return names[0]
	case len(names) > namesShown:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:2], ", "), len(names)-2)
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

func seatCount(n int) string {
	if n == 1 {
		return "1 seat"
	}
	return fmt.Sprintf("%d seats", n)
}

func peopleCount(n int) string {
	if n == 1 {
		return "1 person"
	}
	return fmt.Sprintf("%d people", n)
}
