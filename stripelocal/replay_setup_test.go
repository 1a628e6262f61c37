package stripelocal_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// setupCall makes an object that a story's account had before. ID is the recorded id that it stands
// for, if Stripe made that up.
type setupCall struct {
	Path string `json:"path"`
	Form string `json:"form"`
	ID   string `json:"id,omitempty"`
	At   int64  `json:"at"`
}

// setup finds what a story's account had before: prices, coupons, customers and cards that the
// story names and that its responses show.
type setup struct {
	story recordedStory
	shown map[string]map[string]any
	made  map[string]bool
	calls []setupCall
}

func setupOf(s recordedStory) []setupCall {
	before := &setup{story: s, shown: shownObjects(s), made: map[string]bool{}}
	named := namedBefore(s)
	for _, kind := range []string{"customer", "", "payment_method"} { // cards belong to customers
		for _, id := range named {
			o := before.shown[id]
			if is := fmt.Sprint(o["object"]); is == kind || kind == "" && is != "customer" && is != "payment_method" {
				before.add(id, o)
			}
		}
	}
	return before.calls
}

func (b *setup) add(id string, o map[string]any) {
	switch {
	case o == nil:
		b.standIn(id)
	case o["object"] == "plan":
		b.plan(o)
	case o["object"] == "price":
		b.price(o)
	case o["object"] == "coupon":
		b.create("/v1/coupons", formOf(o, "id", "amount_off", "percent_off", "currency", "duration", "duration_in_months", "name"), o)
	case o["object"] == "customer":
		b.create("/v1/customers", url.Values{"email": {"ada@example.com"}, "name": {"Ada"}}, o)
	case o["object"] == "payment_method":
		b.card(o)
	}
}

func formOf(o map[string]any, names ...string) url.Values {
	form := url.Values{}
	for _, name := range names {
		if o[name] != nil {
			form.Set(name, fmt.Sprint(o[name]))
		}
	}
	return form
}

// create adds a call at the time that the recorded object was made.
func (b *setup) create(path string, form url.Values, o map[string]any) {
	call := setupCall{Path: path, Form: form.Encode(), At: b.story.Calls[0].At}
	if at, ok := o["created"].(json.Number); ok {
		if seconds, err := at.Int64(); err == nil {
			call.At = seconds
		}
	}
	if recorded, ok := o["id"].(string); ok && isID(recorded) {
		call.ID, b.made[recorded] = recorded, true
	}
	b.calls = append(b.calls, call)
}

// standIn makes an object that a recorded error names and is not about. Nothing else is known of
// it.
func (b *setup) standIn(id string) {
	last := b.story.Calls[len(b.story.Calls)-1]
	message, o := fmt.Sprint(last.Response["error"]), map[string]any{"id": id}
	if last.Status < 300 || strings.Contains(message, "'"+id+"'") || strings.HasSuffix(message, ": "+id) {
		return
	}
	if strings.Contains(last.Form, "plan%5D="+id) || strings.Contains(last.Form, "plan="+id) {
		b.create("/v1/plans", url.Values{"id": {id}, "product[name]": {"Product"}, "currency": {"usd"}, "amount": {"1000"}, "interval": {"month"}}, nil)
		return
	}
	kind, _, _ := strings.Cut(id, "_")
	if len(b.story.Calls) > 1 || !isID(id) {
		return
	}
	switch kind {
	case "cus":
		b.create("/v1/customers", url.Values{}, o)
	case "price":
		form := url.Values{"product_data[name]": {"Product"}, "currency": {"usd"}, "unit_amount": {"1000"}}
		if !strings.Contains(message, "type=one_time") {
			form.Set("recurring[interval]", "month")
		}
		b.create("/v1/prices", form, o)
	case "prod":
		b.create("/v1/products", url.Values{"name": {"Product"}}, o)
		b.create("/v1/prices", url.Values{"product": {id}, "currency": {"usd"}, "unit_amount": {"1000"}}, nil)
	}
}

// product adds the product of a price once.
func (b *setup) product(o map[string]any) string {
	id := fmt.Sprint(o["product"])
	if inner, ok := o["product"].(map[string]any); ok {
		id = fmt.Sprint(inner["id"])
	}
	if !b.made[id] {
		b.made[id] = true
		name, label := b.described(id)
		form := url.Values{"id": {id}, "name": {name}}
		if label != "" {
			form.Set("unit_label", label)
		}
		b.create("/v1/products", form, map[string]any{"id": id})
	}
	return id
}

// plan adds a plan, whose price may have a tax_behavior.
func (b *setup) plan(o map[string]any) {
	form := formOf(o, "id", "amount", "currency", "interval", "interval_count", "nickname", "trial_period_days", "usage_type")
	form.Set("product", b.product(o))
	b.create("/v1/plans", form, o)
	for _, shown := range b.shown {
		if price, ok := shown["price"].(map[string]any); ok && price["id"] == o["id"] && price["tax_behavior"] != nil {
			b.create("/v1/prices/"+fmt.Sprint(o["id"]), formOf(price, "tax_behavior"), nil)
			return
		}
	}
}

func (b *setup) price(o map[string]any) {
	form := formOf(o, "unit_amount", "currency", "nickname", "tax_behavior")
	form.Set("product", b.product(o))
	if recurring, ok := o["recurring"].(map[string]any); ok {
		form.Set("recurring[interval]", fmt.Sprint(recurring["interval"]))
	}
	b.create("/v1/prices", form, o)
}

// card adds a payment method of a recorded card, attached as it was.
func (b *setup) card(o map[string]any) {
	card, ok := o["card"].(map[string]any)
	if owner, attached := o["customer"].(string); ok && attached && b.made[owner] {
		b.create("/v1/payment_methods/pm_card_"+fmt.Sprint(card["brand"])+"/attach", url.Values{"customer": {owner}}, o)
	}
}

var lineText = regexp.MustCompile(`^\d+ (?:(\w+) )?× (.+) \(at .*\)$|^Trial period for (.+?)(?: \(per (\w+)\))?$`)

// described is the name and the unit_label of a product as the story's invoice lines have them.
func (b *setup) described(product string) (name, label string) {
	for _, o := range b.shown {
		price, ok := o["price"].(map[string]any)
		if o["object"] != "line_item" || !ok || fmt.Sprint(price["product"]) != product {
			continue
		}
		text := fmt.Sprint(o["description"])
		if m := lineText.FindStringSubmatch(text); m != nil {
			return m[2] + m[3], m[1] + m[4]
		}
		if !strings.HasPrefix(text, "Unused time") {
			name = text
		}
	}
	return cmp.Or(name, "Product"), ""
}

// shownObjects are the objects of a story's responses by id. An object with a deleted customer or
// the like stays as it was shown first.
func shownObjects(s recordedStory) map[string]map[string]any {
	out := map[string]map[string]any{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if id, ok := v["id"].(string); ok && out[id] == nil && v["object"] != nil {
				out[id] = v
			} else if ok && out[id] != nil && out[id]["object"] == "price" && v["object"] == "plan" {
				out[id] = v
			}
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	for _, c := range s.Calls {
		walk(c.Response)
	}
	return out
}

// namedBefore are the values that a story sends before any response has them.
func namedBefore(s recordedStory) []string {
	var out []string
	seen := map[string]bool{}
	for _, c := range s.Calls {
		values := strings.Split(c.Path, "/")[3:]
		for pair := range strings.SplitSeq(c.Form, "&") {
			_, value, _ := strings.Cut(pair, "=")
			plain, err := url.QueryUnescape(value)
			if err == nil {
				values = append(values, plain)
			}
		}
		for _, v := range values {
			if v != "" && !seen[v] {
				seen[v] = true
				out = append(out, v)
			}
		}
		for id := range shownObjects(recordedStory{Calls: []recordedCall{c}}) {
			seen[id] = true
		}
		for v := range stringsIn(c.Response) {
			seen[v] = true
		}
	}
	return out
}

func stringsIn(v any) map[string]bool {
	out := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		case string:
			out[v] = true
		}
	}
	walk(v)
	return out
}
