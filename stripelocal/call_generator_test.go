package stripelocal

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"usher/stripelocal/wire"
)

// CallGenerator generates random API calls from the routes' parameter schemas and from the ids in
// earlier responses. Most calls are valid, some are not. The sequence depends on the seed only.
type CallGenerator struct {
	random   *rand.Rand
	routes   []generatedRoute
	knownIDs map[string][]string // ids by object type
	now      int64
}

type generatedRoute struct {
	kind, method, path string
	params             *wire.Schema
}

// generatedRoutes are the routes of APIVersion.
var generatedRoutes = sync.OnceValue(func() (routes []generatedRoute) {
	for _, r := range resources() {
		for _, rt := range r.routes {
			if !HasRoute(rt.pattern, APIVersion) {
				continue
			}
			method, path, _ := strings.Cut(rt.pattern, " ")
			routes = append(routes, generatedRoute{r.objectType, method, path, tables().routes[rt.pattern].schema})
		}
	}
	return routes
})

// NewCallGenerator returns a generator of the calls of APIVersion, with times close to now.
func NewCallGenerator(seed uint64, now int64) *CallGenerator {
	return &CallGenerator{random: rand.New(rand.NewPCG(seed, seed)), knownIDs: map[string][]string{}, now: now, routes: generatedRoutes()}
}

// Routes is the number of routes.
func (w *CallGenerator) Routes() int { return len(w.routes) }

// Next returns the method, path and form of the next call.
func (w *CallGenerator) Next() (method, path, form string) {
	return w.Call(w.random.IntN(len(w.routes)))
}

// Call generates a call of one route.
func (w *CallGenerator) Call(n int) (method, path, form string) {
	rt := w.routes[n%len(w.routes)]
	out := url.Values{}
	w.fill(out, rt.params, "")
	return rt.method, w.path(rt), out.Encode()
}

var pathParameter = regexp.MustCompile(`\{[a-z_]+\}`)

func (w *CallGenerator) path(rt generatedRoute) string {
	kinds := regexp.MustCompile(`/([a-z_]+)/\{`).FindAllStringSubmatch(rt.path, -1)
	n := -1
	return pathParameter.ReplaceAllStringFunc(rt.path, func(string) string {
		n++
		return w.id(strings.TrimSuffix(kinds[n][1], "s"))
	})
}

// id returns a known id of an object type, and rarely an id of another type or an unknown one.
func (w *CallGenerator) id(kind string) string {
	if w.oneIn(80) {
		return [...]string{"no_such", "cus_", "ü", "a..b", "0"}[w.random.IntN(5)]
	}
	if ids := w.knownIDs[kind]; len(ids) > 0 {
		return ids[w.random.IntN(len(ids))]
	}
	switch kind {
	case "payment_method", "default_payment_method":
		return w.card()
	}
	return "none_yet"
}

func (w *CallGenerator) card() string {
	cards := testCards()
	return "pm_card_" + cards[w.random.IntN(len(cards))].token
}

func (w *CallGenerator) oneIn(in int) bool { return w.random.IntN(in) == 0 }

var answeredID = regexp.MustCompile(`"id":"([^"]+)","object":"([a-z_.]+)"`)

// Learn records the ids in a response.
func (w *CallGenerator) Learn(body string) {
	for _, m := range answeredID.FindAllStringSubmatch(body, -1) {
		kind := m[2][strings.LastIndexByte(m[2], '.')+1:]
		if ids := w.knownIDs[kind]; !slices.Contains(ids, m[1]) {
			w.knownIDs[kind] = append(ids[max(0, len(ids)-30):], m[1])
		}
	}
}

func (w *CallGenerator) fill(out url.Values, sh *wire.Schema, prefix string) {
	for _, name := range sh.Order {
		field := sh.Fields[name]
		if field.Kind == "any" || !field.Required && !w.oneIn(8) {
			continue
		}
		full := name
		if prefix != "" {
			full = prefix + "[" + name + "]"
		}
		w.field(out, field, full)
	}
}

func (w *CallGenerator) field(out url.Values, f *wire.Schema, name string) {
	if f.Clearable && w.oneIn(8) || w.oneIn(200) {
		out.Set(name, "")
		return
	}
	if !f.List {
		w.single(out, f, name)
		return
	}
	for i := range 1 + w.random.IntN(2) {
		w.single(out, f, name+"["+strconv.Itoa(i)+"]")
	}
}

func (w *CallGenerator) single(out url.Values, f *wire.Schema, name string) {
	switch f.Kind {
	case "hash":
		w.fill(out, f, name)
	case "map":
		out.Set(name+"["+[...]string{"orgId", "a", "7", "x[y"}[w.random.IntN(4)]+"]", [...]string{"org_1", "", "ü", "2"}[w.random.IntN(4)])
	case "any":
		out.Set(name, "x")
	default:
		out.Set(name, w.scalar(f))
	}
}

func (w *CallGenerator) scalar(f *wire.Schema) string {
	switch f.Kind {
	case "int":
		return strconv.Itoa([...]int{0, 1, 2, 3, 5, 12, 50, 1000, 999, -1}[w.random.IntN(10)])
	case "time", "range":
		return strconv.FormatInt(w.now+int64(w.random.IntN(90)-10)*86400, 10)
	case "when":
		return [...]string{"now", strconv.FormatInt(w.now+int64(w.random.IntN(60))*86400, 10)}[w.random.IntN(2)]
	case "bool":
		return strconv.FormatBool(w.oneIn(2))
	case "decimal":
		return [...]string{"0.5", "10", "1.25", "33.3333"}[w.random.IntN(4)]
	case "enum":
		return f.Choices[w.random.IntN(len(f.Choices))]
	}
	return w.text(f.Name)
}

// text returns a string for a parameter name.
func (w *CallGenerator) text(name string) string {
	switch name {
	case "currency":
		return [...]string{"usd", "usd", "usd", "usd", "jpy", "kwd"}[w.random.IntN(6)]
	case "email", "receipt_email":
		return fmt.Sprintf("p%d@example.com", w.random.IntN(20))
	case "url", "success_url", "cancel_url", "return_url":
		return "https://app.test/x"
	case "starting_after", "ending_before", "id":
		return w.anyID()
	case "payment_method", "default_payment_method":
		if w.oneIn(2) {
			return w.card()
		}
		return w.id("payment_method")
	case "token", "source":
		return "tok_visa"
	case "type":
		return "card"
	case "number":
		return "4242424242424242"
	case "from_subscription":
		return w.id("subscription")
	case "expand":
		return [...]string{"customer", "data.customer", "latest_invoice.payment_intent", "items.data.price.product", "nothing", "a.b.c.d.e.f", ""}[w.random.IntN(7)]
	}
	if len(w.knownIDs[name]) > 0 {
		return w.id(name)
	}
	return [...]string{"x", "Ada", "ü & <b>", strings.Repeat("y", 300)}[w.random.IntN(4)]
}

func (w *CallGenerator) anyID() string {
	kinds := make([]string, 0, len(w.knownIDs))
	for kind := range w.knownIDs {
		kinds = append(kinds, kind)
	}
	if len(kinds) == 0 {
		return "none_yet"
	}
	slices.Sort(kinds)
	return w.id(kinds[w.random.IntN(len(kinds))])
}
