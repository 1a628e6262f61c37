package main

import (
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"usher/cmd/usher/scenario"
)

// scenarioPlans has a plan for each rule that a scenario needs.
const scenarioPlans = "PLANS_FILE=testdata/scenario-plans.toml"

func init() { largeOrganization = 150 }

// scenarioPages are the pages that every scenario has, as the admin of its organization.
var scenarioPages = []string{
	"/dashboard", "/organization?tab=billing", "/organization?tab=members", "/organization?tab=general",
	"/billing/invoices", "/billing/credits", "/organization?tab=activity",
}

// shownIn is what the page of each scenario shows, as patterns without case.
var shownIn = map[string][]string{
	"no-plan":            {`no plan|choose a plan|see the plans`},
	"trial-with-card":    {`trial`, `4242`},
	"trial-without-card": {`trial`, `no card`},
	"trial-ends-soon":    {`trial`},
	"incomplete":         {`payment (failed|not finished)|declined`},
	"first-payment-3ds":  {`confirm`},
	"checkout-open":      {`no plan`, `continue to payment`},

	"active":            {`active`, `4242`, `\$116\.00`},
	"yearly":            {`active`, `yearly`, `\$1,160\.00`},
	"invoiced":          {`active`, `to be paid|open|due`, `\$116\.00`},
	scenario.Year:       {scenario.YearTitle, `active`, `\b10\b`},
	"two-subscriptions": {`active`, `\$58\.00`, `\$116\.00`},

	"drift":                 {`\b9\b`, `slow down|\btry|retry`},
	"retrying":              {`\b5\b`, `slow down|\btry|retry`},
	"unsynced-while-paused": {`paused`, `\b5\b`},
	"invitations":           {`noor@invitations\.example`, `suspended`},
	"at-renewal":            {`active`, `\b4\b`, `\b3\b`},
	"cap":                   {`8 people`},
	"crowd":                 {`\b149\b`}, // one of 150 takes no seat
	"long-names":            {`Wolfeschlegelsteinhausenbergerdorff`, `Rhabarberbarbara`},
	"right-to-left":         {`ليلى حداد`, `דינה כהן`},

	"card-declined":      {`\$116\.00`, `declined`, `pay`},
	"insufficient-funds": {`\$116\.00`, `funds|money`},
	"card-expired":       {`\$116\.00`, `expired`},
	"renewal-3ds":        {`\$116\.00`, `confirm`},
	"no-access":          {`\$116\.00`, `access (has )?ended|no access`},
	"unpaid":             {`\$116\.00`, `stopped|unpaid|ended`},
	"paused":             {`paused`, `card`},
	"seats-declined":     {`\$19\.00`, `declined`},

	"downgrade":        {`starter`, `keep pro`},
	"canceling":        {`ends on|you keep`, `keep pro`},
	"canceled":         {`ended`, `\$116\.00`},
	"given-up":         {`ended`, `\$116\.00`},
	"deletion":         {`delet`},
	"customer-deleted": {`ended|no plan|choose a plan`},

	"refunded":          {`refunded`, `\$116\.00`},
	"partly-refunded":   {`refunded`, `\$38\.66`},
	"disputed":          {`disputed`},
	"credits-low":       {`\b30\b`, `season poster`},
	"credits-none":      {`\b0\b`, `season poster`},
	"pack-without-plan": {`\b500\b`},
}

// contradiction is a pair of statements of which at most one can be true. Add a line for each pair
// that was once seen together. The patterns are without case, and of the text of one page.
type contradiction struct{ one, other string }

var contradictions = []contradiction{
	{`(^|[^e] )payment (is |was )?confirmed`, `to be paid`}, // not "wants the payment confirmed"
	{`(^|[^e] )payment (is |was )?confirmed`, `first payment is not finished`},
	{`could not be collected`, `nothing is billed`},
	{`\bopen since\b`, `nothing is billed`},
	{`\bpayment due\b`, `nothing needs you`},
	{`\d disputed`, `nothing needs you`},
	{`organization will be deleted`, `nothing needs you`},
	{`first payment ·`, `since last`}, // it is not compared with a free trial
	{`could not be collected`, `nothing needs you`},
	{`payment failed`, `nothing is billed`},
	{`\bnot renewed\b|is not renewed`, `\brenews on\b`},
	{`\bends on\b`, `\brenews on\b`},
	{`has ended`, `\bactive\b`},
	{`no plan yet`, `next invoice|renews on`},
	{`no card on file`, `visa \d{4}`},
	{`in sync`, `trying again|payment needed|waiting for stripe`},
	{`no free seat|all seats are taken`, `\b[1-9]\d* free seats?\b`},
	{`\$0\.00 refunded`, `refunded in full`},
}

// saidOfParts are contradictions between parts of a page.
var saidOfParts = []struct {
	name  string
	holds func(page *goquery.Selection, text string) bool // true: they contradict
}{
	{"new credits on or after the day on which the plan ends", func(_ *goquery.Selection, text string) bool {
		ends, known := dateAfter(`ends on`, strings.ReplaceAll(text, "trial ends on", "trial until"))
		credits, promised := dateAfter(`new credits on`, text)
		return known && promised && !credits.Before(ends)
	}},
	{"a member with a paid seat where nothing is billed", func(page *goquery.Selection, text string) bool {
		if !regexp.MustCompile(`(?i)nothing is billed yet|no plan yet`).MatchString(text) {
			return false
		}
		priced := regexp.MustCompile(`(?i)\bbilled\s*\$\d`)
		return priced.MatchString(flatten(page.Find("table")))
	}},
	{"an invoice that is paid and still to be paid", func(page *goquery.Selection, _ string) bool {
		row := regexp.MustCompile(`(?i)\bpaid\b.*(to be paid|payment failed)|(to be paid|payment failed).*\bpaid \$0`)
		both := false
		page.Find("tbody tr").Each(func(_ int, tr *goquery.Selection) {
			both = both || row.MatchString(strings.ReplaceAll(strings.ToLower(flatten(tr)), "to be paid", "unpaid"))
		})
		return both
	}},
}

// dateAfter returns the date that follows a phrase, such as "ends on 28 Dec 2026".
func dateAfter(phrase, text string) (time.Time, bool) {
	found := regexp.MustCompile(`(?i)` + phrase + ` (\d{1,2} [A-Z][a-z]{2} \d{4})`).FindStringSubmatch(text)
	if found == nil {
		return time.Time{}, false
	}
	at, err := time.Parse("2 Jan 2006", found[1])
	return at, err == nil
}

var tags = regexp.MustCompile(`(?s)<svg.*?</svg>|<[^>]*>`)

// flatten returns the text of a part of a page, with a space between elements.
func flatten(part *goquery.Selection) string {
	markup, _ := part.Html()
	return strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(markup, " "))), " ")
}

// contradicts returns the contradictions of a page's main part.
func contradicts(main *goquery.Selection) []string {
	var found []string
	text := flatten(main)
	for _, c := range contradictions {
		one, other := regexp.MustCompile(`(?i)`+c.one).FindString(text), regexp.MustCompile(`(?i)`+c.other).FindString(text)
		if one != "" && other != "" {
			found = append(found, fmt.Sprintf("%q and %q", one, other))
		}
	}
	for _, part := range saidOfParts {
		if part.holds(main, text) {
			found = append(found, part.name)
		}
	}
	return found
}

// TestScenarios makes every scenario of the board side by side. Each page shows what the scenario's
// sentence says, and no page of any of them contradicts itself.
func TestScenarios(t *testing.T) {
	t.Parallel()
	server := startServer(t, scenarioPlans)
	registry := scenario.Registry()
	if len(registry) < 25 {
		t.Fatalf("%d scenarios", len(registry))
	}
	t.Run("retries that end in two ways", func(t *testing.T) {
		for _, name := range []string{"unpaid", "given-up"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				server.enter(t, name, "").expectPatterns(shownIn[name])
			})
		}
	})
	server.makeScenarios(t)
	for _, s := range registry {
		t.Run(s.Name, func(t *testing.T) {
			c := server.enter(t, s.Name, "")
			c.expectPatterns(shownIn[s.Name])
			for _, path := range scenarioPages {
				page := c.open(path)
				if page.status != 200 {
					t.Fatalf("%s: %d", path, page.status)
				}
				for _, found := range contradicts(page.page.Find("main")) {
					t.Errorf("%s says both: %s", path, found)
				}
			}
		})
	}
	server.enter(t, "active", "billing_admin").expectText("Billing")
	member := server.enter(t, "active", "member")
	if member.location.Path != "/dashboard" || member.page.Find(`a[href="/organization?tab=members"]`).Length() > 0 && strings.Contains(member.text("main"), "Invite") {
		t.Errorf("a member sees %s: %s", member.location, member.text("main"))
	}
}

// A first payment that the bank wants confirmed is finished on the page of its invoice.
func TestFirstPaymentIsFinished(t *testing.T) {
	t.Parallel()
	server := startServer(t, scenarioPlans)
	c := server.enter(t, "first-payment-3ds", "").open("/organization?tab=billing")
	c.openLink(`main a:contains("Finish the payment")`).openLink("a.button").pressButton("complete")
	eventually(t, "the plan", func() bool { return strings.Contains(c.open("/organization?tab=billing").text("main"), "Renews on") })
}

// TestContradictionsAreFound shows each pair to the check once.
func TestContradictionsAreFound(t *testing.T) {
	for _, page := range []string{
		"<main>Ends on 28 Dec 2026 · New credits on 28 Dec 2026</main>",
		"<main>Payment confirmed. To be paid $29.00</main>",
		"<main>$2,610.00 could not be collected. Nothing is billed yet.</main>",
		"<main>Nothing is billed yet.<table><tr><td>Ana</td><td>Billed $29 / month</td></tr></table></main>",
	} {
		doc, err := goquery.NewDocumentFromReader(strings.NewReader(page))
		if err != nil {
			t.Fatal(err)
		}
		if len(contradicts(doc.Find("main"))) == 0 {
			t.Errorf("nothing found in %s", page)
		}
	}
	fine := "<main>Ends on 28 Dec 2026 · New credits on 20 Dec 2026. Paid $29.00</main>"
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(fine))
	if err != nil {
		t.Fatal(err)
	}
	if found := contradicts(doc.Find("main")); len(found) > 0 {
		t.Errorf("%q in %s", found, fine)
	}
}

// makeScenarios presses "Make all" and waits until nothing is being made.
func (s *testServer) makeScenarios(t *testing.T) {
	t.Helper()
	c := s.client(t)
	c.open("/dev/scenarios").submit(`form[action="/dev/scenarios"]`)
	eventuallyWithin(t, 5*waitTimeout, "the scenarios", func() bool {
		return !strings.Contains(c.open("/dev/scenarios").text("main"), "Being made")
	})
	if c.page.Find(`#make-all`).Length() > 0 || strings.Contains(c.text("main"), "Not made") {
		t.Fatalf("not all are made: %s", c.text("main"))
	}
}

// enter opens a scenario on the board and returns its client on the page of the scenario.
func (s *testServer) enter(t *testing.T, name, role string) *client {
	t.Helper()
	c := s.client(t)
	for {
		response, err := c.http.PostForm(s.url+"/dev/scenarios/open", url.Values{"name": {name}, "as": {role}})
		c.load(response, err)
		if c.status != 200 {
			t.Fatalf("%s: %d: %s", name, c.status, c.text("main"))
		}
		if c.location.Path != "/dev/scenarios" {
			return c
		}
	}
}

// expectPatterns reads the page again until it shows all patterns: a retry that is being made says
// something else for a moment.
func (c *client) expectPatterns(patterns []string) {
	c.t.Helper()
	if len(patterns) == 0 {
		c.t.Fatal("say in shownIn what the page shows")
	}
	for deadline := time.Now().Add(waitTimeout); ; {
		text := flatten(c.page.Find("body"))
		missing := slices.DeleteFunc(slices.Clone(patterns), func(p string) bool { return regexp.MustCompile(`(?i)` + p).MatchString(text) })
		if len(missing) == 0 {
			return
		}
		if time.Now().After(deadline) {
			c.t.Errorf("%s does not show %q: %s", c.location, missing, text)
			return
		}
		time.Sleep(100 * time.Millisecond) // polling interval
		c.open(c.location.RequestURI())
	}
}

// TestDemoHistory starts the demo as on a first start. Until the year is made its accounts log in
// to the organization without a plan, then to the one with the year.
func TestDemoHistory(t *testing.T) {
	t.Parallel()
	server := startServer(t, "DEMO_HISTORY=on")
	c := server.client(t).logIn("admin@usher.example").expectText(demoOrganization)
	if first := c.summary(); first.Subscription != nil {
		t.Errorf("the first organization has a plan: %+v", first)
	}
	history := fmt.Sprintf(`form[action="/organization/switch"]:has(button:contains(%q))`, scenario.YearTitle)
	eventuallyWithin(t, 3*waitTimeout, "the year", func() bool { return c.open("/dashboard").page.Find(history).Length() == 1 })
	c.submit(history).open("/billing/invoices")
	numbers := map[string]bool{}
	for _, number := range regexp.MustCompile(`\b[0-9A-Z]{8}-\d{4}\b`).FindAllString(flatten(c.page.Find("main")), -1) {
		numbers[number] = true
	}
	if len(numbers) != 13 {
		t.Errorf("%d invoices: %s", len(numbers), c.text("main"))
	}
	if why := c.text("main"); strings.Contains(why, "Seats adjusted") || !strings.Contains(why, "Kofi Mensah added") {
		t.Errorf("invoices do not name the people: %s", why)
	}
	began := time.Now().UTC().AddDate(-1, 0, -6).Format("Jan 2006")
	for path, shown := range map[string][]string{
		"/organization?tab=activity": {began, "Fumiko Tanabe", "Ilse Brandt", "Mina Rossi"}, "/billing/credits": {began, "season poster", "640"},
	} {
		c.open(path).expectPatterns(shown)
	}
	server.client(t).logIn("member@usher.example").open("/dashboard").expectText(scenario.YearTitle)
}
