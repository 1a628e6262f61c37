package wire

import (
	"strings"
	"testing"
	"time"
)

func TestDecodeForm(t *testing.T) {
	cases := []struct{ name, raw, want string }{
		{"scalars", "a=1&b=x+y%26z", "a=1 b=x y&z"},
		{"indexed list", "items[1][price]=p2&items[0][price]=p1&items[0][quantity]=3", "items.0.price=p1 items.0.quantity=3 items.1.price=p2"},
		{"pushed scalars", "expand[]=a&expand[]=b", "expand.0=a expand.1=b"},
		{"pushed sets", "items[][price]=p1&items[][quantity]=2&items[][price]=p2", "items.0.price=p1 items.0.quantity=2 items.1.price=p2"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n, err := DecodeForm(c.raw)
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
	n, err := DecodeForm("metadata[7]=x&metadata[a]=")
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]string{"a": "1", "b": "2"}
	NewParams(n).SetMetadata(&kept)
	if len(kept) != 2 || kept["7"] != "x" || kept["b"] != "2" {
		t.Errorf("merged to %v", kept)
	}
}

func flat(n *Value, path string) []string {
	if n.isScalar {
		return []string{path + "=" + n.scalar}
	}
	var out []string
	children := n.Elements()
	for _, key := range n.keys {
		if !n.IsList() {
			out = append(out, flat(n.children[key], strings.TrimPrefix(path+"."+key, "."))...)
		}
	}
	for i, e := range children {
		if n.IsList() {
			out = append(out, flat(e, path+"."+string(rune('0'+i)))...)
		}
	}
	return out
}

func TestSchemaCheck(t *testing.T) {
	sh, err := ParseSchema("name! quantity:int on:bool mode:a|b items[]{id!}! cancel_at:time? metadata:map? created:range product|{name!}")
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
		{ok + "&product=prod_1", "", ""},
		{ok + "&product[name]=x", "", ""},
		{ok + "&product[label]=x", "parameter_unknown", "product[label]"},
	}
	for _, c := range cases {
		n, e := DecodeForm(c.raw)
		if e == nil {
			e = sh.Check(n)
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
	type recurrence struct {
		interval string
		count    int64
	}
	monthly, yearly := recurrence{"month", 1}, recurrence{"year", 1}
	cases := []struct {
		every                recurrence
		anchor, moment, want string
	}{
		{monthly, "2026-01-31 10:00", "2026-01-31 10:00", "2026-02-28 10:00"},
		{monthly, "2026-01-31 10:00", "2026-02-28 10:00", "2026-03-31 10:00"},
		{monthly, "2026-01-31 10:00", "2027-11-30 10:00", "2027-12-31 10:00"},
		{monthly, "2028-01-30 00:00", "2028-02-01 00:00", "2028-02-29 00:00"},
		{yearly, "2028-02-29 00:00", "2028-02-29 00:00", "2029-02-28 00:00"},
		{yearly, "2028-02-29 00:00", "2031-06-01 00:00", "2032-02-29 00:00"},
		{recurrence{"week", 2}, "2026-03-01 00:00", "2026-03-10 00:00", "2026-03-15 00:00"},
		{monthly, "2026-05-01 00:00", "2026-04-17 00:00", "2026-05-01 00:00"},
	}
	for _, c := range cases {
		if got := PeriodAfter(at(c.anchor), c.every.interval, c.every.count, at(c.moment)); got != at(c.want) {
			t.Errorf("every %d %s from %s, after %s: %s, want %s", c.every.count, c.every.interval, c.anchor, c.moment, time.Unix(got, 0).UTC(), c.want)
		}
	}
}

func TestPreviousAttributesShowOnlyWhatChanged(t *testing.T) {
	before := Object{"id": "x", "status": "active", "deep": Object{"a": 1, "b": 2}, "list": []any{1}, "same": nil, "more": Expandable(nil)}
	after := Object{"id": "x", "status": "canceled", "deep": Object{"a": 1, "b": 3}, "list": []any{1, 2}, "same": nil, "more": Expandable(nil)}
	if got, want := string(Encode(PreviousAttributes(before, after))), `{"deep":{"b":2},"list":[1],"status":"active"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
