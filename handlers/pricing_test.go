package handlers

import (
	"net/http"
	"testing"
)

// Without JavaScript, the buttons beside the number lead to the address of the new one.
func TestPricingSteps(t *testing.T) {
	h := newTestEnv(t)
	b := h.newBrowser()
	for query, want := range map[string]string{
		"interval=year&seats=8&step=1":              "interval=year&seats=9",
		"interval=year&seats=8&step=-1":             "interval=year&seats=7",
		"interval=month&seats=1&step=-1":            "interval=month&seats=1",
		"interval=month&seats=10000&step=1":         "interval=month&seats=10000",
		"interval=month&seats=8&step=99":            "interval=month&seats=9",
		"code=SPRING&interval=month&seats=8&step=1": "code=SPRING&interval=month&seats=9",
	} {
		b.get("/pricing?" + query).wantRedirect("/pricing?" + want)
	}
	for _, query := range []string{"seats=0&step=1", "seats=many&step=1", "seats=8&step=up"} {
		b.get("/pricing?" + query).wantStatus(http.StatusOK)
	}
}

// The page shows totals for the people in its address, and draws as many taken seats.
func TestPricingFollowsThePeople(t *testing.T) {
	h := newTestEnv(t)
	b := h.newBrowser()
	for _, tt := range []struct {
		query         string
		taken         int
		total, person string
	}{
		{"seats=1", 1, "$29 a month for 1", "$29 per person"},
		{"seats=8", 8, "$232 a month for 8", "$29 per person"},
		{"interval=year&seats=200", 200, "$58,000 a year for 200", "$290 per person"},
		{"seats=2000", 0, "$58,000 a month for 2,000", "2,000 seats"},
	} {
		page := b.get("/pricing?"+tt.query).wantStatus(http.StatusOK).wantText(tt.total, tt.person)
		doc := page.doc()
		theatre, many := doc.Find("[data-theatre]"), doc.Find("[data-many]")
		if taken := theatre.Not("[hidden]").Find("use.seat-billed").Length(); taken != tt.taken || theatre.Find("g use").Length() != 200 {
			t.Errorf("%s: %d of %d seats are taken, want %d", tt.query, taken, theatre.Find("g use").Length(), tt.taken)
		}
		if _, hidden := many.Attr("hidden"); hidden != (tt.taken > 0) {
			t.Errorf("%s: the bar is hidden: %t", tt.query, hidden)
		}
		if minus := doc.Find("button[name=step][value='-1']"); (minus.AttrOr("disabled", "no") != "no") != (tt.query == "seats=1") {
			t.Errorf("%s: one less can be chosen: %s", tt.query, minus.AttrOr("disabled", "yes"))
		}
	}
}
