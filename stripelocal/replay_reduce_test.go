package stripelocal_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"usher/stripelocal"
)

// reducer keeps of each response what no earlier call says already, and replaces ids, names and
// addresses. So the file of the repository has facts about the API's behavior, and no third party's
// responses.
type reducer struct {
	seen map[string]bool // call, field and value
	ids  map[string]string
	used map[string]bool // ids that later calls of the story send
}

// writeReduced writes the stories without what is known already.
func writeReduced(t *testing.T, stories []recordedStory, file string) {
	t.Helper()
	var out strings.Builder
	seen, kept := map[string]bool{}, map[string]bool{}
	slices.SortStableFunc(stories, func(x, y recordedStory) int { return distance(x.Version) - distance(y.Version) })
	for _, s := range stories {
		if calls := signature(s); kept[calls] {
			continue
		} else {
			kept[calls] = true
		}
		r := reducer{seen: seen, ids: map[string]string{}, used: map[string]bool{}}
		reduced := r.story(s)
		raw, err := json.Marshal(reduced)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(raw, '\n'))
	}
	if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// distance orders versions: 2024-06-20 first, then later ones, then earlier ones from the newest
// on.
func distance(version string) int {
	switch {
	case version == stripelocal.APIVersion:
		return 0
	case version > stripelocal.APIVersion:
		return 1
	}
	year, err := strconv.Atoi(version[:4])
	if err != nil {
		return 100
	}
	return 3000 - year
}

// signature is what a story calls. Of stories with one signature, such as one test at two versions,
// the file has the first.
func signature(s recordedStory) string {
	var out strings.Builder
	for _, c := range s.Calls {
		fmt.Fprintln(&out, c.Method, template(c.Path), paramNames(c.Form), c.Status)
	}
	return out.String()
}

func loadReduced(t *testing.T, file string) []recordedStory {
	t.Helper()
	var out []recordedStory
	eachLine(t, file, func(raw []byte) {
		s := recordedStory{Partial: true}
		decode(t, raw, &s)
		for i := range s.Calls {
			s.Calls[i].Form = escapedForm(s.Calls[i].Form)
		}
		for i := range s.Before {
			s.Before[i].Form = escapedForm(s.Before[i].Form)
		}
		out = append(out, s)
	})
	return out
}

func (r *reducer) story(s recordedStory) recordedStory {
	for _, c := range s.Calls {
		for v := range stringsIn(valuesOf(c)) {
			r.used[v] = true
		}
	}
	out := recordedStory{Name: s.Name, Version: s.Version}
	for _, c := range s.Before {
		c.Path, c.Form, c.ID = r.rename(c.Path), plainForm(r.rename(c.Form)), r.rename(c.ID)
		out.Before = append(out.Before, c)
	}
	for _, c := range s.Calls {
		reduced := c
		reduced.Response, _ = r.object(c.Response, c.Method+" "+template(c.Path)+paramNames(c.Form), "")
		reduced.Path, reduced.Form = r.rename(c.Path), plainForm(r.rename(c.Form))
		out.Calls = append(out.Calls, reduced)
	}
	return out
}

// plainForm writes the brackets of a form as they are, for readers.
func plainForm(form string) string { return strings.NewReplacer("%5B", "[", "%5D", "]").Replace(form) }

func escapedForm(form string) string {
	return strings.NewReplacer("[", "%5B", "]", "%5D").Replace(form)
}

func valuesOf(c recordedCall) any {
	var out []any
	for _, part := range strings.Split(c.Path, "/") {
		out = append(out, part)
	}
	for pair := range strings.SplitSeq(c.Form, "&") {
		_, value, _ := strings.Cut(pair, "=")
		out = append(out, value)
	}
	return out
}

var pathID = regexp.MustCompile(`/[a-z]+_[A-Za-z0-9_]{8,}`)

func template(path string) string { return pathID.ReplaceAllString(path, "/{id}") }

var formValue = regexp.MustCompile(`=[^&]*`)

func paramNames(form string) string { return "?" + formValue.ReplaceAllString(form, "") }

// rename replaces ids by short ones of the same kind.
func (r *reducer) rename(text string) string {
	return wordWithID.ReplaceAllStringFunc(text, func(word string) string {
		if !isID(word) {
			return word
		}
		if r.ids[word] == "" {
			r.ids[word] = fmt.Sprintf("%s_%08d", prefixOf(word), len(r.ids)+1)
		}
		return r.ids[word]
	})
}

// object reduces an object. It reports whether anything of it is new.
func (r *reducer) object(o map[string]any, call, where string) (map[string]any, bool) {
	if kind, ok := o["object"].(string); ok && kind != "list" {
		where = kind
	}
	out, changed := map[string]any{}, false
	for name, v := range o {
		at := where + "." + name
		if ignoredField(at) || personal[name] {
			continue
		}
		value, fresh := r.value(v, call, at)
		if fresh || r.isNeeded(v) {
			out[name] = value
		}
		changed = changed || fresh
	}
	if len(out) > 0 && o["object"] != nil {
		out["object"] = o["object"]
	}
	return out, changed
}

// personal are fields that tell about people, or that have no meaning for the API.
var personal = map[string]bool{
	"email": true, "name": true, "customer_email": true, "customer_name": true, "address": true, "billing_details": true,
	"customer_address": true, "shipping": true, "metadata": true, "fingerprint": true, "client_secret": true, "receipt_url": true,
	"hosted_invoice_url": true, "invoice_pdf": true, "invoice_prefix": true, "account_name": true, "next_action": true, "nickname": true,
	"statement_descriptor_suffix": true, "transfer_group": true, "customer_shipping": true, "description": false,
}

// isNeeded reports whether a value is an id that the story sends, or holds one.
func (r *reducer) isNeeded(v any) bool {
	if id, ok := v.(string); ok {
		return isID(id) && r.used[id]
	}
	if !isNested(v) {
		return false
	}
	for id := range stringsIn(v) {
		if isID(id) && r.used[id] {
			return true
		}
	}
	return false
}

func isNested(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

func (r *reducer) value(v any, call, where string) (any, bool) {
	switch v := v.(type) {
	case map[string]any:
		return r.object(v, call, where)
	case []any:
		out, changed := make([]any, len(v)), r.isNew(call, where, fmt.Sprint("elements ", len(v)))
		for i, e := range v {
			var fresh bool
			out[i], fresh = r.value(e, call, where)
			changed = changed || fresh
		}
		return out, changed
	case string:
		return r.rename(v), r.isNew(call, where, shape(v))
	}
	return v, r.isNew(call, where, shape(v))
}

// shape is what a value says: itself, or its kind if it is an id or a time.
func shape(v any) string {
	text := fmt.Sprint(v)
	switch _, number := v.(json.Number); {
	case number && isTime(text):
		return "time"
	case isID(text):
		return prefixOf(text)
	}
	return text
}

func (r *reducer) isNew(call, where, value string) bool {
	key := where + " " + value
	if strings.HasSuffix(where, ".status") || strings.HasPrefix(where, "error.") {
		key = call + " " + key
	}
	fresh := !r.seen[key]
	r.seen[key] = true
	return fresh
}
