package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// tomlTable reads one table of a TOML file key by key and notes every mistake instead of stopping at the first.
type tomlTable struct {
	where    string
	values   map[string]any
	known    []string
	mistakes *[]error
}

func newTomlTable(where string, values map[string]any, mistakes *[]error) *tomlTable {
	return &tomlTable{where: where, values: values, mistakes: mistakes}
}

// wrong notes a mistake at this table.
func (t *tomlTable) wrong(format string, args ...any) {
	*t.mistakes = append(*t.mistakes, fmt.Errorf("%s: %s", t.where, fmt.Sprintf(format, args...)))
}

// target is where the table stands, without the file's name.
func (t *tomlTable) place() string {
	_, place, _ := strings.Cut(t.where, ": ")
	return place
}

// done refuses every key that nothing asked for.
func (t *tomlTable) done() {
	for _, key := range slices.Sorted(maps.Keys(t.values)) {
		if !slices.Contains(t.known, key) {
			t.wrong("key %q is not known; there are %s", key, strings.Join(t.known, ", "))
		}
	}
}

func (t *tomlTable) has(key string) bool {
	_, ok := t.values[key]
	return ok
}

// value looks a key up and remembers that it is a known one.
func (t *tomlTable) value(key string) (any, bool) {
	t.known = append(t.known, key)
	value, ok := t.values[key]
	return value, ok
}

// text reads a string of at most so many characters.
func (t *tomlTable) text(key, fallback string, longest int) string {
	value, ok := t.value(key)
	if !ok {
		return fallback
	}
	text, ok := value.(string)
	if !ok {
		t.wrong(`%s must be a text in quotes, for example %s = "…"`, key, key)
		return ""
	}
	text = strings.TrimSpace(text)
	if count := utf8.RuneCountInString(text); count > longest {
		t.wrong("%s has %d characters, at most %d fit", key, count, longest)
	}
	return text
}

// required reads a string that must not be empty.
func (t *tomlTable) required(key string, longest int) string {
	missing := !t.has(key)
	text := t.text(key, "", longest)
	if _, isText := t.values[key].(string); missing || isText && text == "" {
		t.wrong("%s is missing", key)
	}
	return text
}

// identifier reads a required short name that URLs and idempotency keys can carry.
func (t *tomlTable) identifier(key string) string {
	text := t.required(key, maxText)
	if text != "" && !identifier.MatchString(text) {
		t.wrong("%s %q will not do: %s", key, text, identifierMeaning)
		return ""
	}
	return text
}

// flag reads true or false.
func (t *tomlTable) flag(key string, fallback bool) bool {
	value, ok := t.value(key)
	if !ok {
		return fallback
	}
	flag, ok := value.(bool)
	if !ok {
		t.wrong("%s must be true or false, without quotes", key)
	}
	return flag
}

// number reads a whole number from 0 to most.
func (t *tomlTable) number(key string, fallback, most int) int {
	value, ok := t.value(key)
	if !ok {
		return fallback
	}
	number, ok := value.(int64)
	if !ok {
		t.wrong("%s must be a whole number, without quotes", key)
		return fallback
	}
	if number < 0 || number > int64(most) {
		t.wrong("%s is %d, it must be from 0 to %d", key, number, most)
		return fallback
	}
	return int(number)
}

// texts reads a list of strings, each once.
func (t *tomlTable) texts(key string) []string {
	value, ok := t.value(key)
	if !ok {
		return nil
	}
	list, ok := value.([]any)
	if !ok {
		t.wrong(`%s must be a list of texts, for example %s = ["…", "…"]`, key, key)
		return nil
	}
	var texts []string
	for _, item := range list {
		texts = append(texts, t.item(key, item, texts))
	}
	return texts
}

func (t *tomlTable) item(key string, value any, earlier []string) string {
	text, ok := value.(string)
	switch text = strings.TrimSpace(text); {
	case !ok:
		t.wrong("%s holds %v, which is no text in quotes", key, value)
	case text == "":
		t.wrong("%s holds an empty text", key)
	case slices.Contains(earlier, text):
		t.wrong("%s holds %q twice", key, text)
	}
	return text
}

// decimal reads an amount as it was written. Floats are refused: 9.10 as a float is not 9.10.
func (t *tomlTable) decimal(key string) (string, bool) {
	value, ok := t.value(key)
	if !ok {
		t.wrong(`%s is missing: %s = 9 or %s = "9.50"`, key, key, key)
		return "", false
	}
	switch amount := value.(type) {
	case int64:
		return fmt.Sprint(amount), true
	case string:
		return strings.TrimSpace(amount), true
	case float64:
		t.wrong(`%s %v must stand in quotes, since it has decimals: %s = "9.50"`, key, amount, key)
	default:
		t.wrong(`%s must be a number: %s = 9 or %s = "9.50"`, key, key, key)
	}
	return "", false
}

// proration reads one of Stripe's proration behaviours.
func (t *tomlTable) proration(key string) Proration {
	behaviour := Proration(t.text(key, string(ProrationCreateProrations), maxText))
	if _, isText := t.values[key].(string); isText && !behaviour.Valid() {
		t.wrong("%s %q is not known: %s, %s or %s", key, behaviour, ProrationCreateProrations, ProrationAlwaysInvoice, ProrationNone)
	}
	return behaviour
}

// decrease reads what happens when seats are taken away: one of Stripe's behaviours, or that it waits for the renewal.
func (t *tomlTable) decrease(key string) (behaviour Proration, atRenewal bool) {
	if text, _ := t.values[key].(string); text == decreaseAtRenewal {
		_, _ = t.value(key)
		return ProrationNone, true
	}
	behaviour = Proration(t.text(key, string(ProrationCreateProrations), maxText))
	if _, isText := t.values[key].(string); isText && !behaviour.Valid() {
		t.wrong("%s %q is not known: %s, %s, %s or %s", key, behaviour, ProrationCreateProrations, ProrationAlwaysInvoice, ProrationNone, decreaseAtRenewal)
	}
	return behaviour, false
}

const decreaseAtRenewal = "at_renewal"

// choice reads one of a few words; the first one where the key is left out.
func (t *tomlTable) choice(key string, words ...string) string {
	word := t.text(key, words[0], maxText)
	if _, isText := t.values[key].(string); isText && !slices.Contains(words, word) {
		t.wrong("%s %q is not known: %s", key, word, strings.Join(words, " or "))
	}
	return word
}

// tables reads the tables of an array of tables, [[key]].
func (t *tomlTable) tables(key string) []*tomlTable {
	value, ok := t.value(key)
	if !ok {
		return nil
	}
	list, ok := value.([]map[string]any)
	if !ok {
		t.wrong("%s must be written with two brackets, [[%s]], once for each", key, key)
		return nil
	}
	tables := make([]*tomlTable, len(list))
	for i, values := range list {
		tables[i] = newTomlTable(t.where, values, t.mistakes)
	}
	return tables
}
