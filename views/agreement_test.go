package views_test

import (
	"regexp"
	"strings"
	"testing"

	"usher/views/gallery"
	"usher/views/viewtest"
)

// contradictions are pairs of statements of which a page may make one.
var contradictions = []struct{ says, not string }{
	{`[Pp]ayment is confirmed`, `To be paid|Payment failed|could not be collected`},
	{`could not be collected on`, `[Nn]othing is billed|[Nn]othing is charged|Nothing (more )?to pay|Nothing needs you|Billing starts`},
	{`An invoice of it is still open`, `is not charged any more|Nothing (more )?to pay`},
	{`Ends on`, `New credits on|new credits on|Renews on|then the first payment`},
	{`Ends on`, `until new ones arrive`},
	{`is not renewed`, `Renews on`},
	{`Payment received`, `To be paid|Payment due|Payment failed`},
	{`No plan yet`, `Renews on|Next invoice`},
	{`Nothing needs you`, `Payment due|Confirm payment`},
	{`there is no card on file`, `then the first payment|The first payment follows then`},
}

// TestPagesDoNotContradictThemselves: no page in any state says two things that cannot both be
// true.
func TestPagesDoNotContradictThemselves(t *testing.T) {
	made := map[string]int{}
	for _, specimen := range gallery.Specimens() {
		if !strings.HasPrefix(specimen.Name, "billing-") && !strings.HasPrefix(specimen.Name, "dashboard") && !strings.HasPrefix(specimen.Name, "seats-") && !strings.HasPrefix(specimen.Name, "credits") {
			continue
		}
		text := viewtest.Text(viewtest.Render(t, specimen.Page).Find("#content"))
		for _, pair := range contradictions {
			if !regexp.MustCompile(pair.says).MatchString(text) {
				continue
			}
			made[pair.says]++
			if other := regexp.MustCompile(pair.not).FindString(text); other != "" {
				t.Errorf("%s says %q and %q: %s", specimen.Name, pair.says, other, text)
			}
		}
	}
	for _, pair := range contradictions {
		if made[pair.says] == 0 {
			t.Errorf("no page says %q, so that the pair tests nothing", pair.says)
		}
	}
}
