package stripelocal_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// reducedRecordings is the file of facts from recordings that is part of the repository.
var reducedRecordings = filepath.Join("testdata", "recordings.jsonl")

// TestReplayOfRecordings replays calls that public test suites recorded of the real API, and
// compares each response with the recorded one. A difference that is not in knownDifferences fails
// the test.
func TestReplayOfRecordings(t *testing.T) {
	t.Parallel()
	used := map[knownDifference]bool{}
	sum := replayAll(t, loadReduced(t, reducedRecordings), used)
	if sum.replayed < 200 {
		t.Errorf("only %d calls were replayed", sum.replayed)
	}
	t.Log(sum)
}

// TestReplayOfCompleteRecordings is TestReplayOfRecordings with whole responses, which are not part
// of the repository. It also finds known differences that are none any more.
func TestReplayOfCompleteRecordings(t *testing.T) {
	t.Parallel()
	stories := loadRecordings(t, recordingsFolder())
	if len(stories) == 0 {
		t.Skip("the complete recordings are not here: set RECORDINGS to their folder")
	}
	used := map[knownDifference]bool{}
	t.Log(replayAll(t, stories, used))
	for _, k := range knownDifferences() {
		if !used[k] {
			t.Errorf("no recording differs in %s (%s) any more", k.where, k.versions)
		}
	}
	if os.Getenv("WRITE_RECORDINGS") != "" {
		writeReduced(t, stories, reducedRecordings)
	}
}

// TestDocsListKnownDifferences compares docs/local-stripe.md with knownDifferences.
func TestDocsListKnownDifferences(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "docs", "local-stripe.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range differenceRows() {
		if !strings.Contains(string(doc), row) {
			t.Errorf("docs/local-stripe.md lacks the row\n%s", row)
		}
	}
	if shown := strings.Count(string(doc), "\n| older |") + strings.Count(string(doc), "\n| newer |") + strings.Count(string(doc), "\n| all |"); shown != len(differenceRows()) {
		t.Errorf("docs/local-stripe.md has %d rows of differences, want %d:\n%s", shown, len(differenceRows()), strings.Join(differenceRows(), "\n"))
	}
}

// differenceRows are the rows of the table: the fields of one reason and of the same recordings.
func differenceRows() []string {
	type group struct{ versions, reason string }
	var order []group
	fields := map[group][]string{}
	for _, k := range knownDifferences() {
		g := group{k.versions, k.reason}
		if fields[g] == nil {
			order = append(order, g)
		}
		fields[g] = append(fields[g], "`"+k.where+"`")
	}
	var out []string
	for _, g := range order {
		out = append(out, fmt.Sprintf("| %s | %s | %s |", g.versions, g.reason, strings.Join(fields[g], ", ")))
	}
	return out
}

// replaySum is the result of a replay.
type replaySum struct {
	calls, replayed, sameStatus, same, known int
}

func (s replaySum) String() string {
	return fmt.Sprintf("recordings: %d of %d calls replayed (the others need objects from before their recording); %d with the same status, %d equal, %d with known differences only",
		s.replayed, s.calls, s.sameStatus, s.same, s.known)
}

func replayAll(t *testing.T, stories []recordedStory, used map[knownDifference]bool) replaySum {
	t.Helper()
	var sum replaySum
	versions := map[string]*replaySum{}
	for _, s := range stories {
		if versions[s.Version] == nil {
			versions[s.Version] = &replaySum{}
		}
		was := sum
		for _, r := range newPlayer(t, s.Calls[0].At).replay(s) {
			sum.add(t, r, s.Version, used)
		}
		versions[s.Version].addGrowth(was, sum)
	}
	for _, version := range slices.Sorted(maps.Keys(versions)) {
		t.Logf("%s as %s: %s", version, spokenVersion(version), versions[version])
	}
	return sum
}

// addGrowth adds what a sum has more than before.
func (s *replaySum) addGrowth(was, is replaySum) {
	s.calls += is.calls - was.calls
	s.replayed += is.replayed - was.replayed
	s.sameStatus += is.sameStatus - was.sameStatus
	s.same += is.same - was.same
	s.known += is.known - was.known
}

func (s *replaySum) add(t *testing.T, r callResult, version string, used map[knownDifference]bool) {
	t.Helper()
	s.calls++
	if r.skipped != "" {
		return
	}
	s.replayed++
	if r.status == r.call.Status {
		s.sameStatus++
	}
	switch unknown := unknownDifferences(r.differences, version, used); {
	case len(r.differences) == 0:
		s.same++
	case len(unknown) == 0:
		s.known++
	default:
		t.Errorf("%s: %s %s %s\n\t%s", r.story, r.call.Method, r.call.Path, r.call.Form, strings.Join(unknown, "\n\t"))
	}
}

// unknownDifferences are the differences that are not known. It notes the known ones in used.
func unknownDifferences(found []difference, version string, used map[knownDifference]bool) []string {
	var out []string
	for _, d := range found {
		known := false
		for _, k := range knownDifferences() {
			if k.covers(d.where, version) {
				known, used[k] = true, true
				break
			}
		}
		if !known {
			out = append(out, d.String())
		}
	}
	return out
}
