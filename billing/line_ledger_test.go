package billing

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// TestBriefExplanation: a brief explanation says the same as a full one, except who was billed for
// a whole period, and reads no more of the seat ledger than it asks for.
func TestBriefExplanation(t *testing.T) {
	t.Parallel()
	saved := 0
	for seed := range uint64(2000) {
		lines, sources := randomInvoice(rand.New(rand.NewPCG(seed, 0))) // #nosec G404 -- no secret
		full := explainLines(lines, sources)
		brief, part := explainInBrief(lines, sources)
		if !part.whole {
			saved += len(sources.SeatChanges)
			for i := range full {
				if full[i].isPeriod() {
					full[i].People = nil
				}
			}
		}
		if !reflect.DeepEqual(brief, full) {
			t.Fatalf("seed %d, part %+v of the ledger:\n%+v\nwant:\n%+v", seed, part, brief, full)
		}
	}
	if saved == 0 {
		t.Error("every explanation reads the whole ledger")
	}
}

// explainInBrief explains lines with the part of the ledger that a brief explanation asks for.
func explainInBrief(lines []InvoiceLine, sources LineSources) ([]ExplainedLine, ledgerPart) {
	brief := sources.withoutLedger()
	part := newLineExplainer(brief).ledgerPart(lines)
	brief = brief.withPart(part, sources)
	return explainLines(lines, brief), part
}

// comparedInBrief returns the sources with what a comparison of two invoices asks for.
func comparedInBrief(last, next []InvoiceLine, sources LineSources) LineSources {
	brief := sources.withoutLedger()
	part := newLineExplainer(brief).comparedPart(last, next)
	brief = brief.withPart(part, sources)
	brief.Brief = !part.whole
	return brief
}

func (s LineSources) withoutLedger() LineSources {
	s.Brief, s.SeatChanges, s.Unrecorded = true, nil, nil
	return s
}

// withPart returns the sources with a part of the ledger of others.
func (s LineSources) withPart(part ledgerPart, whole LineSources) LineSources {
	s.EarlierLines = map[string]int{}
	for _, change := range whole.SeatChanges {
		switch {
		case part.has(change):
			s.SeatChanges = append(s.SeatChanges, change)
		case change.Version <= part.since:
			s.EarlierLines[change.SubjectUserID]++
		}
	}
	if part.whole {
		s.Unrecorded = whole.Unrecorded
	}
	return s
}

// TestBriefComparison: in brief, the same people came and went between two versions of the seats.
func TestBriefComparison(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2000) {
		_, sources := randomInvoice(rand.New(rand.NewPCG(seed, 1))) // #nosec G404 -- no secret
		whole := newLineExplainer(sources)
		latest := sources.SeatChanges[len(sources.SeatChanges)-1].Version
		from := 1 + int64(seed)%latest
		before, after := whole.billedAt(from), whole.billedAt(latest)
		part := newLineExplainer(sources.withoutLedger().withPart(ledgerPart{since: from, until: latest}, sources))
		came, went := part.cameAndWent(from, latest)
		wantCame, wantWent := without(after, before), whenLeft(without(before, after), sources.SeatChanges)
		if !reflect.DeepEqual(names(came), names(wantCame)) || !reflect.DeepEqual(names(whenLeft(went, part.SeatChanges)), names(wantWent)) {
			t.Fatalf("seed %d, from version %d: %v came and %v went, want %v and %v", seed, from, came, went, wantCame, wantWent)
		}
	}
}

// names returns what is said of people.
func names(people []LinePerson) (said []string) {
	for _, person := range people {
		said = append(said, fmt.Sprint(person.Name, person.At, person.Reason))
	}
	return said
}

// randomInvoice makes up a ledger of people who come and go, the updates that were sent, of which
// some were refused or not answered, and an invoice with some of the changes and a renewal.
func randomInvoice(r *rand.Rand) ([]InvoiceLine, LineSources) {
	const pro = "price_Pro_month"
	sources := LineSources{Currency: "usd", Catalog: explainedCatalog(), Unrecorded: []LinePerson{{UserID: "usr_0", Name: "Founder", At: november(1)}}}
	var lines []InvoiceLine
	billed, seats, sentSeats, version, minimum := map[int]bool{}, 1, 1, int64(0), 1+r.IntN(4)
	for range 4 + r.IntN(12) {
		version++
		day, person := 2+int(version), 1+r.IntN(5)
		before := seats
		billed[person] = !billed[person]
		if n := 1 + countTrue(billed); n > minimum {
			seats = n
		} else {
			seats = minimum
		}
		sources.SeatChanges = append(sources.SeatChanges, SeatChange{
			ID: int64(len(sources.SeatChanges) + 1), From: before, To: seats, Version: version, At: november(day),
			SubjectUserID: fmt.Sprint("usr_", person), SubjectName: fmt.Sprint("Person ", person), Reason: "joined",
		})
		if r.IntN(3) == 0 {
			continue // sent with the next change
		}
		update := sent(version, day, seats)
		switch refused := false; r.IntN(8) {
		case 0:
			update.Accepted = &refused
		case 1:
			update.Accepted, update.AcknowledgedAt = nil, nil
		}
		sources.Attempts = append(sources.Attempts, update)
		if update.AcknowledgedAt != nil && *update.Accepted {
			if r.IntN(2) == 0 && seats != sentSeats {
				lines = append(lines, prorated(pro, day, sentSeats, seats, int64(100*sentSeats), int64(100*seats))...)
			}
			sentSeats = seats
		}
	}
	if r.IntN(3) > 0 {
		renewal := wholePeriod(pro, sentSeats, int64(2900*sentSeats))
		if r.IntN(8) == 0 {
			renewal.Quantity++ // changed at Stripe
		}
		lines = append(lines, renewal)
	}
	sources.Subscriptions = []Subscription{{ID: "sub_1", CreatedAt: november(1).Add(-time.Hour)}}
	return lines, sources
}

func countTrue(set map[int]bool) (n int) {
	for _, is := range set {
		if is {
			n++
		}
	}
	return n
}
