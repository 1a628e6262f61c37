package ui

import (
	"testing"
)

func TestSeparator(t *testing.T) {
	for _, c := range []struct {
		names []string
		want  string
	}{{[]string{"A"}, "A."}, {[]string{"A", "B"}, "A and B."}, {[]string{"A", "B", "C"}, "A, B and C."}} {
		got := ""
		for i, name := range c.names {
			got += name + Separator(i, len(c.names), " and ", ".")
		}
		if got != c.want {
			t.Errorf("%v: %q, want %q", c.names, got, c.want)
		}
	}
}
