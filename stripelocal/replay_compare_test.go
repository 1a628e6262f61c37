package stripelocal_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"sort"
	"strings"
)

// difference is where the server's response differs from the recorded one. where is the field's
// path from the nearest named object, such as invoice.lines.
type difference struct {
	where    string
	recorded string
	local    string
}

func (d difference) String() string {
	return fmt.Sprintf("%s: recorded %s, here %s", d.where, d.recorded, d.local)
}

// Values of a field that is missing on one side.
const absent = "(absent)"

// comparison compares one response with a recorded one.
type comparison struct {
	player  *player
	version string
	partial bool // the recorded response is reduced: fields only here are no difference
	at      int64
	status  int
	found   []difference
}

// call compares the status first: responses with different ones have nothing else in common.
func (c *comparison) call(recorded recordedCall, status int, local map[string]any) []difference {
	if recorded.Status != status {
		return []difference{{"status", fmt.Sprint(recorded.Status), fmt.Sprintf("%d %v", status, local["error"])}}
	}
	c.object(recorded.Response, local, "")
	return c.found
}

func (c *comparison) report(where, recorded, local string) {
	c.found = append(c.found, difference{strings.TrimPrefix(where, "."), recorded, local})
}

func (c *comparison) object(recorded, local map[string]any, where string) {
	if kind, ok := local["object"].(string); ok && kind != "list" {
		where = kind
	}
	for _, name := range sortedNames(recorded, local) {
		was, recordedHas := recorded[name]
		is, localHas := local[name]
		at := where + "." + name
		switch {
		case ignoredField(at):
		case !recordedHas && c.partial:
		case !recordedHas:
			c.report(at, absent, brief(is))
		case !localHas:
			c.report(at, brief(was), absent)
		default:
			c.value(was, is, at)
		}
	}
}

func sortedNames(maps ...map[string]any) []string {
	seen := map[string]bool{}
	for _, m := range maps {
		for name := range m {
			seen[name] = true
		}
	}
	out := make([]string, 0, len(seen))
	for name := range seen {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

func (c *comparison) value(recorded, local any, where string) {
	switch was := recorded.(type) {
	case map[string]any:
		if is, ok := local.(map[string]any); ok {
			c.object(was, is, where)
			return
		}
	case []any:
		if is, ok := local.([]any); ok {
			c.list(was, is, where)
			return
		}
	default:
		if c.sameScalar(recorded, local, where) {
			return
		}
	}
	c.report(where, brief(recorded), brief(local))
}

func (c *comparison) list(recorded, local []any, where string) {
	if len(recorded) != len(local) {
		c.report(where, fmt.Sprintf("%d elements %s", len(recorded), brief(recorded)), fmt.Sprintf("%d %s", len(local), brief(local)))
		return
	}
	for i := range recorded {
		c.value(recorded[i], local[i], where)
	}
}

// clockTolerance is how many seconds a call may have taken at Stripe: times of the recorded
// response lie that long before the end of the call.
const clockTolerance = 30

func (c *comparison) sameScalar(recorded, local any, where string) bool {
	if recorded == nil || local == nil {
		return recorded == nil && local == nil
	}
	was, is := fmt.Sprint(recorded), fmt.Sprint(local)
	_, number := recorded.(json.Number)
	switch {
	case was == is:
		if isID(was) {
			c.player.learn(was, is)
		}
		return true
	case number && isTime(was):
		return near(was, is)
	case madeUp(where):
		return true
	case isID(was) && prefixOf(was) == prefixOf(is):
		return c.player.learn(was, is)
	}
	return sameText(was, c.player.translateText(was), is)
}

// sameText compares texts that may contain ids and dates.
func sameText(was, translated, is string) bool { return translated == is || was == is }

var wordWithID = regexp.MustCompile(`[a-z]+_[A-Za-z0-9_]{8,}`)

// translateText replaces recorded ids in a text.
func (p *player) translateText(text string) string {
	return wordWithID.ReplaceAllStringFunc(text, func(id string) string {
		if to, ok := p.local[id]; ok {
			return to
		}
		return id
	})
}

func prefixOf(id string) string {
	at := strings.LastIndexByte(id, '_')
	if at < 0 {
		return ""
	}
	return id[:at]
}

// isTime reports whether a number looks like unix seconds of the years of the recordings.
func isTime(s string) bool { return len(s) == 10 && s > "1500000000" && s < "2100000000" }

func near(was, is string) bool {
	var x, y int64
	if _, err := fmt.Sscan(was, &x); err != nil {
		return false
	}
	if _, err := fmt.Sscan(is, &y); err != nil {
		return false
	}
	return max(x-y, y-x) <= clockTolerance
}

func brief(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(raw) > 160 {
		return string(raw[:160]) + "…"
	}
	return string(raw)
}
