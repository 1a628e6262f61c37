package account

import (
	"fmt"
	"strings"
	"testing"
)

// TestSetOf compares the members externalId:address (a star: has joined) with described ones.
func TestSetOf(t *testing.T) {
	for _, c := range []struct{ name, present, described, added, changed, removed string }{
		{"nothing changes", "1:a 2:b*", "1:a 2:b", "", "", ""},
		{"no externalId is kept", "1:a 2:b*", ":a :b", "", "", ""},
		{"known by address", ":a* :b", "1:a 2:B", "", "1:a 2:B", ""},
		{"another address", "1:a", "1:b", "", "1:b", ""},
		{"another address of one who has joined", "1:a*", "1:b", "1:b", "", "1:a"},
		{"addresses are swapped", "1:a 2:b", "1:b 2:a", "", "1:b 2:a", ""},
		{"externalId comes first", "1:a 2:b", "1:b", "", "1:b", "2:b"},
		{"another externalId for an address", "1:a", "2:a", "", "2:a", ""},
		{"the address of one who is known by externalId", "1:a 2:b", "2:a 3:b", "3:b", "2:a", "1:a"},
		{"one who has joined comes first", ":a 1:a*", ":a", "", "", ":a"},
		{"who is not named goes", "1:a 2:b* :c", "", "", "", "1:a 2:b :c"},
	} {
		var described []describedMember
		for _, m := range members(c.described) {
			described = append(described, describedMember{MemberSpec: MemberSpec{ExternalID: m.ExternalID, Email: m.Email}})
		}
		set := setOf(members(c.present), described)
		added, changed := []Member(nil), []Member(nil)
		for _, d := range set.added {
			added = append(added, Member{ExternalID: d.ExternalID, Email: d.Email})
		}
		for _, pair := range set.changed {
			changed = append(changed, pair.after)
		}
		got, want := fmt.Sprint(text(added), "|", text(changed), "|", text(set.removed)), fmt.Sprint(c.added, "|", c.changed, "|", c.removed)
		if got != want {
			t.Errorf("%s: %s, want %s", c.name, got, want)
		}
	}
}

func members(list string) (all []Member) {
	for i, word := range strings.Fields(list) {
		id, address, _ := strings.Cut(word, ":")
		name, joined := strings.CutSuffix(address, "*")
		all = append(all, Member{
			ID: fmt.Sprint("mem_", i), ExternalID: id, Email: name, ManagedEmail: name, Provisional: !joined,
		})
	}
	return all
}

func text(members []Member) string {
	words := make([]string, len(members))
	for i, m := range members {
		words[i] = m.ExternalID + ":" + m.Email
	}
	return strings.Join(words, " ")
}
