package dev_test

import (
	"strings"
	"testing"

	devviews "usher/views/dev"
	"usher/views/viewtest"
)

func TestScenarioBoard(t *testing.T) {
	scenarios := []devviews.Scenario{
		{Name: "active", Group: "A plan that runs", Title: "Active", Sentence: "People and seats agree.", State: devviews.ScenarioMade},
		{Name: "crowd", Group: "Seats", Title: "Large", Sentence: "Many people.", State: devviews.ScenarioMaking, Detail: "50 of 2000 people"},
		{Name: "cap", Group: "Seats", Title: "No seat left", Sentence: "All seats are taken.", Lacks: "a plan with seat_maximum"},
		{Name: "drift", Group: "Seats", Title: "Drift", Sentence: "Another number.", State: devviews.ScenarioFailed, Detail: "timed out"},
	}
	doc := viewtest.Render(t, devviews.ScenariosPage(devviews.ScenariosPageProps{Scenarios: scenarios, Opening: "crowd"}))
	board := doc.Find("#scenarios")
	if board.AttrOr("hx-trigger", "") == "" || board.Find("section").Length() != 2 || board.Find("#make-all").Length() != 1 {
		t.Errorf("%s", viewtest.Outline(board))
	}
	for row, text := range map[string]string{
		"#active": "Made", "#crowd": "Being made: 50 of 2000 people", "#cap": "It needs a plan with seat_maximum.", "#drift": "Not made: timed out",
	} {
		if got := viewtest.Text(doc.Find(row)); !strings.Contains(got, text) {
			t.Errorf("%s shows %s", row, got)
		}
	}
	if doc.Find("#cap form").Length() != 0 || doc.Find("#active button").Length() != 3 {
		t.Error("a scenario that the plans lack can be opened, or another can't")
	}
	if sum := viewtest.Text(board.Find("[data-announce]")); sum != "1 of 3 made · 1 in progress · 1 failed" {
		t.Errorf("%q", sum)
	}
	still := viewtest.Render(t, devviews.ScenariosPage(devviews.ScenariosPageProps{Scenarios: scenarios[:1]})).Find("#scenarios")
	if still.AttrOr("hx-trigger", "") != "" || still.Find("#make-all").Length() != 0 {
		t.Errorf("a board with everything made asks again: %s", viewtest.Outline(still))
	}
}
