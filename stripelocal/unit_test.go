package stripelocal

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestFormBecomesATree(t *testing.T) {
	cases := []struct{ name, raw, want string }{
		{"scalars", "a=1&b=x+y%26z", "a=1 b=x y&z"},
		{"indexed list", "items[1][price]=p2&items[0][price]=p1&items[0][quantity]=3", "items.0.price=p1 items.0.quantity=3 items.1.price=p2"},
		{"pushed scalars", "expand[]=a&expand[]=b", "expand.0=a expand.1=b"},
		{"pushed sets", "items[][price]=p1&items[][quantity]=2&items[][price]=p2", "items.0.price=p1 items.0.quantity=2 items.1.price=p2"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n, err := decodeForm(c.raw)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(flat(n, ""), " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestMetadataKeysMayBeNumbers(t *testing.T) {
	n, err := decodeForm("metadata[7]=x&metadata[a]=")
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]string{"a": "1", "b": "2"}
	newParams(n).setMetadata(&kept)
	if len(kept) != 2 || kept["7"] != "x" || kept["b"] != "2" {
		t.Errorf("merged to %v", kept)
	}
}

func flat(n *node, path string) []string {
	if n.isScalar {
		return []string{path + "=" + n.scalar}
	}
	var out []string
	children := n.elements()
	for _, key := range n.keys {
		if !n.isList() {
			out = append(out, flat(n.children[key], strings.TrimPrefix(path+"."+key, "."))...)
		}
	}
	for i, e := range children {
		if n.isList() {
			out = append(out, flat(e, path+"."+string(rune('0'+i)))...)
		}
	}
	return out
}

func TestParametersAreChecked(t *testing.T) {
	sh, err := parseShape("name! quantity:int on:bool mode:a|b items[]{id!}! cancel_at:time? metadata:map? created:range")
	if err != nil {
		t.Fatal(err)
	}
	ok := "name=x&items[0][id]=1"
	cases := []struct{ raw, code, param string }{
		{ok, "", ""},
		{ok + "&created[gte]=5&metadata[a]=&cancel_at=", "", ""},
		{"items[0][id]=1", "parameter_missing", "name"},
		{"name=x", "parameter_missing", "items"},
		{"name=x&items[0][x]=1", "parameter_unknown", "items[0][x]"},
		{ok + "&nope=1", "parameter_unknown", "nope"},
		{ok + "&quantity=many", "parameter_invalid_integer", "quantity"},
		{ok + "&quantity=", "parameter_invalid_empty", "quantity"},
		{ok + "&on=yes", "-", "on"},
		{ok + "&mode=c", "-", "mode"},
		{ok + "&created[near]=5", "parameter_unknown", "created[near]"},
		{ok + "&name[x]=5", "-", "name[x]"},
		{ok + "&metadata[a][b]=5", "-", "metadata[a]"},
	}
	for _, c := range cases {
		n, e := decodeForm(c.raw)
		if e == nil {
			e = sh.check(n)
		}
		switch {
		case e == nil && c.code != "":
			t.Errorf("%s passes", c.raw)
		case e != nil && (c.code == "" || e.Param != c.param || c.code != "-" && e.Code != c.code):
			t.Errorf("%s: %s %s %q, want %s %s", c.raw, e.Code, e.Param, e.Message, c.code, c.param)
		}
	}
}

func TestPeriodsAreCountedFromTheAnchor(t *testing.T) {
	at := func(s string) int64 {
		x, err := time.Parse("2006-01-02 15:04", s)
		if err != nil {
			t.Fatal(err)
		}
		return x.Unix()
	}
	monthly, yearly := &Price{Interval: "month", IntervalCount: 1}, &Price{Interval: "year", IntervalCount: 1}
	cases := []struct {
		price                *Price
		anchor, moment, want string
	}{
		{monthly, "2026-01-31 10:00", "2026-01-31 10:00", "2026-02-28 10:00"},
		{monthly, "2026-01-31 10:00", "2026-02-28 10:00", "2026-03-31 10:00"},
		{monthly, "2026-01-31 10:00", "2027-11-30 10:00", "2027-12-31 10:00"},
		{monthly, "2028-01-30 00:00", "2028-02-01 00:00", "2028-02-29 00:00"},
		{yearly, "2028-02-29 00:00", "2028-02-29 00:00", "2029-02-28 00:00"},
		{yearly, "2028-02-29 00:00", "2031-06-01 00:00", "2032-02-29 00:00"},
		{&Price{Interval: "week", IntervalCount: 2}, "2026-03-01 00:00", "2026-03-10 00:00", "2026-03-15 00:00"},
		{monthly, "2026-05-01 00:00", "2026-04-17 00:00", "2026-05-01 00:00"},
	}
	for _, c := range cases {
		if got := periodAfter(at(c.anchor), c.price.Interval, c.price.IntervalCount, at(c.moment)); got != at(c.want) {
			t.Errorf("every %d %s from %s, after %s: %s, want %s", c.price.IntervalCount, c.price.Interval, c.anchor, c.moment, time.Unix(got, 0).UTC(), c.want)
		}
	}
}

func TestSharesAreRoundedToTheMinorUnit(t *testing.T) {
	sub := &Subscription{CurrentPeriodStart: 0, CurrentPeriodEnd: 30 * 86400}
	for _, c := range []struct{ day, amount, want int64 }{
		{0, 1000, 1000}, {30, 1000, 0}, {15, 1000, 500}, {20, 2000, 667}, {20, 1000, 333}, {15, 1, 1}, {15, 3, 2},
	} {
		if got := share(sub, c.day*86400, c.amount); got != c.want {
			t.Errorf("after %d of 30 days of %d: %d, want %d", c.day, c.amount, got, c.want)
		}
	}
}

func TestPreviousAttributesShowOnlyWhatChanged(t *testing.T) {
	before := object{"id": "x", "status": "active", "deep": object{"a": 1, "b": 2}, "list": []any{1}, "same": nil, "more": hidden(nil)}
	after := object{"id": "x", "status": "canceled", "deep": object{"a": 1, "b": 3}, "list": []any{1, 2}, "same": nil, "more": hidden(nil)}
	if got, want := string(encode(changes(before, after))), `{"deep":{"b":2},"list":[1],"status":"active"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEventsComeInTheOrderAskedFor(t *testing.T) {
	var events []*Event
	for _, kind := range []string{"a", "b", "x", "a", "z", "done"} {
		events = append(events, &Event{Type: kind})
	}
	got := ""
	for _, e := range reorder(events, []string{"z", "a", "b", "a", "done"}) {
		got += e.Type + " "
	}
	if want := "z a b a x done "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPagesAllowOnlyTheirOwnStyle(t *testing.T) {
	s, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/c/pay/cs_no", nil))
	_, rest, _ := strings.Cut(w.Body.String(), "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	if policy := w.Header().Get("Content-Security-Policy"); len(style) == 0 || !strings.Contains(policy, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
		t.Errorf("the policy %q does not name the style of %d bytes", policy, len(style))
	}
	if w.Code != 404 || strings.Contains(w.Body.String(), "<script") {
		t.Errorf("status %d", w.Code)
	}
}

func TestNewerEndpointsGetTheNewerShape(t *testing.T) {
	sub := []byte(`{"object":"subscription","current_period_start":1,"current_period_end":2,"items":{"data":[{"id":"si_1"}]}}`)
	if got, want := string(reshape(sub, "2025-03-31.basil")), `{"items":{"data":[{"current_period_end":2,"current_period_start":1,"id":"si_1"}]},"object":"subscription"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := string(reshape(sub, APIVersion)); got != string(sub) {
		t.Errorf("our own version was changed to %s", got)
	}
}
